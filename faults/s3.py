"""An S3 server on the loopback that can be told to misbehave: moto's, behind a layer of faults.

``python -m faults.s3 PORT``. ``POST /_faults`` with JSON sets what happens to reads of pictures from then on: ``fail``
(share answered with 500), ``cut`` (share whose body breaks off), ``wait`` (seconds that each takes at least).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BUCKET = "photos"


class Faulty:
    """A WSGI application around another, with faults."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._faults: dict[str, float] = {}
        self._random = random.Random(7)
        self.counts = {"reads": 0, "failed": 0, "cut": 0}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: D102  # WSGI
        path = environ["PATH_INFO"]
        if path == "/_faults":
            if environ["REQUEST_METHOD"] == "POST":
                self._faults = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.counts).encode()]
        if environ["REQUEST_METHOD"] != "GET" or not path.startswith(f"/{_BUCKET}/pictures/"):
            return self._inner(environ, start_response)
        self.counts["reads"] += 1
        time.sleep(self._faults.get("wait", 0) * self._random.uniform(0.5, 1.5))
        if self._random.random() < self._faults.get("fail", 0):
            self.counts["failed"] += 1
            start_response("500 Internal Server Error", [("Content-Type", "text/xml"), ("Content-Length", "0")])
            return [b""]
        if self._random.random() < self._faults.get("cut", 0):
            self.counts["cut"] += 1
            body = b"".join(self._inner(environ, start_response))
            return [body[: len(body) // 2]]
        return self._inner(environ, start_response)


class Server:
    """The server as a process of its own, and the environment by which clients find it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }

    def faults(self, **faults: float) -> dict[str, int]:
        """Set the faults; return how many reads there were, and how many failed."""
        body = json.dumps(faults).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_faults", body, timeout=60) as answer:
            counts: dict[str, int] = json.loads(answer.read())
            return counts


@contextmanager
def running(port: int) -> Iterator[Server]:
    """Run a server with an empty bucket ``photos``."""
    server = Server(port)
    process = subprocess.Popen(
        [sys.executable, "-m", "faults.s3", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **server.environment, "AWS_ENDPOINT_URL": ""},
    )
    try:
        for _ in range(300):
            try:
                server.faults()
                break
            except OSError:
                if process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Serve until killed."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections, as real storages do

        def log_request(self, *_: object) -> None: ...

    inner = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), Faulty(inner), threaded=True, request_handler=Quiet)


if __name__ == "__main__":
    main()
