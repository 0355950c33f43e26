"""``wordsight serve`` as a process, and the examples of its documentation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from web_server import Served, paint, picture

from wordsight.client import Client, ServiceError

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run the command; give the process and the address it prints."""
    argv = [sys.executable, "-m", "wordsight", "serve", *words, "--port", "0", "--encoder", "colours"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_and_ends_in_order(tmp_path: Path, ending: signal.Signals) -> None:
    with running(str(paint(tmp_path / "photos"))) as (process, address):
        assert urlsplit(address).hostname == "127.0.0.1"
        with Client(address) as client:
            assert client.get("/api/status")["indexed"] is False
            assert b"<html" in client._call("GET", "/").lower()
            client.sync()
            while client.get("/api/sync")["running"]:
                time.sleep(0.02)
            assert client.search("blue").hits[0].path.endswith("blue.png")
            process.send_signal(ending)
            assert process.wait(15) == 0
        assert process.stderr is not None
        told = process.stderr.read()
        assert "Traceback" not in told
        assert "other machines" not in told


def test_an_event_stream_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with running(str(paint(tmp_path / "photos"))) as (process, address):
        import socket

        stream = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), timeout=10)
        host = urlsplit(address).netloc
        stream.sendall(f"GET /api/sync/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert b"200 OK" in stream.recv(100)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        stream.close()
        assert time.monotonic() - started < 9  # what runs gets ten


def test_other_machines_need_the_token(tmp_path: Path) -> None:
    with running(str(paint(tmp_path / "photos")), "--host", "0.0.0.0") as (process, address):
        (token,) = parse_qs(urlsplit(address).query)["token"]
        assert len(token) >= 40
        plain = f"http://127.0.0.1:{urlsplit(address).port}"
        with Client(plain) as stranger, pytest.raises(ServiceError) as refused:
            stranger.get("/api/status")
        assert refused.value.status == 401
        with Client(plain, token=token) as client:
            assert client.get("/api/status")["photos"] == 0
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        assert "other machines can reach this server" in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/nowhere/at/all"], "expected a folder"),
        (["--host", "256.1.1.1"], "cannot listen"),
        (["--reports", "/nowhere/at/all"], "expected a folder"),
        (["--encoder", "colours"], "expected different encoders"),
    ],
)
def test_what_cannot_be_served(words: list[str], said: str) -> None:
    with running(*words) as (process, address):
        assert address == ""
        assert process.wait(20) == 2
        assert said in process.stderr.read()


def test_the_extra_is_named_where_it_is_missing(monkeypatch, capsys) -> None:
    from wordsight.cli import run, serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["wordsight", "serve"])
    assert run() == 2
    assert 'pip install "wordsight[web]"' in capsys.readouterr().err


def test_the_page_is_not_loaded_by_others() -> None:
    code = (
        "import sys, wordsight.cli.app as a; a.build(); sys.exit('fastapi' in sys.modules or 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert done.returncode == 0


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_documentation_run(served: Served, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rex.jpg").write_bytes(picture("blue", format="JPEG", quality=95))
    found = examples()
    assert len(found) >= 3
    names: dict[str, object] = {}
    for code in found:
        code = code.replace("http://127.0.0.1:8765", f"http://127.0.0.1:{served.port}")
        exec(compile(code, "docs/api.md", "exec"), names)
    names["client"].close()


def test_every_route_is_documented(served: Served) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    for path in served.client.get("/api/openapi.json")["paths"]:
        shown = path.replace("{sha256}", "SHA256").replace("{name}", "NAME").replace("{number}", "ID")
        assert shown in page, path
