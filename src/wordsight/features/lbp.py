"""Local binary patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.pixels import cell_numbers, cell_sizes, colour_squares, frozen, grey_squares, in_chunks
from wordsight.protocols import Image

KINDS = ("plain", "uniform", "rotation")
_UNIT = 1 << 20
"""Weights of interpolation are whole numbers of this fraction: sums are exact, so flat places have one code only."""
_MOST_POINTS = 16
_PIXELS_AT_ONCE = 1 << 14
"""So that the sums of a band of lines stay in the cache."""
_FEW_POINTS = 8
"""Up to here it is cheaper to count the plain codes and merge the counts than to rename each pixel's code."""


class _Line(NamedTuple):
    """What a neighbour takes of one line of pixels: of the one so far right of the centre and the next."""

    right: int
    weights: tuple[int, int]


class _Neighbour(NamedTuple):
    """A place on the circle: the line so far down of the centre, and the next; all weights sum to _UNIT."""

    down: int
    upper: _Line
    lower: _Line


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
        return in_chunks(images, self.side, self.dim, self._rows)

    @property
    def _codes(self) -> int:
        kinds = {"plain": 1 << self.points, "uniform": self.points * (self.points - 1) + 3, "rotation": self.points + 2}
        return kinds[self.kind]

    def _rows(self, images: Sequence[Image]) -> NDArray[np.float64]:
        if self.colour:
            levels = np.moveaxis(colour_squares(images, self.side), -1, 1).reshape(-1, self.side, self.side)
        else:
            levels = grey_squares(images, self.side)
        codes = patterns(np.ascontiguousarray(levels), self.points, self.radius)
        if self.points > _FEW_POINTS and self.kind != "plain":
            votes = self._counted(_names(self.points, self.kind)[codes], self._codes)
        else:
            votes = self._counted(codes, 1 << self.points)
            votes = votes if self.kind == "plain" else _merged(votes, _names(self.points, self.kind))
        return votes / cell_sizes(self.side, self.grid)[:, None]

    def _counted(self, codes: NDArray[np.uint16], kinds: int) -> NDArray[np.intp]:
        """Return (n, cells, kinds): how often each code below ``kinds`` occurs."""
        slots = self.grid * self.grid * kinds
        place = cell_numbers(self.side, self.grid) * kinds + codes
        place += np.arange(len(codes))[:, None, None] * slots
        return np.bincount(place.ravel(), minlength=len(codes) * slots).reshape(len(codes), -1, kinds)


def patterns(levels: NDArray[np.uint8], points: int, radius: float) -> NDArray[np.uint16]:
    """Return the code of each pixel of (n, h, w) levels: bit i is set where neighbour i is at least as bright.

    Neighbour i lies at i/points of a turn, counted from the right against the clock; between pixels it is interpolated.
    """
    margin = int(np.ceil(radius))
    padded = np.pad(levels, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    codes = np.empty(levels.shape, np.uint16)
    step = max(1, _PIXELS_AT_ONCE // max(1, levels[:, 0].size))
    for top in range(0, levels.shape[1], step):
        band = slice(top, top + step)
        codes[:, band] = _band_codes(levels[:, band], padded[:, top : top + step + 2 * margin], points, radius)
    return codes


def _band_codes(levels: NDArray[np.uint8], padded: NDArray[np.uint8], points: int, radius: float) -> NDArray[np.uint16]:
    margin = int(np.ceil(radius))
    height, width = levels.shape[1:]
    wide, threshold = padded.astype(np.int32), levels * np.int32(_UNIT)
    lines: dict[_Line, NDArray[np.int32]] = {}  # neighbours above and below, left and right share them
    codes = np.zeros(levels.shape, np.uint16)
    for bit, neighbour in enumerate(_circle(points, radius)):
        top, left = margin + neighbour.down, margin + neighbour.upper.right
        if neighbour.upper.weights == (_UNIT, 0):
            brighter = padded[:, top : top + height, left : left + width] >= levels
        else:
            value = _interpolated(lines, wide, neighbour.upper, width)[:, top : top + height]
            if any(neighbour.lower.weights):
                value = value + _interpolated(lines, wide, neighbour.lower, width)[:, top + 1 : top + 1 + height]
            brighter = value >= threshold
        codes |= brighter.astype(np.uint16) << np.uint16(bit)
    return codes


def _interpolated(
    lines: dict[_Line, NDArray[np.int32]], wide: NDArray[np.int32], line: _Line, width: int
) -> NDArray[np.int32]:
    """Return (n, padded height, width): each pixel's weighted sum of two of its own line; kept in ``lines``."""
    if line not in lines:
        left = (wide.shape[2] - width) // 2 + line.right
        total = wide[:, :, left : left + width] * np.int32(line.weights[0])
        if line.weights[1]:
            total += wide[:, :, left + 1 : left + 1 + width] * np.int32(line.weights[1])
        lines[line] = total
    return lines[line]


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
    upper_line = _Line(left, (_UNIT - corner - below - beside, beside))
    return _Neighbour(top, upper_line, _Line(left, (below, corner)))


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
