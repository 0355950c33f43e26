"""Local binary patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.pixels import cell_numbers, colour_squares, frozen, grey_squares, in_chunks
from wordsight.protocols import Image

KINDS = ("plain", "uniform", "rotation")
_UNIT = 1 << 20
"""Weights of interpolation are whole numbers of this fraction: sums are exact, so flat places have one code only."""
_MOST_POINTS = 16


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
        if self.kind != "plain":
            codes = _names(self.points, self.kind)[codes]
        cells = cell_numbers(self.side, self.grid)
        slots = self.grid**2 * self._codes
        place = cells * self._codes + codes + np.arange(len(codes))[:, None, None] * slots
        votes = np.bincount(place.ravel(), minlength=len(codes) * slots).reshape(-1, self.grid**2, self._codes)
        return votes / np.bincount(cells.ravel())[:, None]


def patterns(levels: NDArray[np.uint8], points: int, radius: float) -> NDArray[np.uint16]:
    """Return the code of each pixel of (n, h, w) levels: bit i is set where neighbour i is at least as bright.

    Neighbour i lies at i/points of a turn, counted from the right against the clock; between pixels it is interpolated.
    """
    margin = int(np.ceil(radius))
    padded = np.pad(levels, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    wide = padded.astype(np.int32)
    scaled = levels.astype(np.int32) * np.int32(_UNIT)
    codes = np.zeros(levels.shape, np.uint16)
    for bit, taps in enumerate(_circle(points, radius)):
        if len(taps) == 1:
            brighter = _shifted(padded, taps[0], margin, levels.shape) >= levels
        else:
            value = _shifted(wide, taps[0], margin, levels.shape) * np.int32(taps[0][2])
            for tap in taps[1:]:
                value += _shifted(wide, tap, margin, levels.shape) * np.int32(tap[2])
            brighter = value >= scaled
        codes |= brighter.astype(np.uint16) << np.uint16(bit)
    return codes


def _shifted(
    padded: NDArray[np.integer], tap: tuple[int, int, int], margin: int, shape: tuple[int, ...]
) -> NDArray[np.integer]:
    down, right, _ = tap
    top, left = margin + down, margin + right
    return padded[:, top : top + shape[1], left : left + shape[2]]


@lru_cache(maxsize=16)
def _circle(points: int, radius: float) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """Return for each neighbour the pixels it is interpolated from: rows down, columns right, weight (sum: _UNIT)."""
    turns = 2 * np.pi * np.arange(points) / points
    places = np.round(np.column_stack([-radius * np.sin(turns), radius * np.cos(turns)]), 5)
    return tuple(_taps(float(down), float(right)) for down, right in places)


def _taps(down: float, right: float) -> tuple[tuple[int, int, int], ...]:
    top, left = int(np.floor(down)), int(np.floor(right))
    lower, further = down - top, right - left
    corner = round(lower * further * _UNIT)
    below, beside = round(lower * _UNIT) - corner, round(further * _UNIT) - corner
    taps = (
        (top, left, _UNIT - corner - below - beside),
        (top, left + 1, beside),
        (top + 1, left, below),
        (top + 1, left + 1, corner),
    )
    return tuple(tap for tap in taps if tap[2])


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
