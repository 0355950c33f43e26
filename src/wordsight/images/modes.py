"""Every Pillow mode to 8-bit RGB."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wordsight.images import colour

_DEPTHS = (255, 1023, 4095, 16383, 65535)
"""The largest values of 8, 10, 12, 14 and 16 bits."""


def to_rgb(image: Image.Image, side: int | None = None) -> Image.Image:
    """Return a plain RGB picture in sRGB: transparency on white, deep grey scaled, profiles applied.

    ``side``: the result may be shrunk, its shorter side staying at least twice that.
    The result may share memory with ``image``. Raises what Pillow raises.
    """
    flat = _flat(image)
    if side is not None and (factor := min(flat.size) / (2 * side)) >= 2:
        # Before the profile, which costs ten times as much a pixel. Not reduce(): its padding shifts the far edges.
        flat = flat.resize((ceil(flat.width / factor), ceil(flat.height / factor)), Image.Resampling.BOX)
    return colour.to_srgb(flat, image.info.get("icc_profile"))


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in mode L, RGB or CMYK."""
    mode = image.mode
    if mode == "F" or mode.startswith("I"):
        return _deep_grey(image)
    if mode == "LAB":
        return colour.lab_to_srgb(image)
    if image.has_transparency_data:
        return _on_white(image)
    if mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # premultiplied: only these ways out exist
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    image = image.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _deep_grey(image: Image.Image) -> Image.Image:
    """Return mode L from integers of 16 or 32 bits or from floats.

    Integers: files do not say whether 16 bits hold 10, 12, 14 or 16 bits of a sensor, so the smallest of these depths
    that holds the brightest pixel is taken as white. Floats within [0, 1] or [0, 255] are taken as such. Anything else
    (negative values, more than 16 bits, elevations, ...) is stretched from its minimum to its maximum.
    """
    values = np.asarray(image)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        bounds: tuple[float, ...] = (1.0, 255.0)
    else:
        bounds = _DEPTHS
    low, high = float(values.min()), float(values.max())
    fitting = [bound for bound in bounds if low >= 0 and high <= bound]
    if fitting:
        low, high = 0.0, fitting[0]
    return Image.fromarray(_scaled(values, low, high))


def _scaled(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    span = high - low or 1.0
    levels = (values.astype(np.float32) - low) * (255.0 / span) + 0.5
    clipped: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)
    return clipped
