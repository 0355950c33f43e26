"""Pictures as arrays: grey or colour squares of one size, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.features.base import Vectors
from wordsight.memory import keep_large_arrays
from wordsight.protocols import Image

Table = TypeVar("Table", bound=NDArray[Any])
Made = TypeVar("Made")

PIXELS_AT_ONCE = 1 << 17
"""Large enough that numpy's own time per call hardly counts, small enough to stay in the processor's last cache."""
_PIXELS_READ = 1 << 22
"""12 MB in colour."""
_MANY = 8
"""From so many pictures at once on, rows are laid out with the pictures last, as ``Hog`` makes them."""


class Batch(Sequence[Image]):
    """Pictures that several statistics look at in turn: their pixels are turned into numbers once. For one thread."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images
        self._made: dict[tuple[Callable[[Sequence[Image], int], Any], int], Any] = {}

    @overload
    def __getitem__(self, place: int) -> Image: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Image]: ...
    def __getitem__(self, place: int | slice) -> Image | Sequence[Image]:
        return self._images[place]

    def __len__(self) -> int:
        return len(self._images)

    def once(self, make: Callable[[Sequence[Image], int], Made], side: int) -> Made:
        """Return ``make(images, side)``, from the second time on what it gave at first."""
        if (make, side) not in self._made:
            self._made[make, side] = make(self, side)
        made: Made = self._made[make, side]
        return made


def once(images: Sequence[Image], make: Callable[[Sequence[Image], int], Made], side: int) -> Made:
    """Return ``make(images, side)``, which a ``Batch`` remembers."""
    return images.once(make, side) if isinstance(images, Batch) else make(images, side)


def grey_squares(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side): luma (ITU-R 601), squeezed to a square with anti-aliasing."""
    if all(image.size == (side, side) for image in images):
        return _levels(once(images, _column, side).convert("L"), side)
    return _levels(_column([_squeezed(image.convert("L"), side) for image in images], side), side)


def colour_squares(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side, 3): sRGB, squeezed to a square with anti-aliasing."""
    if all(image.size == (side, side) for image in images):
        return _levels(once(images, _column, side), side)
    return _levels(_column([_squeezed(image.convert("RGB"), side) for image in images], side), side)


def grey_framed(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """Return (n, side, side): luma at its own proportions, centred on black (for measures of shape)."""
    return _levels(_column([_framed(image.convert("L"), side) for image in images], side), side)


def grey_fitted(image: Image, side: int) -> NDArray[np.uint8]:
    """Return (h, w): luma at its own proportions, the longest side ``side`` pixels."""
    return np.asarray(_fitted(image.convert("L"), side))


def grey_shrunk(image: Image, side: int) -> NDArray[np.uint8]:
    """Return (h, w): luma at its own proportions, the longest side at most ``side`` pixels."""
    return np.asarray(_fitted(image.convert("L"), min(side, max(image.size))))


def in_chunks(
    images: Sequence[Image],
    read: Callable[[Sequence[Image], int], NDArray[np.uint8]],
    side: int,
    dim: int,
    rows: Callable[[NDArray[np.uint8]], NDArray[np.floating]],
) -> Vectors:
    """Return (n, dim) float32 of ``rows``, called with what ``read`` makes of as many pictures as fit the cache."""
    keep_large_arrays()
    step, together = (max(1, pixels // (side * side)) for pixels in (PIXELS_AT_ONCE, _PIXELS_READ))
    found = np.empty((len(images), dim), np.float32, order="C" if step < _MANY else "F")
    for first in range(0, len(images), together):
        levels = once(images if len(images) <= together else images[first : first + together], read, side)
        for start in range(0, len(levels), step):
            part = levels[start : start + step]
            if len(part) == len(images):
                return np.asarray(rows(part).reshape(len(part), dim), np.float32)
            found[first + start : first + start + len(part)] = rows(part).reshape(len(part), dim)
    return found


@lru_cache(maxsize=32)
def cell_numbers(side: int, grid: int) -> NDArray[np.intp]:
    """Return (side, side): which cell of a ``grid`` x ``grid`` raster each pixel lies in, row by row."""
    line = np.arange(side) * grid // side
    return frozen(line[:, None] * grid + line)


def cell_votes(kinds: NDArray[np.integer], grid: int, known: int) -> NDArray[np.intp]:
    """Return (n, cells, known) of (n, side, side): how often each kind, from 0, occurs in each cell of the raster."""
    slots = grid * grid * known
    place = np.empty(kinds.shape, np.intp)
    if grid > 1:
        np.add(kinds, _first_votes(kinds.shape[1], grid, known), out=place)
    else:
        np.copyto(place, kinds)
    if len(kinds) > 1:
        place += np.arange(0, len(kinds) * slots, slots)[:, None, None]
    return np.bincount(place.reshape(-1), minlength=len(kinds) * slots).reshape(len(kinds), -1, known)


@lru_cache(maxsize=32)
def _first_votes(side: int, grid: int, known: int) -> NDArray[np.intp]:
    return frozen(cell_numbers(side, grid) * known)


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


def _column(images: Sequence[Image], side: int) -> Image:
    """Return the squares one below the other: one picture costs much less to convert than many small ones."""
    if len(images) == 1:
        return images[0]
    column = PILImage.new(images[0].mode if images else "RGB", (side, side * len(images)))
    for place, image in enumerate(images):
        column.paste(image, (0, side * place))
    return column


def _levels(column: Image, side: int) -> NDArray[np.uint8]:
    levels = np.asarray(column)
    return levels.reshape(-1, side, side, *levels.shape[2:])
