"""How a picture becomes the input of an image tower. In one place: a wrong resize gives no error, only bad hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wordsight.protocols import Image

MODES = ("squash", "crop", "shortest")
INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "nearest")
_WHOLE_LIMIT = 16_000_000  # pixels: a picture some 300 times as long as wide, of which the seen part alone is scaled
_LARGEST = 1 << 14


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes the (size, size, 3) uint8 input of the image tower.

    ``mode``: "squash" scales to a square; "crop" cuts the central square and scales it; "shortest" scales the shorter
    side to ``size`` in whole pixels and cuts the centre, as torchvision's ``Resize`` and ``CenterCrop`` do; where
    ``shorter`` is given, that side is scaled to it instead. ``averaging`` lets Pillow average whole blocks of pixels
    first: a third less time, other pixels. Without it pixels are those of the reference transforms.
    Pictures whose longer side is at most ``small_side`` are fed at ``small_size`` instead: enlarging a thumbnail to
    full size only blurs it.
    """

    mode: str
    size: int
    small_side: int = 0
    small_size: int = 0
    interpolation: str = "bicubic"
    averaging: bool = True
    shorter: int = 0

    @classmethod
    def from_json(cls, given: Mapping[str, Any], where: object) -> Preprocess:
        """Read the settings of a model folder; raises ``ModelError`` for what is not known: never guess."""
        mode, interpolation = given.get("mode"), given.get("interpolation")
        if mode not in MODES or interpolation not in INTERPOLATIONS:
            raise ModelError(
                f"{where}: preprocessing {mode!r} with {interpolation!r} interpolation is not known; "
                f"expected mode {', '.join(MODES)} and interpolation {', '.join(INTERPOLATIONS)}"
            )
        small = given.get("small") or {}
        small = small if isinstance(small, dict) else {"size": small}
        sides = {
            "size": given.get("size"),
            "small_side": small.get("max_side", 0),
            "small_size": small.get("size", 0),
            "shorter": given.get("shorter", 0),
        }
        least = {"size": 1, "small_size": 1 if sides["small_side"] else 0}
        for name, side in sides.items():
            if type(side) is not int or not least.get(name, 0) <= side <= _LARGEST:
                raise ModelError(f"{where}: {side!r} pixels as {name} of the preprocessing make no sense")
        return cls(mode=mode, interpolation=interpolation, averaging=bool(given.get("averaging", True)), **sides)

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        small = {"small": {"max_side": self.small_side, "size": self.small_size}} if self.small_side else {}
        cut = {"shorter": self.shorter} if self.shorter else {}
        return {
            "mode": self.mode,
            "size": self.size,
            "interpolation": self.interpolation,
            "averaging": self.averaging,
            **small,
            **cut,
        }

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return the part (left, top, right, bottom) of a picture that the tower sees, in its pixels."""
        if self.mode == "squash":
            return 0.0, 0.0, float(width), float(height)
        if self.mode == "crop":
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            return left, top, left + side, top + side
        scaled = self.scaled(width, height)
        starts = [_centre(side, self.size) for side in scaled]
        ratios = [whole / part for whole, part in zip((width, height), scaled, strict=True)]
        left, top = (start * ratio for start, ratio in zip(starts, ratios, strict=True))
        return left, top, left + self.size * ratios[0], top + self.size * ratios[1]

    def scaled(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to which mode "shortest" scales a picture before its centre is cut."""
        shorter, target = min(width, height), self.shorter or self.size
        return max(target, target * width // shorter), max(target, target * height // shorter)


def to_pixels(image: Image, preprocess: Preprocess, *, full_size: bool = False) -> NDArray[np.uint8]:
    """Return the (size, size, 3) uint8 input of the image tower."""
    size = preprocess.size
    if not full_size and max(image.size) <= preprocess.small_side:
        size = preprocess.small_size
    from PIL import Image as PILImage  # a query of words needs none

    kernel = PILImage.Resampling[preprocess.interpolation.upper()]
    box = preprocess.seen(*image.size)
    if preprocess.averaging:
        return np.asarray(image.resize((size, size), kernel, box=box, reducing_gap=1.0))
    if preprocess.mode == "shortest":
        wide, high = preprocess.scaled(*image.size)
        if wide * high <= _WHOLE_LIMIT:
            # As the reference does it. The part alone would save a quarter of the time, but Pillow rounds and clips to
            # 8 bits between two passes, and which one it does first depends on the sizes it is given.
            left, top = (_centre(side, size) for side in (wide, high))
            return np.asarray(image.resize((wide, high), kernel).crop((left, top, left + size, top + size)))
    return np.asarray(image.resize((size, size), kernel, box=box))


def _centre(whole: int, part: int) -> int:
    return round((whole - part) / 2)  # halves to even, as the reference transforms round
