"""Pictures made worse on purpose: weather, noise and damage at five strengths, to see what an encoder withstands.

After ImageNet-C (Hendrycks & Dietterich 2019, ICLR, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations"). Noise, fog, JPEG and brightness use its settings; blur is its extra Gaussian blur; snow draws its
layer with shifts in place of ImageMagick. Rain and occlusion are not in it and are defined here. Lengths are in pixels
of a picture whose shorter side is 224, and scale with the picture.

Why no library: `imagecorruptions` needs numba, scipy and a scikit-image of 2020; `albumentations` is no longer kept,
and its successor's licence (AGPL) does not go with this project's.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageFilter

from wordsight.errors import BadInput
from wordsight.protocols import Image

Pixels: TypeAlias = NDArray[np.floating[Any]]
"""(h, w, 3) in [0, 1]; a layer of weather is (h, w)."""

STRENGTHS = (1, 2, 3, 4, 5)
_REFERENCE_SIDE = 224
_GREY = 0.5
_EVENLY = np.full(3, 1 / 3, np.float32)


@dataclass(frozen=True, slots=True)
class Corruption:
    """One scene at one strength, 1 (light) to 5 (heavy). ``seed`` chooses where drops, flakes and patches fall.

    The same picture is always changed in the same way, whatever was changed before it. Raises ``BadInput`` for a scene
    or strength that does not exist.
    """

    scene: str
    strength: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scene not in SCENES or self.strength not in STRENGTHS:
            raise _unknown(f"{self.scene}:{self.strength}")

    def __str__(self) -> str:
        return f"{self.scene}:{self.strength}"

    def __call__(self, image: Image) -> Image:
        """Return the changed picture, of the same size."""
        content = zlib.crc32(image.tobytes())
        rng = np.random.default_rng([self.seed, list(SCENES).index(self.scene), self.strength, content])
        pixels = np.asarray(image, np.float32) / 255
        changed = SCENES[self.scene](pixels, self.strength - 1, rng)
        return _to_image(changed)


def parse_corruptions(text: str, *, seed: int = 0) -> tuple[Corruption, ...]:
    """Read "fog:3" (one), "fog" (its five strengths) or "all" (every scene at every strength).

    Raises ``BadInput`` for anything else.
    """
    scene, colon, strength = text.partition(":")
    if text == "all":
        return tuple(Corruption(name, level, seed) for name in SCENES for level in STRENGTHS)
    if scene not in SCENES or (colon and strength not in map(str, STRENGTHS)):
        raise _unknown(text)
    levels = (int(strength),) if colon else STRENGTHS
    return tuple(Corruption(scene, level, seed) for level in levels)


def _unknown(text: str) -> BadInput:
    scenes = ", ".join(SCENES)
    return BadInput(f'no corruption is called {text!r}: expected "all", a scene, or scene:1 to scene:5 of {scenes}')


def _to_image(pixels: Pixels) -> Image:
    return PILImage.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8), "RGB")


def _scale(pixels: Pixels) -> float:
    height, width = pixels.shape[:2]
    return float(min(height, width)) / _REFERENCE_SIDE


def _blur(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    deviation = (1, 2, 3, 4, 6)[level] * _scale(pixels)
    return np.asarray(_to_image(pixels).filter(ImageFilter.GaussianBlur(deviation)), np.float32) / 255


def _noise(pixels: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    deviation = (0.08, 0.12, 0.18, 0.26, 0.38)[level]
    return pixels + deviation * rng.standard_normal(pixels.shape, np.float32)


def _fog(pixels: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    amount, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[level]
    highest = pixels.max()
    fog = _resized(_clouds(decay, rng), pixels)
    return np.asarray((pixels + amount * fog[..., None]) * highest / (highest + amount))


def _clouds(decay: float, rng: np.random.Generator, side: int = 256) -> Pixels:
    """Return a fractal in [0, 1]: noise at every octave, its amplitude divided by ``decay`` from one to the next."""
    total = np.zeros((side, side), np.float32)
    cells, amplitude = 2, 1.0
    while cells <= side:
        octave = PILImage.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
        total += amplitude * np.asarray(octave.resize((side, side), PILImage.Resampling.BICUBIC))
        cells, amplitude = cells * 2, amplitude / decay
    return np.asarray((total - total.min()) / np.ptp(total))


def _resized(layer: Pixels, pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    return np.asarray(PILImage.fromarray(layer).resize((width, height), PILImage.Resampling.BICUBIC))


def _snow(pixels: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    mean, deviation, zoom, threshold, length, keep = (
        (0.1, 0.3, 3.0, 0.5, 8, 0.8),
        (0.2, 0.3, 2.0, 0.5, 10, 0.7),
        (0.55, 0.3, 4.0, 0.9, 10, 0.7),
        (0.55, 0.3, 4.5, 0.85, 10, 0.65),
        (0.55, 0.3, 2.5, 0.85, 10, 0.55),
    )[level]
    flakes = _specks(pixels, mean, deviation, zoom, rng)
    flakes = np.where(flakes < threshold, 0, np.clip(flakes, 0, 1))
    angle = rng.uniform(-135, -45)
    flakes = _streaked(flakes, length * _scale(pixels), angle)
    grey = (pixels @ _EVENLY)[..., None]
    whitened = np.maximum(pixels, grey * 1.5 + 0.5)
    return np.asarray(keep * pixels + (1 - keep) * whitened + flakes[..., None] + flakes[::-1, ::-1, None])


def _rain(pixels: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    """Dim the picture and draw bright streaks, all falling the same way: more and longer ones as it gets stronger."""
    share, length, dim = (
        (0.004, 10, 0.95),
        (0.008, 14, 0.9),
        (0.012, 18, 0.85),
        (0.018, 22, 0.8),
        (0.026, 28, 0.7),
    )[level]
    specks = _specks(pixels, 0, 1, 1.5, rng)
    drops = (specks > np.quantile(specks, 1 - share)).astype(np.float32)
    streaks = np.minimum(_streaked(drops, length * _scale(pixels), rng.uniform(-105, -75)) * length / 3, 0.8)
    wet = pixels * dim
    return np.asarray(wet + streaks[..., None] * (0.85 - wet))


def _specks(pixels: Pixels, mean: float, deviation: float, size: float, rng: np.random.Generator) -> Pixels:
    """Return Gaussian noise whose grains are ``size`` reference pixels wide."""
    grain = size * _scale(pixels)
    height, width = (max(1, round(side / grain)) for side in pixels.shape[:2])
    return _resized(rng.normal(mean, deviation, (height, width)).astype(np.float32), pixels)


def _streaked(layer: Pixels, length: float, angle: float) -> Pixels:
    """Return the mean of the layer moved step by step over ``length`` pixels; ``angle`` in degrees, 90 is upwards."""
    steps = max(1, round(length))
    down, right = -np.sin(np.radians(angle)), np.cos(np.radians(angle))
    total = np.zeros_like(layer)
    for step in range(steps):
        total += np.roll(layer, (round(step * down), round(step * right)), axis=(0, 1))
    return total / steps


def _jpeg(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    _to_image(pixels).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[level])
    with PILImage.open(file) as image:
        return np.asarray(image, np.float32) / 255


def _occlusion(pixels: Pixels, level: int, rng: np.random.Generator, cells: int = 8) -> Pixels:
    """Paint a tenth to a half of the cells of a grid grey (after Singh & Lee 2017, ICCV, "Hide-and-Seek")."""
    hidden = rng.permutation(cells * cells).reshape(cells, cells) < (level + 1) / 10 * cells * cells
    rows, columns = (np.arange(side) * cells // side for side in pixels.shape[:2])
    return np.where(hidden[rows][:, columns, None], np.float32(_GREY), pixels)


def _brightness(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    """Add to the V of HSV: the largest channel grows, and the others in proportion."""
    value = pixels.max(axis=2, keepdims=True)
    brighter = np.minimum(value + (0.1, 0.2, 0.3, 0.4, 0.5)[level], 1)
    return np.asarray(np.where(value > 0, pixels * (brighter / np.maximum(value, 1 / 255)), brighter))


SCENES: Mapping[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = MappingProxyType(
    {
        "blur": _blur,
        "noise": _noise,
        "fog": _fog,
        "snow": _snow,
        "rain": _rain,
        "jpeg": _jpeg,
        "occlusion": _occlusion,
        "brightness": _brightness,
    }
)
"""Name -> what it does to pixels at level 0 to 4."""
