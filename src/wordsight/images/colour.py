"""Colour management: what an embedded ICC profile means, in sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

_LARGEST_PROFILE = 4_000_000
"""Bytes. Printers' profiles reach 2 MB; beyond that it is not a profile one wants to parse."""

_SAME = 3
"""Levels of 255. A profile that moves no colour further than this is sRGB under another name (there are dozens)."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an RGB picture in sRGB from mode L, RGB or CMYK; a profile that is broken or does not fit is ignored."""
    if profile and len(profile) <= _LARGEST_PROFILE:
        transform = _transform(bytes(profile), image.mode)
        if transform is not None:
            return _applied(transform, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Return an RGB picture in sRGB from mode LAB."""
    return _applied(_lab_transform(), image)


def _applied(transform: Any, image: Image.Image) -> Image.Image:
    result = transform.apply(image)
    result.info.clear()
    return result  # type: ignore[no-any-return]


@lru_cache(maxsize=32)  # a photo folder holds a handful of profiles; building a transform costs more than using it
def _transform(profile: bytes, mode: str) -> Any:
    """Return the perceptual transform to sRGB, or ``None`` where there is nothing (sensible) to do."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB")
        return None if _changes_nothing(transform, mode) else transform
    except Exception:  # a profile for another kind of picture, or damaged: show the picture without it
        return None


@lru_cache(maxsize=1)
def _lab_transform() -> Any:
    from PIL import ImageCms

    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")


@lru_cache(maxsize=1)
def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: Any, mode: str) -> bool:
    if mode == "CMYK":
        return False
    levels = np.linspace(0, 255, 9, dtype=np.uint8)
    if mode == "RGB":
        levels = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
        before = Image.fromarray(levels)
    else:
        before = Image.fromarray(levels[None])
    after = np.asarray(transform.apply(before), dtype=np.int16)
    return bool(np.abs(after - np.asarray(before.convert("RGB"), dtype=np.int16)).max() <= _SAME)
