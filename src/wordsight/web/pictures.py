"""Photos for the routes: asked for by content alone, opened only where the catalogue or the store says they lie."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, BinaryIO

from wordsight.errors import ImageError
from wordsight.images import FILE_LIMIT
from wordsight.web.gallery import NotServed, Photo
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


def photos(service: Service, sha256: str) -> list[Photo]:
    """Return the files with this content in the folders that are served, by path."""
    return service.gallery.photos(sha256, service.scope)


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


def opened(service: Service, sha256: str) -> tuple[BinaryIO, Photo]:
    """Return an open file with this content, for the caller to close.

    It must be what was indexed. Raises ``NotServed``.
    """
    problem = NotServed(f"no picture {sha256[:12]}... is served here")
    for photo in photos(service, sha256):
        try:
            return service.gallery.opened(photo), photo
        except NotServed as error:
            problem = error
    raise problem


def content(service: Service, sha256: str) -> bytes:
    """Return the bytes of a photo; raises as ``opened``, and ``ImageError`` where they cannot be read."""
    file, photo = opened(service, sha256)
    try:
        with file:
            return file.read(FILE_LIMIT)
    except OSError as error:
        raise ImageError(f"{photo.path.name!r}: cannot be read: {error.strerror}") from error


def cached_thumbnail(service: Service, sha256: str, side: int) -> bytes | None:
    """Return a thumbnail that is there already; raises ``NotServed``."""
    service.ahead.asked(side)
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
    known = service.thumbnails.find(sha256, side)
    if known is not None:
        return known
    data = service.thumbnails.make(sha256, side, content(service, sha256))
    service.metrics.thumbnails.labels("made").inc()
    return data


def make_thumbnails(service: Service, sha256: str, sides: Collection[int]) -> None:
    """Keep thumbnails of a photo that nobody has asked for yet. Raises ``NotServed`` and ``ImageError``."""
    service.thumbnails.make_ahead(sha256, sides, content(service, sha256))
    service.metrics.thumbnails.labels("ahead").inc(len(sides))
