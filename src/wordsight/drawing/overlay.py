"""Heat maps: a saliency map in colours, laid over the picture it speaks of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.drawing.colours import DEFAULT, coloured
from wordsight.protocols import Image

STRENGTH = 0.8
"""How much of the colour covers the picture where the value is 1."""
_FAINT = 0.45  # of STRENGTH where the value is 0: the picture stays recognisable, and darker than what is pointed at


def stretched(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map (h, w) in [0, 1] at ``size`` = (width, height) pixels: bicubic, within [0, 1]."""
    image = PILImage.fromarray(np.ascontiguousarray(values, np.float32))
    larger = np.asarray(image.resize(size, PILImage.Resampling.BICUBIC), np.float32)
    return np.clip(larger, np.float32(0), np.float32(1))


def overlay(image: Image, values: NDArray[np.float32], *, colours: str = DEFAULT, strength: float = STRENGTH) -> Image:
    """Return the picture under its heat map; the higher the value, the more colour and the less picture.

    ``values`` (h, w) in [0, 1] covers the whole picture, at any resolution. ``strength``: the colour's share in [0, 1]
    where the value is 1.
    """
    return PILImage.fromarray(blend(np.asarray(image.convert("RGB")), stretched(values, image.size), colours, strength))


def veil(values: NDArray[np.float32], *, colours: str = DEFAULT, strength: float = STRENGTH) -> Image:
    """Return the colours of a map (h, w) as an RGBA picture of its size, to be laid over the photo by a browser."""
    alpha = (opacity(values, strength) * 255).round().astype(np.uint8)
    return PILImage.fromarray(np.concatenate([coloured(values, colours), alpha[..., None]], axis=2))


def blend(
    pixels: NDArray[np.uint8], values: NDArray[np.float32], colours: str = DEFAULT, strength: float = STRENGTH
) -> NDArray[np.uint8]:
    """Return pixels (h, w, 3) mixed with the colours of values (h, w)."""
    share = opacity(values, strength)[..., None]
    mixed = pixels * (1 - share) + coloured(values, colours) * share
    return np.asarray(mixed.round(), np.uint8)


def opacity(values: NDArray[np.float32], strength: float = STRENGTH) -> NDArray[np.float32]:
    """Return how much of the colour covers the picture at each value, in [0, ``strength``]."""
    return np.asarray(strength * (_FAINT + (1 - _FAINT) * values), np.float32)
