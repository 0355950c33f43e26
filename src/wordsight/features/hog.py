"""Histograms of oriented gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.gradients import (
    bins_and_lengths,
    gradient_codes,
    magnitudes,
    orientation_bins,
    orientation_planes,
    strongest,
)
from wordsight.features.pixels import colour_squares, frozen, grey_squares, in_chunks
from wordsight.features.pooling import pooled
from wordsight.protocols import Image

_EPSILON = 1e-5
_CLIP = 0.2


@dataclass(frozen=True)
class Hog(Described):
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005): where edges run in which direction.

    Pictures are squeezed to ``side`` pixels; each ``cell`` x ``cell`` square gets a histogram of ``bins`` directions
    over half a turn (a whole one when ``signed``); each square of ``block`` x ``block`` cells is normalised by L2-Hys.
    With ``soft`` a pixel's vote is shared between neighbouring cells and directions, as in the paper; without, it
    equals ``skimage.feature.hog`` to rounding. ``colour``: each pixel's strongest channel instead of luma.
    Values lie in [0, 1]. Raises ``BadInput`` for sizes that do not fit.
    """

    name: ClassVar[str] = "hog"
    side: int = 128
    cell: int = 16
    block: int = 2
    bins: int = 9
    signed: bool = False
    soft: bool = True
    colour: bool = False

    def __post_init__(self) -> None:
        self._require(min(self.cell, self.block, self.bins) >= 1, "cell, block and bins of at least 1")
        self._require(self.bins <= 180, "at most 180 bins")
        self._require(self.side // self.cell >= self.block, "a side of at least cell x block pixels")

    @property
    def dim(self) -> int:
        """Length of a row: blocks down x blocks across x cells of a block x bins."""
        blocks = self._cells - self.block + 1
        return blocks * blocks * self.block * self.block * self.bins

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [0, 1]."""
        return in_chunks(images, colour_squares if self.colour else grey_squares, self.side, self.dim, self._rows)

    @property
    def _cells(self) -> int:
        return self.side // self.cell

    def _rows(self, levels: NDArray[np.uint8]) -> Vectors:
        if not (self.colour or self.soft or self.signed):
            return self._blocks(self._counted(*bins_and_lengths(levels, self.bins)))
        if self.colour:
            codes = strongest(np.moveaxis(gradient_codes(np.moveaxis(levels, -1, 1)), 1, -1))
        else:
            codes = gradient_codes(levels)
        if self.soft:
            return self._blocks(self._shared(codes))
        bins = orientation_bins(self.bins, self.signed)
        return self._blocks(self._counted(bins.take(codes, mode="clip"), magnitudes().take(codes, mode="clip")))

    def _counted(self, directions: NDArray[np.uint8], lengths: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (cells, cells, bins, n): each pixel votes for one cell and one bin."""
        across, n = self._cells * self.cell, len(directions)
        if across < directions.shape[1]:
            directions, lengths = directions[:, :across, :across], lengths[:, :across, :across]
        slots = self._cells**2 * self.bins
        place = np.empty(directions.shape, np.intp)
        np.add(directions, _first_slots(self._cells, self.cell, self.bins), out=place)
        if n > 1:
            place += np.arange(0, n * slots, slots)[:, None, None]
        votes = np.bincount(place.reshape(-1), lengths.reshape(-1), n * slots).reshape(n, slots)
        means = np.multiply(votes, 1 / self.cell**2, out=np.empty(votes.shape, np.float32), casting="same_kind")
        return np.ascontiguousarray(means.T).reshape(self._cells, self._cells, self.bins, n)

    def _shared(self, codes: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return (cells, cells, bins, n): each pixel votes for the two closest cells each way and two bins."""
        planes = orientation_planes(codes, self.bins, self.signed)
        cells = pooled(planes, tuple((i + 0.5) * self.cell for i in range(self._cells)), self.cell)
        return np.ascontiguousarray(cells.transpose(2, 3, 1, 0))

    def _blocks(self, cells: NDArray[np.float32]) -> Vectors:
        """Return (n, dim): overlapping blocks of (cells, cells, bins, n), each normalised by L2-Hys.

        Pictures come last, so that every step is one over many neighbouring numbers, however small the pictures are.
        Sums are taken in one order, however many pictures there are.
        """
        n, across = cells.shape[-1], self._cells - self.block + 1
        offsets = [(down, right) for down in range(self.block) for right in range(self.block)]
        energy = _total(np.moveaxis(cells * cells, 2, 0))
        length = _length([energy[down : down + across, right : right + across] for down, right in offsets])
        # To clip a value at a share of the length and divide it later is one step less over all values.
        limit = (length * np.float32(_CLIP))[:, :, None]
        blocks = np.empty((across, across, self.block, self.block, self.bins, n), np.float32)
        for down, right in offsets:
            part = cells[down : down + across, right : right + across]
            np.minimum(part, limit, out=blocks[:, :, down, right])
        squares = np.multiply(blocks, blocks, out=np.empty(blocks.shape, np.float32))
        of_bins = _total([squares[:, :, down, right] for down, right in offsets])
        clipped = _total(np.moveaxis(of_bins, 2, 0)) / (length * length)
        blocks *= (1 / (_length([clipped]) * length))[:, :, None, None, None]
        return blocks.reshape(-1, n).T


def _length(squares: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = _total(squares)
    total += np.float32(_EPSILON**2)
    return np.sqrt(total, out=total)


def _total(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the sum of the arrays, added one after the other."""
    first, *others = parts
    total = first.copy()
    for part in others:
        total += part
    return total


@lru_cache(maxsize=16)
def _first_slots(cells: int, cell: int, bins: int) -> NDArray[np.intp]:
    line = np.arange(cells * cell) // cell
    return frozen((line[:, None] * cells + line) * bins)
