"""Files of the catalogue for the routes: asked for by content alone, opened only where the catalogue says they lie."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordsight.errors import ImageError, WordsightError
from wordsight.images import FILE_LIMIT
from wordsight.library.catalogue import storable
from wordsight.web.service import Service
from wordsight.web.thumbnails import encoded

SHOWN_AS_THEY_ARE = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "bmp": "image/bmp",
}
"""Formats that every browser shows, with their media types."""


class NotServed(WordsightError):  # noqa: N818
    """There is no such picture here, or its file is not what was indexed."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that holds a content of the catalogue."""

    path: Path
    bytes: int
    mtime_ns: int
    format: str
    width: int
    height: int


def photos(service: Service, sha256: str) -> list[Photo]:
    """Return the files with this content in the folders that are served, by path."""
    condition, values = service.scope.where()
    catalogue = service.catalogue()
    with catalogue.snapshot():
        rows = catalogue.db.execute(
            "SELECT d.path, f.name, f.bytes, f.mtime_ns, c.format, c.width, c.height FROM contents c "
            "JOIN files f ON f.content_id = c.id JOIN folders d ON d.id = f.folder_id "
            f"WHERE c.sha256 = ? AND ({condition}) ORDER BY d.path, f.name",
            [bytes.fromhex(sha256), *values],
        ).fetchall()
    return [Photo(Path(folder) / name, *rest) for folder, name, *rest in rows]


def check_served(service: Service, sha256: str) -> None:
    """Raise ``NotServed`` for a picture that is neither a photo of the catalogue nor an upload."""
    if service.uploads.find(sha256) is None and not photos(service, sha256):
        raise NotServed(f"no picture {sha256[:12]}... is served here")


def about(service: Service, sha256: str) -> dict[str, Any]:
    """Return what is known of a picture; raises ``NotServed``."""
    check_served(service, sha256)
    upload, found = service.uploads.find(sha256), photos(service, sha256)
    if found:
        width, height, kind = found[0].width, found[0].height, found[0].format
    else:
        assert upload is not None
        width, height, kind = upload.info.width, upload.info.height, upload.info.format.lower()
    files = [{"path": str(photo.path), "bytes": photo.bytes} for photo in found]
    return {
        "sha256": sha256,
        "width": width,
        "height": height,
        "format": kind,
        "files": files,
        "upload": upload is not None,
    }


def opened(service: Service, sha256: str) -> tuple[int, Photo]:
    """Return an open descriptor of a file with this content, for the caller to close.

    The file must be the one that was indexed, by size and time, and really lie in an indexed folder: a link that leads
    out is refused. Raises ``NotServed``.
    """
    found = photos(service, sha256)
    if not found:
        raise NotServed(f"no picture {sha256[:12]}... is served here")
    for photo in found:
        descriptor = _opened(photo, service)
        if descriptor is not None:
            return descriptor, photo
    raise NotServed("the file has changed since it was indexed, is gone, or lies outside of the indexed folders: sync")


def content(service: Service, sha256: str) -> bytes:
    """Return the bytes of a photo; raises as ``opened``, and ``ImageError`` where they cannot be read."""
    descriptor, photo = opened(service, sha256)
    try:
        with os.fdopen(descriptor, "rb") as file:
            return file.read(FILE_LIMIT)
    except OSError as error:
        raise ImageError(f"{photo.path.name!r}: cannot be read: {error.strerror}") from error


def cached_thumbnail(service: Service, sha256: str, side: int) -> bytes | None:
    """Return a thumbnail that is there already; raises ``NotServed``."""
    check_served(service, sha256)  # also what is cached is only shown while it belongs to what is served
    known = service.thumbnails.find(sha256, side)
    if known is not None:
        service.metrics.thumbnails.labels("cache").inc()
    return known


def thumbnail(service: Service, sha256: str, side: int) -> bytes:
    """Return a picture as WebP of at most ``side`` pixels: a photo's, which is kept, or an upload's.

    Raises ``NotServed`` and ``ImageError``.
    """
    upload = service.uploads.find(sha256)
    if upload is not None:
        return encoded(upload.image, side)
    data = service.thumbnails.make(sha256, side, content(service, sha256))
    service.metrics.thumbnails.labels("made").inc()
    return data


def _opened(photo: Photo, service: Service) -> int | None:
    try:
        real = os.path.realpath(photo.path)
        if not any(Path(real).is_relative_to(os.path.realpath(root)) for root in service.catalogue().roots()):
            return None
        descriptor = os.open(real, os.O_RDONLY | _CAREFULLY)
    except (OSError, ValueError):
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and (status.st_size, storable(status.st_mtime_ns)) == (photo.bytes, photo.mtime_ns):
        return descriptor
    os.close(descriptor)
    return None


_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A link that was put there just now is not followed, and a named pipe does not block."""
