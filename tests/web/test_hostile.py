"""Requests and files that mean harm: each is refused with a 4xx, and no answer tells what a stranger must not know."""

from __future__ import annotations

import base64
import io
import json
import socket
from urllib.parse import quote

import hostile
import pytest
from PIL import Image
from web_server import Answered, Served, picture

_SECRETS = (
    b"root:",
    b"Traceback",
    b'File "',
    b"[tool.",
    b"\x89PNG",
    b"import ",
    b"SELECT",
    b"sqlite",
    b"site-packages",
)
_SHA = "0" * 64

_ESCAPES = [
    "../" * 8 + "etc/passwd",
    "..%2f" * 8 + "etc%2fpasswd",
    "%2e%2e/" * 8 + "etc/passwd",
    "%2e%2e%2f" * 8 + "etc%2fpasswd",
    "%252e%252e%252f" * 4 + "etc/passwd",
    "%25252e%25252e%25252fetc%25252fpasswd",
    "..\\..\\..\\etc\\passwd",
    "..%5c..%5c..%5cetc%5cpasswd",
    "....//....//etc/passwd",
    "....%2f%2f....%2f%2fetc%2fpasswd",
    "..;/..;/etc/passwd",
    "..%00/..%00/etc/passwd",
    "..%0d%0a/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "/proc/self/environ",
    "%2fproc%2fself%2fmem",
    "file:///etc/passwd",
    "http://evil.example/",
    "..%c0%af..%c0%afetc/passwd",
    "..%e0%80%afetc/passwd",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fetc",
    "%e2%80%ae..%2fetc",
    "%00/etc/passwd",
    "..%00/",
    "x.html%00.png",
    "~/.bashrc",
    "~root",
    "C:%5cWindows%5cwin.ini",
    "%5c%5chost%5cshare",
    "CON",
    "pyproject.toml",
    "../app.py",
    "%2e%2e%2fapp.py",
    "../static/main.js",
    ".git/config",
    "$(id)",
    "%7B%7B7*7%7D%7D",
    "a" * 5_000,
]
_PLACES = [
    "/static/{}",
    "/static/vendor/{}",
    "/reports/{}",
    "/api/pictures/{}",
    "/api/pictures/{}/original",
    "/api/pictures/{}/thumbnail",
    "/api/pictures/{}/map.png?text=x",
    "/api/pictures/{}/explain?text=x",
    "/{}",
    "/api/{}",
    "/library/{}",
]


def leaks(answer: Answered, served: Served) -> bool:
    """Whether an error tells what a stranger must not know, or a file's content."""
    return any(secret in answer.data for secret in (*_SECRETS, str(served.service.location).encode()))


def check_refused(answer: Answered, served: Served, case: object) -> None:
    assert 400 <= answer.status < 500, (case, answer.status, answer.data[:200])
    assert not leaks(answer, served), (case, answer.data)


@pytest.fixture
def reporting(serve, tmp_path) -> Served:
    (tmp_path / "reports").mkdir()
    (tmp_path / "secret.html").write_text("root:x:0:0")
    (tmp_path / "reports" / "linked.html").symlink_to(tmp_path / "secret.html")
    return serve(reports=tmp_path / "reports")


def test_no_path_leads_out(reporting: Served) -> None:
    """Ways to ask for files that are nobody's business, wherever an address takes a name."""
    tried = 0
    for place in _PLACES:
        for escape in _ESCAPES:
            check_refused(reporting.ask("GET", place.format(escape)), reporting, (place, escape))
            tried += 1
    check_refused(reporting.ask("GET", "/reports/linked.html"), reporting, "a link in the folder of reports")
    assert tried > 400


def test_lines_that_are_not_http_at_all(served: Served) -> None:
    """Sent as bytes: clients would mend them."""
    lines = [
        b"GET /../../../etc/passwd HTTP/1.1",
        b"GET //etc/passwd HTTP/1.1",
        b"GET http://evil.example/api/status HTTP/1.1",
        b"GET /api/status\x00 HTTP/1.1",
        b"GET /api/st\xff\xfeatus HTTP/1.1",
        b"GET /api/status HTTP/9.9",
        b"GET  /api/status  HTTP/1.1",
        b"GET",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"TRACE /api/status HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"OPTIONS * HTTP/1.1",
    ]
    for line in lines:
        for more in (b"Host: evil.example\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: x\r\n"):
            with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
                connection.sendall(line + b"\r\n" + more + b"\r\n")
                connection.shutdown(socket.SHUT_WR)
                answered = b"".join(iter(lambda: connection.recv(65_536), b""))
            status = answered.split(b" ", 2)[1] if answered else b"400"
            assert status.startswith(b"4"), (line, answered[:200])
            assert not any(secret in answered for secret in _SECRETS), (line, answered)
    assert served.ask("GET", "/health/live").status == 200


def test_every_hostile_upload_is_refused(served: Served) -> None:
    cases = hostile.refused()
    assert len(cases) >= 130
    for name, data in cases.items():
        for kind in ("image/png", "application/octet-stream") if len(data) < 1_000 else ("image/jpeg",):
            check_refused(served.ask("POST", "/api/uploads", data, content_type=kind), served, name)
    assert len(served.service.uploads._kept) == 0
    assert served.ask("GET", "/health/live").status == 200


def test_odd_pictures_that_can_be_read_are_drawn_anew(served: Served) -> None:
    cases = hostile.readable()
    assert len(cases) >= 14
    for name, data in cases.items():
        answer = served.ask("POST", "/api/uploads", data, content_type="image/png")
        assert answer.status == 201, name
        sent = f"/api/pictures/{answer.json['sha256']}"
        shown = served.ask("GET", f"{sent}/thumbnail")
        assert shown.headers["content-type"] == "image/webp"
        assert Image.open(io.BytesIO(shown.data)).format == "WEBP"
        assert not any(word in shown.data for word in (b"script", b"ENTITY", b"PK\x03\x04", b"Exif")), name
        assert served.ask("GET", f"{sent}/original").status == 404, name  # never as it came


_LENGTHS = [
    {"content_length": "99999999999"},
    {"content_length": "9" * 400},
    {"content_length": "-1"},
    {"content_length": "1e3"},
    {"content_length": "0x10"},
    {"content_length": "+5"},
    {"content_length": "5, 6"},
    {"content_length": ""},
    {"content_length": "\xb2"},
    {"content_length": "4", "transfer_encoding": "chunked"},
    {"transfer_encoding": "gzip, chunked, identity"},
    {"content_length": "40000001"},
]


@pytest.mark.parametrize("path", ["/api/uploads", "/api/search"])
def test_lengths_that_lie(served: Served, path: str) -> None:
    for headers in _LENGTHS:
        check_refused(served.ask("POST", path, None, **headers), served, headers)


def _cursor(*members: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def _cursors() -> list[str]:
    return [
        *("x", "W10", "bnVsbA", "=", "%00", "....", "a" * 7_000, "a" * 9_000, "\N{SNOWMAN}", "../../etc/passwd"),
        *(_cursor(), _cursor("search"), _cursor("search", 1, 1.0), _cursor("search", 1, 1.0, "a", "b")),
        *(_cursor("search", "1", 1.0, "a"), _cursor("search", True, 1.0, "a"), _cursor("search", -1, 1.0, "a")),
        *(_cursor("search", 10**30, 1.0, "a"), _cursor("search", 1, float("nan"), "a")),
        *(_cursor("search", 1, float("inf"), "a"), _cursor("search", 1, None, "a"), _cursor("search", 1, 1.0, ["a"])),
        *(_cursor("search", 1, 1.0, {"path": "/etc"}), _cursor("offset", -1), _cursor("offset", 1.5)),
        *(_cursor("browse", 1, "2020", "/", 5), _cursor("drop table", 1), _cursor(["search", 1, 1.0, "a"])),
        base64.urlsafe_b64encode(b"[" * 5_000).decode(),
        base64.urlsafe_b64encode(b"\x80\x04cos\nsystem\n").decode(),
        base64.urlsafe_b64encode(b'["search",1e999,1,"a"]').decode(),
    ]


@pytest.mark.parametrize("query", ["q=red&", "", "q=red&sort=date&"])
def test_cursors_that_were_tampered_with(served: Served, query: str) -> None:
    fitting = {"q=red&": "search", "": "browse", "q=red&sort=date&": "offset"}[query]
    for cursor in _cursors():
        answer = served.ask("GET", f"/api/search?{query}cursor={quote(cursor)}")
        check_refused(answer, served, (query, cursor))
    for kind, place in (("search", (1, 1.0, "a")), ("browse", (1, "2020", "/", "a")), ("offset", (1,))):
        if kind != fitting:
            check_refused(served.ask("GET", f"/api/search?{query}cursor={_cursor(kind, *place)}"), served, kind)


_ASKED = [
    *(f"/api/search?q=red&folder={folder}" for folder in ("/", "/etc", "..", "%2e%2e", "/nowhere", "x%00y", "~", "")),
    *(f"/api/facets?folder={folder}" for folder in ("/", "/etc", "../..", "%00", "/proc/self")),
    *(f"/api/search?q=red&limit={limit}" for limit in ("0", "-1", "501", "1e9", "NaN", "9" * 400, "", "x")),
    *(f"/api/search?q=red&depth={depth}" for depth in ("0", "-5", "5001", "x")),
    *(
        f"/api/search?q=red&since={when}"
        for when in ("x", "0000", "99999", "2021-13", "'; DROP TABLE files; --", "%00")
    ),
    *(f"/api/search?q=red&{name}={size}" for name in ("min_size", "max_size") for size in ("x", "-1", "9e99T", "1YB")),
    *("/api/search?q=red&type=exe", "/api/search?q=red&type=../../x", "/api/search?q=red&min_side=-1"),
    *("/api/search?q=red&sort=price", "/api/search?q=red&fuse_by=magic", "/api/search?q=red&fuse=/etc/passwd"),
    *(f"/api/search?q=red&encoder={name}" for name in ("/etc/passwd", "../mini", "openclip:x", "%00", "x" * 1_001)),
    *("/api/search?q=" + "x" * 4_001, "/api/search?unknown=1", "/api/search?q=red&vector=1", "/api/search?q=%2B"),
    *(f"/api/search?q=picture:{digits}" for digits in ("0" * 64, "0" * 12, "f" * 64)),
    *(f"/api/search?q=red&liked={digits}" for digits in (_SHA, "x", "A" * 64, "0" * 63, "0" * 65, "../" * 21 + "x")),
    *(f"/api/search?q=%40{name}" for name in ("nobody", "../../x", "%00", "x%27%20OR%201=1")),
    *("/api/compare?q=", "/api/compare", "/api/compare?q=red&encoder=nobody", "/api/compare?q=red&limit=0"),
    *(f"/api/pictures/{digits}" for digits in (_SHA, "A" * 64, "0" * 63, "0" * 65, "0" * 63 + "g", "%EF%BC%90" * 64)),
    *(f"/api/pictures/{_SHA}/{what}" for what in ("original", "thumbnail", "explain?text=x", "map.png?text=x", "x")),
    *(f"/api/library/duplicates?threshold={value}" for value in ("nan", "inf", "0", "2", "-1", "x")),
    *(f"/api/library/clusters?k={value}" for value in ("0", "-1", "101", "1e3", "x")),
    *("/api/marks?query=" + "x" * 4_001, "/api/suggestions?q=" + "x" * 4_001, "/api/suggestions?encoder=nobody"),
    *("/reports/x.html", "/reports/", "/reports/.", "/reports/..", "/static/", "/static", "/docs", "/redoc"),
    *("/openapi.json", "/.env", "/admin", "/api", "/api/", "/API/status", "/api/status/", "/favicon.ico%00"),
]


def test_what_cannot_be_asked(reporting: Served) -> None:
    assert len(_ASKED) > 100
    for path in _ASKED:
        check_refused(reporting.ask("GET", quote(path, safe="/?&=%+:")), reporting, path)


def test_sizes_of_thumbnails_and_maps_are_not_for_the_asking(served: Served) -> None:
    photo = served.sha("/blue.png")
    for side in ("0", "-1", "1", "321", "99999999", "1e3", "NaN", "", "320px", "%00"):
        check_refused(served.ask("GET", f"/api/pictures/{photo}/thumbnail?side={side}"), served, side)
    for words in ("", "text=", "text=x&method=none", "text=x&boxes=-1", "text=x&boxes=99999", "text=x&threshold=nan"):
        check_refused(served.ask("GET", f"/api/pictures/{photo}/explain?{words}"), served, words)
    for words in ("text=x&colours=/etc/passwd", "text=x&colours=", "text=x&encoder=../x", "text=" + "x" * 5_000):
        check_refused(served.ask("GET", f"/api/pictures/{photo}/map.png?{words}"), served, words)


_BODIES: list[tuple[str, str, object]] = [
    ("POST", "/api/search", {"q": ["red"]}),
    ("POST", "/api/search", {"q": "red", "limit": [1]}),
    ("POST", "/api/search", {"q": "red", "limit": 10**400}),
    ("POST", "/api/search", {"vector": []}),
    ("POST", "/api/search", {"vector": ["1"] * 3}),
    ("POST", "/api/search", {"vector": [1e308] * 10_000}),
    ("POST", "/api/search", b'{"vector": [NaN]}'),
    ("POST", "/api/search", b"[" * 100_000),
    ("POST", "/api/search", b'{"q": "\xff"}'),
    ("POST", "/api/search", b"null"),
    ("POST", "/api/search", {"__proto__": {"q": "red"}}),
    ("POST", "/api/search", {"q": "red", "folder": ["/etc"] * 51}),
    ("POST", "/api/sync", {"folder": "/etc"}),
    ("POST", "/api/sync", {"folder": "../.."}),
    ("POST", "/api/sync", {"folder": 5}),
    ("POST", "/api/sync", {"encoder": "/etc/passwd"}),
    ("POST", "/api/recent", {"q": ""}),
    ("POST", "/api/recent", {"q": "x" * 4_001}),
    ("PUT", "/api/marks", {"query": "x", "sha256": "../x", "grade": 1}),
    ("PUT", "/api/marks", {"query": "x", "sha256": _SHA, "grade": 99}),
    ("PUT", "/api/marks", {"query": "x", "sha256": _SHA, "grade": 1, "path": "/etc/passwd"}),
    ("PUT", "/api/saved/a%0Ab", {"q": "red"}),
    ("PUT", "/api/saved/%00", {"q": "red"}),
    ("PUT", "/api/saved/" + "x" * 201, {"q": "red"}),
    ("PUT", "/api/saved/x", {"q": "red", "liked": ["../x"]}),
    ("PUT", "/api/library/clusters/-1", {"name": "x"}),
    ("PUT", "/api/library/clusters/" + "9" * 40, {"name": "x"}),
    ("PUT", "/api/library/clusters/0", {"name": "a\nb"}),
    ("DELETE", "/api/marks", None),
    ("DELETE", "/api/saved/nobody", None),
    ("DELETE", "/api/pictures/" + _SHA, None),
    ("PUT", "/api/pictures/" + _SHA, b"x"),
    ("PATCH", "/api/search", {"q": "red"}),
    ("PUT", "/api/uploads", b"x"),
    ("POST", "/reports/x.html", b"x"),
    ("PUT", "/static/main.js", b"alert(1)"),
]


def test_bodies_that_cannot_be_meant(served: Served) -> None:
    for method, path, body in _BODIES:
        headers = {"content_type": "application/json"}
        check_refused(served.ask(method, path, body, **headers), served, (method, path, str(body)[:80]))


def test_a_picture_never_leaves_by_another_site(served: Served) -> None:
    """What a page elsewhere could make a browser ask: nothing of it is answered, whatever it asks for."""
    photo = served.sha("/blue.png")
    elsewhere = (
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    )
    for headers in elsewhere:
        for path in ("original", "thumbnail", "map.png?text=blue", "explain?text=blue"):
            check_refused(served.ask("GET", f"/api/pictures/{photo}/{path}", **headers), served, (headers, path))
        check_refused(served.ask("POST", "/api/uploads", picture("red"), **headers), served, headers)
