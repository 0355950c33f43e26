"""Which way edges run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.gradients import gradient_codes, magnitudes, orientation_bins
from wordsight.features.pixels import cell_numbers, cell_sizes, grey_squares, in_chunks
from wordsight.protocols import Image


@dataclass(frozen=True)
class Edges(Described):
    """Edge-orientation histogram (Jain and Vailaya, Pattern Recognition 1996): how many edges run which way.

    A pixel is an edge where its central difference is at least ``threshold`` of 255 levels long. For each cell of a
    ``grid`` x ``grid`` raster: the edges' directions in ``bins`` parts of a whole turn (half a turn unless ``signed``),
    summing to 1 where there is an edge, then the share of pixels that are edges. Values lie in [0, 1].
    """

    name: ClassVar[str] = "edges"
    side: int = 128
    grid: int = 4
    bins: int = 12
    threshold: float = 30.0
    signed: bool = False

    def __post_init__(self) -> None:
        self._require(1 <= self.grid <= self.side, "a grid of 1 to side cells")
        self._require(1 <= self.bins <= 180, "1 to 180 bins")
        self._require(self.threshold > 0, "a threshold above 0")

    @property
    def dim(self) -> int:
        """Length of a row: cells x (bins + 1)."""
        return self.grid * self.grid * (self.bins + 1)

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [0, 1]."""
        return in_chunks(images, grey_squares, self.side, self.dim, self._rows)

    def _rows(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        codes = gradient_codes(levels)
        cells = cell_numbers(self.side, self.grid)
        slots = self.grid * self.grid * self.bins
        place = cells * self.bins + orientation_bins(self.bins, self.signed).take(codes, mode="clip")
        place += np.arange(len(codes))[:, None, None] * slots
        edges = magnitudes().take(codes, mode="clip") >= self.threshold
        votes = np.bincount(place[edges], minlength=len(codes) * slots).reshape(len(codes), -1, self.bins)
        counts = votes.sum(axis=-1, keepdims=True)
        share = counts / cell_sizes(self.side, self.grid)[:, None]
        return np.concatenate([votes / np.maximum(counts, 1), share], axis=-1)
