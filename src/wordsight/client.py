"""A client of ``wordsight serve``: typed, with the standard library alone.

>>> with Client("http://127.0.0.1:8765") as client:  # doctest: +SKIP
...     for hit in client.search("two dogs in snow").hits:
...         print(hit.rank, hit.match, hit.path)
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from wordsight.errors import WordsightError

_RETRIED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class ServiceError(WordsightError):
    """The service refused: ``status`` is that of HTTP, the message what it said."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} (HTTP status {status})")
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo that was found; see ``wordsight.library.PhotoHit``. ``sha256`` names it in all other calls."""

    query: str
    rank: int
    score: float
    match: float | None
    path: str
    width: int
    height: int
    bytes: int
    sha256: str
    format: str
    captured_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    region: Mapping[str, int] | None = None
    ranks: Mapping[str, int | None] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits. ``cursor`` leads to the next; ``None``: that was all.

    ``ms``: what the answer cost. ``terms``: how the query was read, each with ``text`` or ``picture``, and ``weight``.
    """

    query: str
    hits: tuple[Hit, ...]
    searched: int
    calibrated: bool
    likely: int
    nothing_matches: bool
    notices: tuple[str, ...]
    encoders: tuple[str, ...]
    cursor: str | None
    ms: Mapping[str, float]
    terms: tuple[Mapping[str, Any], ...] = ()


class Client:
    """Talks to one service over one connection: for one thread. Use as a context manager.

    Every call raises ``ServiceError`` where the service refuses, and ``OSError`` where it cannot be reached.
    """

    def __init__(
        self, address: str = "http://127.0.0.1:8765", *, token: str | None = None, timeout: float = 60
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected an address such as http://127.0.0.1:8765, got {address!r}")
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connect(parts.hostname, parts.port, timeout=timeout)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._connection.close()

    def search(
        self,
        q: str = "",
        *,
        vector: Sequence[float] | None = None,
        liked: Sequence[str] = (),
        disliked: Sequence[str] = (),
        fuse: Sequence[str] = (),
        limit: int = 60,
        cursor: str | None = None,
        **options: Any,
    ) -> Page:
        """Return a page of hits; ``options`` are the other parameters of ``POST /api/search`` (docs/api.md)."""
        asked: dict[str, Any] = {"q": q, "liked": liked, "disliked": disliked, "fuse": fuse, "limit": limit, **options}
        if vector is not None:
            asked["vector"] = [float(number) for number in vector]
        if cursor is not None:
            asked["cursor"] = cursor
        members: dict[str, Any] = self._json("POST", "/api/search", asked)
        members |= {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
        return Page(**members | {"hits": tuple(Hit(**hit) for hit in members["hits"])})

    def search_all(self, q: str = "", **options: Any) -> Iterator[Hit]:
        """Yield all hits, page after page."""
        cursor = None
        while True:
            page = self.search(q, cursor=cursor, **options)
            yield from page.hits
            cursor = page.cursor
            if cursor is None:
                return

    def upload(self, picture: Path | bytes) -> str:
        """Send a picture to search by; ``picture:`` and the returned SHA-256 then stand for it in queries."""
        data = picture if isinstance(picture, bytes) else picture.read_bytes()
        answer = json.loads(self._call("POST", "/api/uploads", data, "application/octet-stream"))
        return str(answer["sha256"])

    def explain(self, sha256: str, text: str, **options: Any) -> dict[str, Any]:
        """Return which places of a picture speak for a text: the object of ``wordsight explain --json``."""
        found: dict[str, Any] = self._json(
            "GET", f"/api/pictures/{quote(sha256)}/explain?{_encoded({'text': text, **options})}"
        )
        return found

    def map_png(self, sha256: str, text: str, **options: Any) -> bytes:
        """Return that map as a PNG to lay over the photo."""
        return self._call("GET", f"/api/pictures/{quote(sha256)}/map.png?{_encoded({'text': text, **options})}")

    def thumbnail(self, sha256: str, *, side: int = 320) -> bytes:
        """Return a picture as WebP; ``side`` 160, 320, 640, 1280 or 2560."""
        return self._call("GET", f"/api/pictures/{quote(sha256)}/thumbnail?side={side}")

    def original(self, sha256: str) -> bytes:
        """Return the file of a photo."""
        return self._call("GET", f"/api/pictures/{quote(sha256)}/original")

    def mark(self, query: str, sha256: str, grade: int) -> None:
        """Mark a photo as right (1) or wrong (0) for a query."""
        self._send("PUT", "/api/marks", {"query": query, "sha256": sha256, "grade": grade})

    def save(self, name: str, q: str = "", **members: Any) -> None:
        """Save a query; ``@name`` then stands for it. ``members``: encoder, liked, disliked."""
        self._send("PUT", f"/api/saved/{quote(name, safe='')}", {"q": q, **members})

    def sync(self, **members: Any) -> dict[str, Any]:
        """Start a sync and return its state. ``members``: folder, encoder, retry_skipped."""
        state: dict[str, Any] = self._json("POST", "/api/sync", members)
        return state

    def get(self, path: str, **parameters: Any) -> Any:
        """Return what any other GET request of docs/api.md answers, such as ``get("/api/status")``."""
        return self._json("GET", f"{path}?{_encoded(parameters)}" if parameters else path)

    def _json(self, method: str, path: str, members: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._send(method, path, members))

    def _send(self, method: str, path: str, members: Mapping[str, Any] | None) -> bytes:
        if members is None:
            return self._call(method, path)
        return self._call(method, path, json.dumps(members, default=list).encode(), "application/json")

    def _call(self, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> bytes:
        headers = self._headers | ({} if kind is None else {"Content-Type": kind})
        for last in (False, True):  # a connection that was idle may have been closed
            try:
                self._connection.request(method, path, body, headers)
                response = self._connection.getresponse()
                data = response.read()
                break
            except _RETRIED:
                self._connection.close()
                if last or method not in ("GET", "PUT"):
                    raise
            except BaseException:
                self._connection.close()
                raise
        if response.status >= 400:
            raise ServiceError(response.status, _detail(data))
        return data


def _encoded(parameters: Mapping[str, Any]) -> str:
    return urlencode({name: _plain(value) for name, value in parameters.items() if value is not None}, doseq=True)


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _detail(data: bytes) -> str:
    try:
        return str(json.loads(data)["detail"])
    except (ValueError, KeyError, TypeError):
        return data[:200].decode("utf-8", "replace")
