"""Regions: overlapping parts of a picture that get vectors of their own, so that small objects are found.

docs/regions.md tells how many and how large they are, why, and what they bring and cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import CatalogueError
from wordsight.protocols import Image
from wordsight.types import Box, Embeddings

LAYOUT = "corners and centre, 0.6"
"""Name of the present layout: regions of another are made anew."""

LEAST_SIDE = 128
"""Pixels of the shorter side below which a picture has no regions: enlarged parts of thumbnails show nothing new."""

_SIDE = 0.6
_PLACES = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0))  # of the way from the left and from the top
_UNIT = 65535


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Parts of one picture: ``boxes`` (r, 4) uint16, left, top, right, bottom in 65535ths, ``vectors`` (r, dim)."""

    boxes: NDArray[np.uint16]
    vectors: Embeddings


def layout(width: int, height: int) -> NDArray[np.uint16]:
    """Return the boxes of a picture's regions, (r, 4), in 65535ths of its width and height; none for a small one."""
    short = min(width, height)
    if short < LEAST_SIDE:
        return np.empty((0, 4), np.uint16)
    x, y = _SIDE * short / width, _SIDE * short / height
    boxes = [(a * (1 - x), b * (1 - y), a * (1 - x) + x, b * (1 - y) + y) for a, b in _PLACES]
    return np.asarray(np.rint(np.asarray(boxes) * _UNIT), np.uint16)


def cut(image: Image, boxes: NDArray[np.uint16]) -> list[Image]:
    """Return the parts of a picture, which may be smaller than the original."""
    return [image.crop(in_pixels(box, image.width, image.height)[:4]) for box in boxes]


def in_pixels(box: NDArray[np.uint16], width: int, height: int) -> Box:
    """Return one box in pixels of a picture of this size; it holds at least one."""
    left, top, right, bottom = (round(int(f) * side / _UNIT) for f, side in zip(box, (width, height) * 2, strict=True))
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def pack_boxes(boxes: NDArray[np.uint16]) -> bytes:
    """Return the boxes as the catalogue stores them."""
    return boxes.astype("<u2").tobytes()


def unpack_boxes(blob: bytes) -> NDArray[np.uint16]:
    """Return stored boxes, (r, 4); raises ``CatalogueError`` for damaged ones."""
    if len(blob) % 8:
        raise CatalogueError("the catalogue holds damaged regions: move it away and index again")
    return np.frombuffer(blob, "<u2").reshape(-1, 4).astype(np.uint16)
