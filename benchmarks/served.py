"""A ``wordsight serve`` of its own process for the benchmarks, and what is asked of it."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.process import wordsight


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs on this machine."""

    process: subprocess.Popen[str]
    port: int

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def rss_mib(self) -> float:
        """Return the resident set."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def ask(self, path: str, method: str = "GET", body: object = None, **params: object) -> Any:
        """Return the JSON of an answer; raises ``RuntimeError`` for an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        words = urlencode(params, doseq=True)
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"{path}?{words}" if words else path, sent, {"content-type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        if response.status >= 300:
            raise RuntimeError(f"{path} answered {response.status}: {data[:500]!r}")
        return json.loads(data)


@contextmanager
def running(location: Path, encoder: str, *words: str) -> Iterator[Running]:
    """Serve a catalogue (``words``: folders and options) until the block ends; the first search has been answered."""
    argv = wordsight("serve", *words, "--catalog", str(location), "--encoder", encoder, "--port", "0")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{' '.join(argv)} ended with {process.wait()}")
        server = Running(process, urlsplit(address).port or 0)
        server.ask("/api/search", q="a first question", limit=1)
        yield server
    finally:
        process.kill()
        process.wait()
