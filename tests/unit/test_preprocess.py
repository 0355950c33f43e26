"""What an image tower is fed, against the definition of the resize written out in numpy: no torch is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from wordsight.encoders.preprocess import Preprocess, to_pixels

SIDE = 32


def weights(before: int, after: int) -> NDArray[np.float64]:
    """(after, before): Keys' cubic (1981) with a = -0.5, widened when it shrinks, cut at the border, of sum 1."""
    scale = before / after
    centres = (np.arange(after)[:, None] + 0.5) * scale
    x = np.abs(np.arange(before) + 0.5 - centres) / max(scale, 1)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    kernel = np.where(x < 1, near, np.where(x < 2, far, 0))
    return kernel / kernel.sum(axis=1, keepdims=True)


def reference(picture: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Scale the shorter side to ``side`` in whole pixels, the longer rounded down, and cut the centre."""
    high, wide, _ = picture.shape
    shorter = min(high, wide)
    new_high, new_wide = side * high // shorter, side * wide // shorter
    across = np.einsum("xw,hwc->hxc", weights(wide, new_wide), picture, optimize=True)
    scaled = np.einsum("yh,hxc->yxc", weights(high, new_high), across, optimize=True)
    top, left = round((new_high - side) / 2), round((new_wide - side) / 2)
    return scaled[top : top + side, left : left + side]


def noise(width: int, height: int) -> NDArray[np.uint8]:
    """Detail of one pixel, not so strong that the passes of a resize would have to clip it."""
    return np.random.default_rng(width * 1000 + height).integers(70, 186, (height, width, 3), np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 160), st.integers(1, 160))
@example(43, 64)  # 300 x 448 in small: the longer side is rounded down, and the cut starts at half a pixel
@example(37, 140)
@example(140, 37)
@example(32, 33)
def test_the_shorter_side_is_scaled_and_the_centre_cut(width: int, height: int) -> None:
    picture = noise(width, height)
    got = to_pixels(Image.fromarray(picture), Preprocess("shortest", SIDE, averaging=False))
    assert np.abs(got - reference(picture, SIDE)).max() < 1.6  # two roundings to whole numbers, nothing else


@pytest.mark.parametrize("size", [(300, 448), (145, 786), (258, 868), (842, 165), (306, 981)])
def test_strong_noise_is_resized_as_a_whole(size: tuple[int, int]) -> None:
    # Pillow clips between its passes and orders them by size: resizing the seen part alone was 24 levels off.
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8))
    wide, high = (224 * side // min(size) for side in size)
    left, top = round((wide - 224) / 2), round((high - 224) / 2)
    whole = np.asarray(picture.resize((wide, high), Image.Resampling.BICUBIC))[top : top + 224, left : left + 224]
    np.testing.assert_array_equal(to_pixels(picture, Preprocess("shortest", 224, averaging=False)), whole)


def test_a_very_long_picture_is_not_scaled_as_a_whole() -> None:
    got = to_pixels(Image.new("RGB", (40_000, 2), (10, 200, 30)), Preprocess("shortest", 224, averaging=False))
    assert got.shape == (224, 224, 3)  # as a whole it would be 4,480,000 pixels wide, four gigabytes
    assert (got == (10, 200, 30)).all()
