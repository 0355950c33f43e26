"""Thumbnails that are not there yet: each made once, and that of the first hit before the page asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wordsight.web import pictures
from wordsight.web.service import Service
from wordsight.web.thumbnails import SIDES

_ENOUGH = 0.9  # of the pixels that are filled: the page's rule, thumbnailFor in static/api.js


async def thumbnail(service: Service, sha256: str, side: int) -> bytes:
    """Return a thumbnail, made if need be; raises as ``pictures.thumbnail``, and ``Overloaded``."""
    return await service.drawing.run(
        (sha256, side), lambda: service.slow.run(pictures.thumbnail, service, sha256, side)
    )


def begin(service: Service, hits: Sequence[Mapping[str, Any]], row: int) -> None:
    """Begin the thumbnail of the first hit, for rows ``row`` pixels high, while the answer is on its way.

    Of the first alone, which is seen first, and only where no thread has other work: the page asks in any case.
    """
    if not hits or service.slow.taken:
        return
    sha256, side = hits[0]["sha256"], _side(hits[0]["width"] / hits[0]["height"], row)
    service.drawing.begin((sha256, side), lambda: service.slow.run(pictures.thumbnail, service, sha256, side))


def _side(ratio: float, row: int) -> int:
    """Return the side that a photo in a row is shown with."""
    pixels = row * max(ratio, 1.0) * _ENOUGH
    return next((side for side in SIDES if side >= pixels), SIDES[-1])
