"""A hub on this machine: serves a repository as the real one does, or misbehaves as networks do."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" + "0" * 34


class Hub:
    """Serves the files of ``folder`` as ``repository``. ``trouble``: what goes wrong, ``times`` times."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.repository = repository
        self.files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.published = dict(self.files)
        self.trouble, self.times = "", 0
        self.asked: list[tuple[str, str, str | None]] = []
        self.address = ""

    def wrong(self, trouble: str, times: int = 1) -> None:
        self.trouble, self.times = trouble, times

    def strikes(self, *kinds: str) -> bool:
        if self.trouble in kinds and self.times:
            self.times -= 1
            return True
        return False

    def info(self) -> bytes:
        siblings = []
        for name, content in sorted(self.published.items()):
            git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git}
            if name.endswith((".onnx", ".bin", ".safetensors")):
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return json.dumps({"id": self.repository, "sha": COMMIT, "siblings": siblings}).encode()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((self.command, path, self.headers.get("Range")))
            if hub.strikes("401", "404", "500"):
                return self.send(int(hub.trouble), b"{}", {}, body)
            if path.startswith("/api/models/"):
                return self.send(200, hub.info(), {"Content-Type": "application/json"}, body)
            elsewhere = path.startswith("/elsewhere")
            prefix = f"/{hub.repository}/resolve/{COMMIT}/"
            name = path.removeprefix("/elsewhere").removeprefix(prefix)
            if name not in hub.files:
                return self.send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
            content, published = hub.files[name], hub.published[name]
            tag = hashlib.sha256(published).hexdigest()
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if hub.trouble == "redirect" and body and not elsewhere:
                return self.send(302, b"", {"Location": f"{hub.address}/elsewhere{prefix}{name}"}, body)
            start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
            headers |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            return self.send(206 if start else 200, content[start:], headers, body)

        def send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if not body:
                return
            large = len(content) > 700 and status in (200, 206) and not self.path.startswith("/api")
            if large and hub.strikes("truncate"):
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            if large and hub.strikes("stall"):
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                time.sleep(1.5)
                self.close_connection = True
                return
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
