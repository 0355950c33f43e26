"""Pictures seen through masks, and what an objective says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.protocols import Image

Array = NDArray[np.float32]

LOGIT_SCALE = 100.0
"""What CLIP models multiply similarities by before a softmax: Radford et al. 2021, section 2.5."""

_BATCH = 32  # pictures that exist at a time


def mean_colour(image: Image) -> tuple[int, int, int]:
    """Return the mean of a picture's pixels: what covers tells least."""
    red, green, blue = np.asarray(image, np.float32).mean(axis=(0, 1))
    return round(float(red)), round(float(green)), round(float(blue))


def seen_through(image: Image, masks: Iterable[Array]) -> Iterator[Image]:
    """Yield the picture through each mask (h, w): as it is where the mask is 1, of its mean colour where it is 0."""
    pixels = np.asarray(image, np.float32)
    grey = np.asarray(mean_colour(image), np.float32)
    for mask in masks:
        yield PILImage.fromarray(np.rint(grey + (pixels - grey) * mask[..., None]).astype(np.uint8))


def masked_values(view: Image, activations: Array, value: Callable[[Sequence[Image]], Array]) -> Array:
    """Return (c, m): what ``value`` says of the view through each of (c, h, w) activations, stretched to [0, 1]."""

    def masks() -> Iterator[Array]:
        for activation in activations:
            large = PILImage.fromarray(activation).resize(view.size, PILImage.Resampling.BILINEAR)
            mask = np.asarray(large, np.float32)
            yield (mask - mask.min()) / max(float(mask.max() - mask.min()), 1e-8)

    return in_batches(seen_through(view, masks()), value)


def in_batches(images: Iterable[Image], value: Callable[[Sequence[Image]], Array]) -> Array:
    """Return what ``value`` says of the pictures, (n, m), never holding many of them; at least one is expected."""
    parts, batch = [], []
    for image in images:
        batch.append(image)
        if len(batch) == _BATCH:
            parts.append(value(batch))
            batch = []
    if batch:
        parts.append(value(batch))
    return np.concatenate(parts)


def softmax(values: Array) -> Array:
    """Return the softmax of (k,) values."""
    given = np.exp(values - values.max())
    return np.asarray(given / given.sum(), np.float32)
