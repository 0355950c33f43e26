"""Pictures as arrays: grey or colour squares of one size, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.features.base import Vectors
from wordsight.protocols import Image

Table = TypeVar("Table", bound=NDArray[Any])

PIXELS_AT_ONCE = 1 << 14
"""Large enough that numpy's own time per call does not count, small enough to stay in the cache of a core."""


def grey_squares(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side): luma (ITU-R 601), squeezed to a square with anti-aliasing."""
    return _stacked([_squeezed(image.convert("L"), side) for image in images], (side, side))


def colour_squares(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side, 3): sRGB, squeezed to a square with anti-aliasing."""
    return _stacked([_squeezed(image.convert("RGB"), side) for image in images], (side, side, 3))


def grey_framed(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side): luma at its own proportions, centred on black (for measures of shape)."""
    return _stacked([_framed(image.convert("L"), side) for image in images], (side, side))


def grey_fitted(image: Image, side: int) -> NDArray[np.uint8]:
    """Return (h, w): luma at its own proportions, the longest side ``side`` pixels."""
    return np.asarray(_fitted(image.convert("L"), side))


def grey_shrunk(image: Image, side: int) -> NDArray[np.uint8]:
    """Return (h, w): luma at its own proportions, the longest side at most ``side`` pixels."""
    return np.asarray(_fitted(image.convert("L"), min(side, max(image.size))))


def in_chunks(
    images: Sequence[Image], side: int, dim: int, rows: Callable[[Sequence[Image]], NDArray[np.floating]]
) -> Vectors:
    """Return (n, dim) float32 of ``rows``, called with as many pictures as fit the cache at ``side`` pixels."""
    step = max(1, PIXELS_AT_ONCE // (side * side))
    found = np.empty((len(images), dim), np.float32)
    for start in range(0, len(images), step):
        part = images[start : start + step]
        found[start : start + step] = rows(part).reshape(len(part), dim)
    return found


@lru_cache(maxsize=32)
def cell_numbers(side: int, grid: int) -> NDArray[np.intp]:
    """Return (side, side): which cell of a ``grid`` x ``grid`` raster each pixel lies in, row by row."""
    line = np.arange(side) * grid // side
    return frozen(line[:, None] * grid + line)


@lru_cache(maxsize=32)
def cell_sizes(side: int, grid: int) -> NDArray[np.intp]:
    """Return (cells,): how many pixels each cell of ``cell_numbers`` has."""
    return frozen(np.bincount(cell_numbers(side, grid).ravel()))


def frozen(table: Table) -> Table:
    """Return the same array, made read-only: it is kept and shared between threads."""
    table.flags.writeable = False
    return table


def _squeezed(image: Image, side: int) -> Image:
    if image.size == (side, side):
        return image
    return image.resize((side, side), PILImage.Resampling.BILINEAR, reducing_gap=2.0)


def _framed(image: Image, side: int) -> Image:
    image = _fitted(image, side)
    if image.size == (side, side):
        return image
    frame = PILImage.new(image.mode, (side, side))
    frame.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return frame


def _fitted(image: Image, side: int) -> Image:
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    if (width, height) == image.size:
        return image
    return image.resize((width, height), PILImage.Resampling.BILINEAR, reducing_gap=2.0)


def _stacked(pictures: Sequence[Image], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(p) for p in pictures]) if pictures else np.empty((0, *shape), np.uint8)
