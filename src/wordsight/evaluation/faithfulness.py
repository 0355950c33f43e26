"""Does a map say what the encoder looked at? Measured by what becomes of the score; no boxes are needed.

Deletion and insertion: Petsiuk, Das & Saenko 2018, BMVC, "RISE", section 4.3. Randomised weights: Adebayo et al. 2018,
NeurIPS, "Sanity checks for saliency maps".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageFilter

from wordsight.protocols import Image

Map: TypeAlias = NDArray[np.float32]

STEPS = 10
_BLUR = 1 / 20  # of the shorter side, as the standard deviation: 11 pixels of 224


def deletion(image: Image, values: Map, *, steps: int = STEPS) -> Iterator[Image]:
    """Yield the picture with more and more of its highest places blurred, from none of it to all: ``steps`` + 1.

    A blur takes things away without adding edges of its own, as grey patches would.
    """
    return _mixed(image, _blurred(image), values, steps)


def insertion(image: Image, values: Map, *, steps: int = STEPS) -> Iterator[Image]:
    """Yield the blurred picture with more and more of its highest places sharp, from none of it to all."""
    return _mixed(_blurred(image), image, values, steps)


def _mixed(before: Image, after: Image, values: Map, steps: int) -> Iterator[Image]:
    order = np.argsort(-values, axis=None, kind="stable")
    place = np.empty(values.size, np.int64)
    place[order] = np.arange(values.size)
    for step in range(steps + 1):
        changed = (place < round(step / steps * values.size)).reshape(values.shape)
        mask = PILImage.fromarray(changed.astype(np.uint8) * 255, "L").resize(before.size, PILImage.Resampling.NEAREST)
        yield PILImage.composite(after, before, mask)


def _blurred(image: Image) -> Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * _BLUR))


def area_under(curve: Sequence[float] | NDArray[np.floating]) -> float:
    """Return the mean height of a curve with evenly spaced points, its ends counted half (the trapezoid rule)."""
    heights = np.asarray(curve, np.float64)
    return float((heights[1:] + heights[:-1]).mean() / 2)


def agreement(one: Map, other: Map) -> float:
    """Return the rank correlation (Spearman) of two maps of one shape, in [-1, 1]; 0 where one of them is even.

    For the sanity check: the map of an encoder with randomised weights should not agree with that of the encoder.
    """
    left, right = (_ranks(values) for values in (one, other))
    scale = float(left.std() * right.std())
    return float(((left - left.mean()) * (right - right.mean())).mean()) / scale if scale else 0.0


def _ranks(values: Map) -> NDArray[np.float64]:
    """Return the rank of each value; equal ones share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse.reshape(-1)]
    return ranks
