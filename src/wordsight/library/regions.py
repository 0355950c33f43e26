"""Regions: overlapping parts of a picture that get vectors of their own, so that small objects are found.

docs/regions.md tells how many and how large they are, why, and what they bring and cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import CatalogueError
from wordsight.protocols import Image
from wordsight.types import Box, Embeddings

LAYOUT = "half, quincunx"
"""Name of the present layout: regions of another are made anew."""

LEAST_SIDE = 160
"""Pixels of the shorter side below which a picture has no regions: enlarged parts of thumbnails show nothing new."""

Boxes: TypeAlias = NDArray[np.uint16]
"""(r, 4): left, top, right, bottom in 65535ths of the upright picture's width and height."""

_SIDE = 0.5
_MOST_COLUMNS = 11  # 3 x 11 - 1 = 32 regions
_UNIT = 65535


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Parts of one picture and their vectors, (r, dim)."""

    boxes: Boxes
    vectors: Embeddings


def layout(width: int, height: int) -> Boxes:
    """Return the boxes of a picture's regions; none for a small one.

    They are squares of half the shorter side: in the corners and in the centre, like the five of a die. A picture of
    more than twice as long as wide gets further columns, one for each time that the shorter side goes into the longer.
    """
    short, long = sorted((width, height))
    if short < LEAST_SIDE:
        return np.empty((0, 4), np.uint16)
    columns = min(max(2, math.ceil(long / short)), _MOST_COLUMNS)
    outer = [(place / (columns - 1), edge) for place in range(columns) for edge in (0, 1)]
    inner = [((place + 0.5) / (columns - 1), 0.5) for place in range(columns - 1)]
    places = np.asarray([*outer, *inner])  # of the way along the longer and the shorter side
    if height > width:
        places = places[:, ::-1]
    size = _SIDE * short / np.asarray([width, height])
    corners = places * (1 - size)
    return np.asarray(np.rint(np.hstack([corners, corners + size]) * _UNIT), np.uint16)


def cut(image: Image, boxes: Boxes) -> list[Image]:
    """Return the parts of a picture, which may be smaller than the original."""
    return [image.crop(in_pixels(box, image.width, image.height)[:4]) for box in boxes]


def in_pixels(box: NDArray[np.uint16], width: int, height: int) -> Box:
    """Return one box in pixels of a picture of this size; it holds at least one."""
    left, top, right, bottom = (round(int(f) * side / _UNIT) for f, side in zip(box, (width, height) * 2, strict=True))
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def pack_boxes(boxes: Boxes) -> bytes:
    """Return the boxes as the catalogue stores them."""
    return boxes.astype("<u2").tobytes()


def unpack_boxes(blob: bytes) -> Boxes:
    """Return stored boxes, (r, 4); raises ``CatalogueError`` for damaged ones."""
    if len(blob) % 8:
        raise CatalogueError("the catalogue holds damaged regions: move it away and index again")
    return np.frombuffer(blob, "<u2").reshape(-1, 4).astype(np.uint16)
