"""What the tests of the service share: a running server to ask, and pictures to send."""

from __future__ import annotations

import http.client
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wordsight.client import Client
from wordsight.testing import colour_image

NAMES = ("red", "green", "blue", "trip/red blue", "trip/far/white", "trip/far/red green", "yellow", "copies/red")


@dataclass
class Answered:
    """What a raw request got."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Served:
    """A running server."""

    port: int
    service: Any
    photos: Path
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(f"http://127.0.0.1:{self.port}")

    def ask(self, method: str, path: str, body: bytes | dict[str, Any] | None = None, **headers: str) -> Answered:
        """Send a request as it is; underscores in names of headers are dashes."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers = {"content_type": "application/json", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
            if body is not None and "content_length" not in headers:
                connection.putheader("content-length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Answered(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def sha(self, name: str) -> str:
        """The id of a photo by the end of its path."""
        return next(hit.sha256 for hit in self.client.search_all() if hit.path.endswith(name))


def paint(root: Path, names: tuple[str, ...] = NAMES) -> Path:
    """Save pictures in the colours that their names tell."""
    for name in names:
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        colour_image(*file.stem.split()).save(file)
    return root


def picture(*names: str, format: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of a coloured picture."""
    stream = io.BytesIO()
    colour_image(*names).save(stream, format, **options)
    return stream.getvalue()
