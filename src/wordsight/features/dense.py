"""SIFT on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Descriptors
from wordsight.features.gradients import gradient_codes, orientation_planes
from wordsight.features.local import root_sift
from wordsight.features.pixels import frozen, grey_squares
from wordsight.features.pooling import pooled
from wordsight.protocols import Image

_CELLS = 4
_DIRECTIONS = 8
_CLIP = 0.2


@dataclass(frozen=True)
class DenseSift(Described):
    """SIFT (Lowe, IJCV 2004) at every ``step`` pixels, upright (Bosch, Zisserman and Munoz, ICCV 2007).

    Pictures are squeezed to ``side`` pixels. A descriptor covers 4 x 4 cells of ``cell`` pixels, at each of ``scales``
    sizes, which grow by the root of 2. Gauss's weight is that of a cell's centre, as in VLFeat's fast form; the picture
    is not smoothed. Where the mean gradient is below ``contrast`` of 255 levels, values are 0.
    ``root``: RootSIFT (Arandjelovic and Zisserman, CVPR 2012); without, Lowe's clipping; unit length both.
    """

    name: ClassVar[str] = "dense-sift"
    side: int = 128
    cell: int = 4
    step: int = 4
    scales: int = 2
    contrast: float = 0.5
    root: bool = True

    def __post_init__(self) -> None:
        self._require(min(self.cell, self.step, self.scales) >= 1, "cell, step and scales of at least 1")
        self._require(self.contrast >= 0, "a contrast of at least 0")
        self._require(self._sizes[-1] * _CELLS <= self.side, "the largest descriptor, 4 cells, to fit in side")

    @property
    def dim(self) -> int:
        """Length of a descriptor: 128."""
        return _CELLS * _CELLS * _DIRECTIONS

    def __call__(self, images: Sequence[Image]) -> list[Descriptors]:
        """Return the descriptors of each picture: the same places for all, row by row, the smallest scale first."""
        positions = np.concatenate([_positions(self.side, size, self.step) for size in self._sizes])
        return [Descriptors(positions.copy(), self._values(image)) for image in images]

    @property
    def _sizes(self) -> list[int]:
        return [round(self.cell * 2 ** (scale / 2)) for scale in range(self.scales)]

    def _values(self, image: Image) -> NDArray[np.float32]:
        codes = gradient_codes(grey_squares([image], self.side))
        planes = orientation_planes(codes, _DIRECTIONS, signed=True, centre=0.0)[0]
        return np.concatenate([self._scaled(planes, size) for size in self._sizes])

    def _scaled(self, planes: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Return (k, 128) for cells of ``size`` pixels."""
        starts = _starts(self.side, size, self.step)
        cells = pooled(planes, tuple(start + (i + 0.5) * size for start in starts for i in range(_CELLS)), size)
        parts = cells.reshape(_DIRECTIONS, len(starts), _CELLS, len(starts), _CELLS).transpose(1, 3, 2, 4, 0)
        weighted = np.ascontiguousarray(parts) * _window()[..., None]
        values = weighted.reshape(-1, self.dim)
        values[values.sum(axis=1) < self.contrast * _window().sum()] = 0
        return root_sift(values) if self.root else _clipped(values)


def _starts(side: int, size: int, step: int) -> list[int]:
    """Return where descriptors start on one axis; what is left over is shared between both edges."""
    last = side - size * _CELLS
    return list(range(last % step // 2, last + 1, step))


def _positions(side: int, size: int, step: int) -> NDArray[np.float32]:
    line = (np.array(_starts(side, size, step)) + size * _CELLS / 2) / side
    down, right = np.meshgrid(line, line, indexing="ij")
    return np.stack([right.ravel(), down.ravel()], axis=1).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    """Return (4, 4): Gauss's weight at the cells' centres, its deviation half a descriptor."""
    line = np.exp(-((np.arange(_CELLS) - (_CELLS - 1) / 2) ** 2) / (2 * (_CELLS / 2) ** 2))
    return frozen(np.outer(line, line).astype(np.float32))


def _clipped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return _unit(np.minimum(_unit(values), np.float32(_CLIP)))


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("ij,ij->i", values, values))[:, None]
    scaled: NDArray[np.float32] = np.divide(values, np.maximum(length, np.float32(1e-12)))
    return scaled
