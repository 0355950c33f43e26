"""What colours a picture has: histograms with a spatial pyramid, and moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.colourspace import SPACES, coarse_codes, coarse_values, converted
from wordsight.features.pixels import cell_votes, colour_squares, frozen, in_chunks
from wordsight.protocols import Image

_MOST_BINS = 1 << 14


@dataclass(frozen=True)
class ColourHistogram(Described):
    """Colour histograms (Swain and Ballard, IJCV 1991) with a spatial pyramid (Lazebnik et al., CVPR 2006).

    ``space`` "hsv" or "oklab" (Ottosson 2020, perceptual), its three axes cut into ``first`` x ``second`` x ``third``
    bins (hue x saturation x value, or lightness x a x b). Level l of the ``levels`` of the pyramid has 2^l x 2^l cells,
    each with a histogram of its own, weighted as in the pyramid match kernel: with L = levels - 1,
    level 0 counts 1/2^L and level l > 0 counts 1/2^(L-l+1), spread evenly over its cells, so a row sums to 1. Colours
    are read to 6 bits a channel. Raises ``BadInput`` for sizes that do not fit.
    """

    name: ClassVar[str] = "colour"
    side: int = 64
    space: str = "hsv"
    first: int = 12
    second: int = 4
    third: int = 4
    levels: int = 2

    def __post_init__(self) -> None:
        self._require(self.space in SPACES, f"space to be one of {', '.join(SPACES)}")
        self._require(min(self.first, self.second, self.third) >= 1, "at least 1 bin an axis")
        self._require(self._colours <= _MOST_BINS, f"at most {_MOST_BINS} bins")
        self._require(
            self.levels >= 1 and 2 ** (self.levels - 1) <= self.side, "1 level or more, cells of a pixel or more"
        )

    @property
    def dim(self) -> int:
        """Length of a row: cells of all levels x bins."""
        return ((1 << 2 * self.levels) - 1) // 3 * self._colours

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [0, 1], each row summing to 1."""
        return in_chunks(images, colour_squares, self.side, self.dim, self._rows)

    @property
    def _colours(self) -> int:
        return self.first * self.second * self.third

    def _rows(self, levels: NDArray[np.uint8]) -> Vectors:
        bins = _bin_table(self.space, (self.first, self.second, self.third))
        finest = 2 ** (self.levels - 1)
        votes = cell_votes(bins.take(coarse_codes(levels), mode="clip"), finest, self._colours)
        return self._pyramid(votes.reshape(len(levels), finest, finest, self._colours).astype(np.float32))

    def _pyramid(self, votes: NDArray[np.float32]) -> Vectors:
        """Return (n, dim) from the counts in the finest cells: coarser levels are sums of four."""
        parts: list[NDArray[np.float32]] = []
        for level in reversed(range(self.levels)):
            weight = 2.0 ** -(self.levels - max(level, 1)) if self.levels > 1 else 1.0
            shares = votes / np.maximum(votes.sum(axis=-1, keepdims=True), 1)
            parts.append((shares * np.float32(weight / 4**level)).reshape(len(votes), -1))
            if level:
                half = 2 ** (level - 1)
                votes = votes.reshape(len(votes), half, 2, half, 2, -1).sum(axis=(2, 4))
        return np.concatenate(parts[::-1], axis=1)


@dataclass(frozen=True)
class ColourMoments(Described):
    """Colour moments (Stricker and Orengo, SPIE 1995): mean, deviation and skewness of each part's channels.

    Each cell of a ``grid`` x ``grid`` raster gives three numbers for each axis of ``space`` ("hsv", all in [0, 1]; or
    "oklab"): mean, standard deviation, cube root of the third central moment. ``side`` is a multiple of ``grid``.
    """

    name: ClassVar[str] = "moments"
    side: int = 64
    space: str = "oklab"
    grid: int = 4

    def __post_init__(self) -> None:
        self._require(self.space in SPACES, f"space to be one of {', '.join(SPACES)}")
        self._require(self.grid >= 1 and self.side >= 1 and self.side % self.grid == 0, "side to be a multiple of grid")

    @property
    def dim(self) -> int:
        """Length of a row: cells x 3 axes x 3 moments."""
        return self.grid**2 * 9

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [-1, 1]."""
        return in_chunks(images, colour_squares, self.side, self.dim, self._rows)

    def _rows(self, levels: NDArray[np.uint8]) -> Vectors:
        values = converted(levels, self.space)
        cell = self.side // self.grid
        cells = values.reshape(len(values), self.grid, cell, self.grid, cell, 3).transpose(0, 1, 3, 5, 2, 4)
        flat = cells.reshape(len(values), self.grid**2, 3, cell * cell)
        mean = flat.mean(axis=-1, keepdims=True)
        off = flat - mean
        square = off * off
        spread = np.sqrt(square.mean(axis=-1))
        skew = np.cbrt((square * off).mean(axis=-1))
        return np.stack([mean[..., 0], spread, skew], axis=-1)


@lru_cache(maxsize=16)
def _bin_table(space: str, bins: tuple[int, int, int]) -> NDArray[np.uint16]:
    """Return the table coarse colour -> bin; the axes' ranges are cut evenly."""
    low, high = SPACES[space]
    share = (coarse_values(space) - low) / (np.asarray(high) - low)
    place = np.clip((share * bins).astype(np.int64), 0, np.asarray(bins) - 1)
    return frozen(((place[:, 0] * bins[1] + place[:, 1]) * bins[2] + place[:, 2]).astype(np.uint16))
