"""Sums over soft-edged cells of a picture."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.features.pixels import frozen

_CELLS_AT_ONCE = 8
"""Neighbouring cells see a strip of the picture only. Small products also keep BLAS from starting threads: on cores
that are busy with other pictures, waiting for these takes a hundred times longer than the product."""


class _Strip(NamedTuple):
    """Neighbouring cells: which pixels they see, and how much of each, (cells, pixels)."""

    pixels: slice
    shares: NDArray[np.float32]


def pooled(planes: NDArray[np.float32], centres: tuple[float, ...], width: float) -> NDArray[np.float32]:
    """Return (..., k, k) sums of (..., side, side) over cells around each pair of ``centres``.

    A pixel counts 1 at the centre and linearly less, down to 0 at ``width`` pixels from it, each way; sums are divided
    by ``width`` squared. Places are measured from the picture's edge: the first pixel's centre is 0.5.
    """
    strips = _strips(planes.shape[-1], centres, width)
    down = np.concatenate([np.matmul(shares, planes[..., pixels, :]) for pixels, shares in strips], axis=-2)
    return np.concatenate([np.matmul(down[..., pixels], shares.T) for pixels, shares in strips], axis=-1)


@lru_cache(maxsize=32)
def _strips(side: int, centres: tuple[float, ...], width: float) -> tuple[_Strip, ...]:
    found = []
    for start in range(0, len(centres), _CELLS_AT_ONCE):
        part = np.asarray(centres[start : start + _CELLS_AT_ONCE])
        distance = np.abs(np.arange(side) + 0.5 - part[:, None])
        shares = (np.maximum(0, 1 - distance / width) / width).astype(np.float32)
        seen = np.flatnonzero(shares.any(axis=0))
        pixels = slice(int(seen[0]), int(seen[-1]) + 1)
        found.append(_Strip(pixels, frozen(np.ascontiguousarray(shares[:, pixels]))))
    return tuple(found)
