"""Local binary patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.pixels import (
    cell_sizes,
    cell_votes,
    colour_squares,
    frozen,
    grey_squares,
    in_chunks,
)
from wordsight.protocols import Image

KINDS = ("plain", "uniform", "rotation")
_UNIT = 1 << 20
"""Weights of interpolation are whole numbers of this fraction: sums are exact, so flat places have one code only."""
_MOST_POINTS = 16
_BAND = 1 << 17
"""Pixels at once: fewer and numpy's own time per call counts, more and the sums leave the cache."""
_MANY = 4
"""With so many pixels a code it is cheaper to count plain codes and merge the counts than to rename each pixel's."""


class _Neighbour(NamedTuple):
    """A place on the circle: the pixel above and left of it, from the centre, and the weights of it and the three next.

    ``upper`` weighs that pixel and the one right of it, ``lower`` the two below; all weights sum to _UNIT.
    """

    down: int
    right: int
    upper: tuple[int, int]
    lower: tuple[int, int]


@dataclass(frozen=True)
class Lbp(Described):
    """Local binary patterns (Ojala, Pietikainen and Maenpaa, PAMI 2002): the fine texture of each part.

    A pixel's code says which of ``points`` places on a circle of ``radius`` pixels are at least as bright. ``kind``:
    "plain" counts all codes, "uniform" those with at most two changes around the circle each and the others together
    (Ahonen et al. 2006), "rotation" the former by their number of bright places (Ojala's riu2). Pictures are squeezed
    to ``side`` pixels; each cell of a ``grid`` x ``grid`` raster gets a histogram that sums to 1, of luma or (with
    ``colour``) of each sRGB channel. Outside the picture its edge goes on. Raises ``BadInput``
    for sizes that do not fit.
    """

    name: ClassVar[str] = "lbp"
    side: int = 128
    radius: float = 1.0
    points: int = 8
    kind: str = "uniform"
    grid: int = 4
    colour: bool = False

    def __post_init__(self) -> None:
        self._require(self.kind in KINDS, f"kind to be one of {', '.join(KINDS)}")
        self._require(4 <= self.points <= _MOST_POINTS, f"4 to {_MOST_POINTS} points")
        self._require(0 < self.radius <= self.side, "a radius above 0 and not beyond side")
        self._require(1 <= self.grid <= self.side, "a grid of 1 to side cells")

    @property
    def dim(self) -> int:
        """Length of a row: channels x cells x codes."""
        return (3 if self.colour else 1) * self.grid**2 * self._codes

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32; the histogram of each cell sums to 1."""
        return in_chunks(images, colour_squares if self.colour else grey_squares, self.side, self.dim, self._rows)

    @property
    def _codes(self) -> int:
        kinds = {"plain": 1 << self.points, "uniform": self.points * (self.points - 1) + 3, "rotation": self.points + 2}
        return kinds[self.kind]

    def _rows(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        if self.colour:
            levels = np.moveaxis(levels, -1, 1).reshape(-1, self.side, self.side)
        codes = patterns(levels, self.points, self.radius)
        if self.kind == "plain":
            votes = cell_votes(codes, self.grid, self._codes)
        elif self.side**2 < _MANY * self.grid**2 << self.points:
            votes = cell_votes(_names(self.points, self.kind).take(codes, mode="clip"), self.grid, self._codes)
        else:
            votes = _merged(cell_votes(codes, self.grid, 1 << self.points), _names(self.points, self.kind))
        return votes / cell_sizes(self.side, self.grid)[:, None]


def patterns(levels: NDArray[np.uint8], points: int, radius: float) -> NDArray[np.unsignedinteger]:
    """Return the code of each pixel of (n, h, w) levels: bit i is set where neighbour i is at least as bright.

    Neighbour i lies at i/points of a turn, counted from the right against the clock; between pixels it is interpolated.
    """
    margin = int(np.ceil(radius))
    padded = _with_edges(levels, margin)
    codes = np.empty(levels.shape, np.uint8 if points <= 8 else np.uint16)
    step = max(1, _BAND // max(1, levels[:, 0].size))
    for top in range(0, levels.shape[1], step):
        band = slice(top, top + step)
        seen = padded[:, top : top + step + 2 * margin]
        codes[:, band] = _band_codes(np.ascontiguousarray(seen), points, radius)
    return codes


def _with_edges(levels: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """Return ``np.pad(..., mode="edge")`` of the pictures: that takes longer than their codes where they are small."""
    n, height, width = levels.shape
    padded = np.empty((n, height + 2 * margin, width + 2 * margin), np.uint8)
    padded[:, margin:-margin, margin:-margin] = levels
    padded[:, margin:-margin, :margin] = levels[:, :, :1]
    padded[:, margin:-margin, -margin:] = levels[:, :, -1:]
    padded[:, :margin] = padded[:, margin : margin + 1]
    padded[:, -margin:] = padded[:, -margin - 1 : -margin]
    return padded


def _band_codes(padded: NDArray[np.uint8], points: int, radius: float) -> NDArray[np.unsignedinteger]:
    """Return the codes of (n, height, width) levels without their margins.

    Levels lie in one long line, so a neighbour is a distance in it; what margins get that way is cut off.
    """
    margin = int(np.ceil(radius))
    width = padded.shape[2]
    levels = padded.reshape(-1)
    reach = margin * (width + 1)
    inner = slice(reach, levels.size - reach)
    sums = _Sums(levels, _sums_needed(points, radius))
    threshold = sums[_UNIT, 0][inner]
    between = np.empty(threshold.size, np.int32)
    brighter = np.empty(threshold.size, np.bool_)
    codes = np.zeros((2, levels.size), np.uint8)  # of neighbours 0 to 7 and of the others: bytes are fast
    for place, neighbour in reversed(list(enumerate(_circle(points, radius)))):
        away = neighbour.down * width + neighbour.right
        there = slice(inner.start + away, inner.stop + away)
        below = slice(there.start + width, there.stop + width)
        if neighbour.upper == (_UNIT, 0):
            np.greater_equal(levels[there], levels[inner], out=brighter)
        elif neighbour.lower == (0, 0):
            np.greater_equal(sums[neighbour.upper][there], threshold, out=brighter)
        else:
            np.add(sums[neighbour.upper][there], sums[neighbour.lower][below], out=between)
            np.greater_equal(between, threshold, out=brighter)
        found = codes[place // 8, inner]
        found += found  # a shift to the left
        found |= brighter.view(np.uint8)
    low: NDArray[np.uint8]
    low, high = codes.reshape(2, *padded.shape)[:, :, margin:-margin, margin:-margin]
    if points <= 8:
        return low
    both: NDArray[np.uint16] = low | high.astype(np.uint16) << np.uint16(8)
    return both


class _Sums(dict[tuple[int, int], NDArray[np.int32]]):
    """Weights of a pixel and the next -> their weighted sum at each place; neighbours above and below share them."""

    def __init__(self, levels: NDArray[np.uint8], most: int) -> None:
        super().__init__()
        self._free = iter(np.empty((most, levels.size), np.int32))
        self._levels = next(self._free)
        np.copyto(self._levels, levels)
        self._products: dict[int, NDArray[np.int32]] = {}

    def __missing__(self, weights: tuple[int, int]) -> NDArray[np.int32]:
        self[weights] = self._product(weights[0])
        if weights[1]:
            first, second = self._product(weights[0])[:-1], self._product(weights[1])[1:]
            self[weights] = np.add(first, second, out=next(self._free)[:-1])
        return self[weights]

    def _product(self, weight: int) -> NDArray[np.int32]:
        if weight not in self._products:
            self._products[weight] = np.multiply(self._levels, np.int32(weight), out=next(self._free))
        return self._products[weight]


@lru_cache(maxsize=16)
def _sums_needed(points: int, radius: float) -> int:
    """Return how many arrays ``_Sums`` makes at most: the levels, products and sums of two."""
    pairs = {pair for neighbour in _circle(points, radius) for pair in (neighbour.upper, neighbour.lower)}
    return 2 + len({weight for pair in pairs for weight in pair} | {_UNIT}) + len(pairs)


def _merged(votes: NDArray[np.intp], names: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Return (..., codes) from (..., plain codes): the votes of all plain codes of one name together."""
    order = np.argsort(names, kind="stable")
    return np.add.reduceat(votes[..., order], np.searchsorted(names[order], np.arange(names.max() + 1)), axis=-1)


@lru_cache(maxsize=16)
def _circle(points: int, radius: float) -> tuple[_Neighbour, ...]:
    turns = 2 * np.pi * np.arange(points) / points
    places = np.round(np.column_stack([-radius * np.sin(turns), radius * np.cos(turns)]), 5)
    return tuple(_neighbour(float(down), float(right)) for down, right in places)


def _neighbour(down: float, right: float) -> _Neighbour:
    top, left = int(np.floor(down)), int(np.floor(right))
    lower, further = down - top, right - left
    corner = round(lower * further * _UNIT)
    below, beside = round(lower * _UNIT) - corner, round(further * _UNIT) - corner
    return _Neighbour(top, left, (_UNIT - corner - below - beside, beside), (below, corner))


@lru_cache(maxsize=16)
def _names(points: int, kind: str) -> NDArray[np.uint16]:
    """Return the table plain code -> place in the histogram, numbered as scikit-image does."""
    codes = np.arange(1 << points)
    bits = codes[:, None] >> np.arange(points) & 1
    ones = bits.sum(axis=1)
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    if kind == "rotation":
        return frozen(np.where(uniform, ones, points + 1).astype(np.uint16))
    first_one, first_zero = bits.argmax(axis=1), (1 - bits).argmax(axis=1)
    turned = np.where(first_one == 0, ones - first_zero, points - first_one)
    named = 1 + (ones - 1) * points + turned
    named[ones == 0] = 0
    named[ones == points] = points * (points - 1) + 1
    named[~uniform] = points * (points - 1) + 2
    return frozen(named.astype(np.uint16))
