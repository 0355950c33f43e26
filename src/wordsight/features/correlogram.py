"""Which colours lie beside themselves: the colour auto-correlogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.pixels import colour_squares, frozen, in_chunks
from wordsight.protocols import Image

_OUTSIDE = 255
_MOST_BINS = 6


@dataclass(frozen=True)
class Correlogram(Described):
    """Colour auto-correlogram (Huang, Kumar, Mitra, Zhu and Zabih, CVPR 1997).

    For each of ``bins``^3 sRGB colours and each distance 1, 3, 5, ... (``reach`` of them): how likely a pixel that far
    (in the larger of both directions) from one of that colour has it too; 0 for a colour that does not occur. The
    paper's 64 colours and distances 1, 3, 5, 7 are the default. Neighbours outside the picture do not count.
    Values lie in [0, 1]. Raises ``BadInput`` for sizes that do not fit.
    """

    name: ClassVar[str] = "correlogram"
    side: int = 64
    bins: int = 4
    reach: int = 4

    def __post_init__(self) -> None:
        self._require(1 <= self.bins <= _MOST_BINS, f"1 to {_MOST_BINS} bins a channel")
        self._require(self.reach >= 1 and self.side >= 2 * self.reach, "a reach of 1 or more, and a side twice that")

    @property
    def dim(self) -> int:
        """Length of a row: distances x colours."""
        return self.reach * self._colours

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [0, 1]."""
        return in_chunks(images, colour_squares, self.side, self.dim, self._rows)

    @property
    def _colours(self) -> int:
        return self.bins * self.bins * self.bins

    def _rows(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        bands = (np.arange(256) * self.bins // 256).astype(np.uint8)[levels]
        colours = (bands[..., 0] * np.uint8(self.bins) + bands[..., 1]) * np.uint8(self.bins) + bands[..., 2]
        rings = [2 * i + 1 for i in range(self.reach)]
        padded = np.pad(colours, ((0, 0), (rings[-1], rings[-1]), (rings[-1], rings[-1])), constant_values=_OUTSIDE)
        place = (colours + np.arange(len(colours))[:, None, None] * self._colours).ravel()
        slots = len(colours) * self._colours
        found = []
        for ring in rings:
            alike = _alike(colours, padded, rings[-1], ring)
            there = np.broadcast_to(_neighbours(self.side, ring), colours.shape)
            pairs = np.bincount(place, alike.ravel(), slots) / np.maximum(np.bincount(place, there.ravel(), slots), 1)
            found.append(pairs.reshape(-1, self._colours))
        return np.concatenate(found, axis=1)


def _alike(colours: NDArray[np.uint8], padded: NDArray[np.uint8], margin: int, ring: int) -> NDArray[np.uint16]:
    """Return how many of each pixel's neighbours at distance ``ring`` have its colour."""
    height, width = colours.shape[1:]
    alike = np.zeros(colours.shape, np.uint16)
    for down, right in _ring(ring):
        top, left = margin + down, margin + right
        alike += padded[:, top : top + height, left : left + width] == colours
    return alike


def _ring(distance: int) -> list[tuple[int, int]]:
    """Return the 8 x ``distance`` places (down, right) that lie so far away."""
    line = range(-distance, distance + 1)
    return [(down, right) for down in line for right in line if max(abs(down), abs(right)) == distance]


@lru_cache(maxsize=32)
def _neighbours(side: int, ring: int) -> NDArray[np.uint16]:
    """Return (side, side): how many neighbours at that distance lie inside the picture."""
    blank = np.zeros((1, side, side), np.uint8)
    padded = np.pad(blank, ((0, 0), (ring, ring), (ring, ring)), constant_values=_OUTSIDE)
    return frozen(_alike(blank, padded, ring, ring)[0])
