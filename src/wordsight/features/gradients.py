"""Gradients of 8-bit pictures. Levels are whole, so there are only 511 x 511 different ones: most are looked up."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wordsight.features.pixels import frozen

_SPAN = 511
"""Differences of two levels lie in [-255, 255]."""


def gradient_codes(grey: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return for (..., h, w) levels the place of each pixel's central difference in the tables below.

    The outermost rows (columns) have no vertical (horizontal) difference, as in scikit-image.
    """
    down, right = _differences(grey)
    codes: NDArray[np.intp] = down.astype(np.intp)
    codes *= _SPAN
    codes += right
    codes += (_SPAN * _SPAN) // 2
    return codes


def bins_and_lengths(grey: NDArray[np.uint8], bins: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return for (n, h, w) levels the bin of each pixel's direction over half a turn, and its gradient's length.

    The same as by the tables below, which are too large to stay in the cache beside those of other statistics.
    """
    down, right = _float_differences(grey)
    lengths, squares = np.empty(grey.shape, np.float32), np.empty(grey.shape, np.float32)
    np.multiply(down, down, out=lengths)
    lengths += np.multiply(right, right, out=squares)
    np.sqrt(lengths, out=lengths)
    # The cotangent falls from the first bin to the last; this little keeps it large and positive where down is 0.
    little = np.multiply(right, np.float32(1e-20), out=squares)
    little += down
    with np.errstate(invalid="ignore"):  # where both are 0: there is no vote
        cotangent = np.divide(right, little, out=right)
    found, beyond = np.empty(grey.shape, np.uint8), np.empty(grey.shape, np.bool_)
    found.fill(0)
    for bound in _cotangents(bins):
        found += np.less_equal(cotangent, bound, out=beyond).view(np.uint8)
    return found, lengths


def _float_differences(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, h, w) downwards and to the right: as below, from one long line of levels, which is faster."""
    width = grey.shape[2]
    levels = grey.astype(np.float32).reshape(-1)
    down, right = np.empty(grey.shape, np.float32), np.empty(grey.shape, np.float32)
    np.subtract(levels[2 * width :], levels[: -2 * width], out=down.reshape(-1)[width:-width])
    np.subtract(levels[2:], levels[:-2], out=right.reshape(-1)[1:-1])
    down[:, 0] = down[:, -1] = 0
    right[:, :, 0] = right[:, :, -1] = 0
    return down, right


def _differences(grey: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return (2, ..., h, w): downwards and to the right."""
    levels = grey.astype(np.int16)
    both = np.zeros((2, *grey.shape), np.int16)
    np.subtract(levels[..., 2:, :], levels[..., :-2, :], out=both[0, ..., 1:-1, :])
    np.subtract(levels[..., 2:], levels[..., :-2], out=both[1, ..., 1:-1])
    return both


@lru_cache(maxsize=16)
def _cotangents(bins: int) -> tuple[np.float32, ...]:
    """Return where one bin of half a turn ends and the next begins; right angles are exact."""
    turns = np.arange(1, bins) / bins
    return tuple(np.where(turns == 0.5, 0.0, 1 / np.tan(np.pi * turns)).astype(np.float32))


def strongest(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for (..., h, w, 3) codes the one of the channel with the largest gradient (Dalal and Triggs)."""
    lengths = magnitudes().take(codes, mode="clip")
    best = codes[..., 0].copy()
    longest = lengths[..., 0].copy()
    for channel in (1, 2):
        better = lengths[..., channel] > longest
        np.copyto(best, codes[..., channel], where=better)
        np.copyto(longest, lengths[..., channel], where=better)
    return best


@lru_cache(maxsize=1)
def magnitudes() -> NDArray[np.float64]:
    """Return the table code -> length of the gradient."""
    return frozen(np.hypot(*_components()))


@lru_cache(maxsize=16)
def orientation_bins(bins: int, signed: bool) -> NDArray[np.uint8]:
    """Return the table code -> bin of its direction: ``bins`` equal parts of half a turn, or of a whole one."""
    places = _turns(signed) * bins
    return frozen(np.minimum(np.floor(places), bins - 1).astype(np.uint8))


@lru_cache(maxsize=16)
def shared_votes(
    bins: int, signed: bool, centre: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return three tables code -> bin, vote for it, vote for the next: each length split between the closest bins.

    Bin i's centre lies at (i + ``centre``) / ``bins`` of a turn, or of half a turn when unsigned.
    """
    places = (_turns(signed) * bins - centre) % bins
    lower = np.minimum(np.floor(places), bins - 1)
    upper_share = places - lower
    return (
        frozen(lower.astype(np.uint8)),
        frozen((magnitudes() * (1 - upper_share)).astype(np.float32)),
        frozen((magnitudes() * upper_share).astype(np.float32)),
    )


def orientation_planes(codes: NDArray[np.intp], bins: int, signed: bool, centre: float = 0.5) -> NDArray[np.float32]:
    """Return (n, bins, h, w) of (n, h, w) codes: each pixel's length of gradient, split between two directions."""
    lower_bins, lower_votes, upper_votes = shared_votes(bins, signed, centre)
    pixels = codes[0].size
    planes = np.zeros((len(codes), bins, *codes.shape[1:]), np.float32)
    flat = planes.reshape(-1)
    lower = lower_bins.take(codes, mode="clip").astype(np.intp)
    start = np.arange(codes.size).reshape(codes.shape) + np.arange(len(codes))[:, None, None] * (bins - 1) * pixels
    flat[start + lower * pixels] = lower_votes.take(codes, mode="clip")
    flat[start + (lower + 1) % bins * pixels] += upper_votes.take(codes, mode="clip")
    return planes


def _turns(signed: bool) -> NDArray[np.float64]:
    """Return the table code -> direction in [0, 1), one being a whole turn, or half of one when unsigned."""
    down, right = _components()
    period = 360.0 if signed else 180.0
    turns: NDArray[np.float64] = np.rad2deg(np.arctan2(down, right)) % period / period
    return turns


def _components() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = np.arange(_SPAN, dtype=np.float64) - _SPAN // 2
    return np.repeat(line, _SPAN), np.tile(line, _SPAN)
