"""What the service refuses: other hosts and sites, wrong tokens, floods, paths, hostile pictures. Nothing leaks."""

from __future__ import annotations

import http.client
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from web_server import Answered, Served, picture

from wordsight.web.config import Config, Limits, is_loopback
from wordsight.web.guard import Buckets

TOKEN = "the-token"


def leaks(answer: Answered, served: Served) -> bool:
    """Whether an error tells what a stranger must not know, or a file's content."""
    told = answer.data
    return any(word in told for word in (b"root:", b"Traceback", b'File "', b"[tool.", b"PNG\r\n", b"import "))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("127.0.0.1:{port}", 200),
        ("[::1]:{port}", 200),
        ("LOCALHOST", 200),
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.", 421),
        ("user@localhost", 421),
        ("localhost/evil", 421),
        ("localhost:x", 421),
        ("", 421),
        ("169.254.169.254", 421),
    ],
)
def test_hosts(served: Served, host: str, status: int) -> None:
    assert served.ask("GET", "/api/status", host=host.format(port=served.port)).status == status


def test_names_that_are_allowed(serve) -> None:
    served = serve(names=("Photos.local",))
    assert served.ask("GET", "/api/status", host="photos.LOCAL:80").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    ],
)
def test_other_sites(served: Served, method: str, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=served.port) for name, value in headers.items()}
    assert served.ask(method, "/api/sync", None if method == "GET" else {}, **headers).status == 403


def test_the_page_itself_and_links_to_it(served: Served) -> None:
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("POST", "/api/recent", {"q": "x"}, origin=own, sec_fetch_site="same-origin").status == 204
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert served.ask("GET", "/", **link).status == 200
    assert served.ask("POST", "/api/recent", {"q": "x"}, **link).status == 403


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/search?q=red", "/nowhere", "/metrics"])
def test_headers_of_every_answer(served: Served, path: str) -> None:
    headers = served.ask("GET", path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_the_token(serve) -> None:
    served = serve(token=TOKEN)
    ask = served.ask
    assert ask("GET", "/api/status").status == 401
    assert ask("GET", "/").status == 401
    assert ask("GET", "/health/live").status == 200
    assert ask("GET", "/api/status", authorization=f"Bearer {TOKEN}").status == 200
    assert ask("GET", "/api/status", authorization=f"Basic {TOKEN}").status == 401
    assert ask("GET", "/api/status", cookie=f"a=b; wordsight={TOKEN}").status == 200
    assert ask("GET", "/api/status", cookie="wordsight=\xff").status == 401
    signed = ask("GET", f"/?token={TOKEN}")
    assert (signed.status, signed.headers["location"]) == (303, "/")
    assert "HttpOnly" in signed.headers["set-cookie"]
    assert "SameSite=strict" in signed.headers["set-cookie"]
    assert ask("GET", f"/api/status?token={TOKEN}").status == 401  # nowhere else


def test_guessing_tokens_is_slow(serve) -> None:
    served = serve(token=TOKEN)
    statuses = [served.ask("GET", "/api/status", authorization=f"Bearer {n}").status for n in range(15)]
    assert statuses[:10] == [401] * 10
    assert 429 in statuses[10:]
    assert served.ask("GET", "/api/status", authorization=f"Bearer {TOKEN}").status == 200


def test_floods(serve) -> None:
    served = serve(limits=Limits(rate=0.5, burst=5))
    answers = [served.ask("GET", "/health/live") for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert answers[-1].headers["retry-after"] in ("1", "2")


def test_buckets_fill_again() -> None:
    buckets = Buckets(rate=2, burst=3)
    assert [buckets.wait("a", now=0) for _ in range(3)] == [0, 0, 0]
    assert buckets.wait("a", now=0) == 0.5
    assert buckets.wait("b", now=0) == 0
    assert buckets.wait("a", now=0.5) == 0
    assert [buckets.wait("a", now=100) for _ in range(4)] == [0, 0, 0, 0.5]


def test_more_than_can_wait_is_refused(serve) -> None:
    served = serve(threads=1, limits=Limits(waiting=1))
    import threading

    gate = threading.Event()
    encoder = served.service.encoder()
    plain = encoder.encode_texts
    encoder.encode_texts = lambda texts: gate.wait(20) and plain(texts)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(served.ask, "GET", f"/api/search?q=red+{n}") for n in range(8)]
        try:
            refused = [answer for answer in (w.result() for w in _first_done(waiting, 6)) if answer.status == 503]
        finally:
            gate.set()
        done = [w.result().status for w in waiting]
    assert len(refused) == 6
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert sorted(done) == [200, 200] + [503] * 6


def _first_done(futures, count: int):
    from concurrent.futures import FIRST_COMPLETED, wait

    done, waiting = set(), set(futures)
    while len(done) < count:
        some, waiting = wait(waiting, timeout=20, return_when=FIRST_COMPLETED)
        assert some
        done |= some
    return list(done)


def test_addresses_of_this_machine() -> None:
    assert [is_loopback(name) for name in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(name) for name in ("0.0.0.0", "::", "192.168.1.2", "example.com")] == [False] * 4
    assert "0.0.0.0" not in Config(host="0.0.0.0").hosts


def test_sizes_are_limited(serve) -> None:
    served = serve(limits=Limits(upload_bytes=2_000, body_bytes=500, upload_pixels=2_000))
    assert served.ask("POST", "/api/uploads", picture("red")).status == 201
    assert served.ask("POST", "/api/uploads", b"x" * 2_001).status == 413
    assert served.ask("POST", "/api/search", {"q": "x" * 600}).status == 413
    assert served.ask("POST", "/api/uploads", b"", content_length="99999999999").status == 413
    assert served.ask("POST", "/api/uploads", b"", content_length="-1").status in (400, 413)
    stream = io.BytesIO()
    Image.new("RGB", (60, 60)).save(stream, "PNG")
    many = served.ask("POST", "/api/uploads", stream.getvalue())
    assert (many.status, "megapixels" in many.json["detail"]) == (422, True)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("POST", "/api/uploads", iter([b"x" * 1_500, b"x" * 1_500]), encode_chunked=True)
    assert connection.getresponse().status == 413  # a length that is not told
    connection.close()


def test_bodies_that_do_not_end(serve) -> None:
    served = serve(limits=Limits(body_seconds=0.2))
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.putrequest("POST", "/api/uploads")
    connection.putheader("content-length", "100")
    connection.endheaders(b"x" * 10)  # and no more
    assert connection.getresponse().status == 408
    connection.close()
    assert served.ask("POST", "/api/uploads", picture("red")).status == 201
