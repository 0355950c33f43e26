"""From sRGB levels to colour spaces in which distances mean something."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wordsight.features.pixels import frozen

SPACES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "hsv": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "oklab": ((0.0, -0.24, -0.32), (1.0, 0.28, 0.2)),
}
"""Name -> least and largest value of each axis over all of sRGB (rounded outwards)."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_BITS = 6


def coarse_codes(pixels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return for (..., 3) sRGB levels the place of each colour, read to 6 bits a channel, in ``coarse_values``."""
    short = pixels >> np.uint8(8 - _BITS)
    codes = short[..., 0].astype(np.intp)
    for channel in (1, 2):
        codes <<= _BITS
        codes += short[..., channel]
    return codes


@lru_cache(maxsize=4)
def coarse_values(space: str) -> NDArray[np.float32]:
    """Return (2^18, 3): every colour of 6 bits a channel in ``space``."""
    levels = np.arange(1 << _BITS, dtype=np.uint8)
    spread = (levels << np.uint8(8 - _BITS)) | (levels >> np.uint8(2 * _BITS - 8))
    grid = np.stack(np.meshgrid(spread, spread, spread, indexing="ij"), axis=-1)
    return frozen(converted(grid.reshape(-1, 3), space))


def converted(pixels: NDArray[np.uint8], space: str) -> NDArray[np.float32]:
    """Return (..., 3) sRGB levels in ``space``: hue, saturation, value in [0, 1], or OKLab's L in [0, 1], a and b."""
    return to_hsv(pixels) if space == "hsv" else to_oklab(pixels)


def to_oklab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return OKLab (Ottosson 2020) of (..., 3) sRGB levels: L in [0, 1], a and b within (-0.32, 0.28)."""
    red, green, blue = np.moveaxis(_linear_levels()[pixels], -1, 0)
    lms = [np.cbrt(r * red + g * green + b * blue) for r, g, b in _TO_LMS.astype(np.float32)]
    lab = [r * lms[0] + g * lms[1] + b * lms[2] for r, g, b in _TO_LAB.astype(np.float32)]
    return np.stack(lab, axis=-1)


def to_hsv(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return hue, saturation and value in [0, 1] (hue below 1, 0 for greys) of (..., 3) sRGB levels."""
    red, green, blue = np.moveaxis(pixels.astype(np.float32) / np.float32(255), -1, 0)
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(chroma > 0, chroma, np.float32(1))
    sixth = np.where(
        value == red,
        (green - blue) / divisor,
        np.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    hue = sixth / np.float32(6) % np.float32(1)
    saturation = chroma / np.where(value > 0, value, np.float32(1))
    return np.stack([hue, saturation, value], axis=-1).astype(np.float32)


@lru_cache(maxsize=1)
def _linear_levels() -> NDArray[np.float32]:
    share = np.arange(256) / 255
    return frozen(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32))
