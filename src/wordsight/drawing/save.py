"""Figures as files: PNG, JPEG, WebP, SVG; several figures as an animation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import features

from wordsight.drawing.pixels import to_image
from wordsight.drawing.scene import Scene
from wordsight.drawing.svg import to_svg
from wordsight.errors import BadInput

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"optimize": True}),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),  # letters fray where colours are stored at half size
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 90, "method": 4}),
}
_MOVING = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
SUFFIXES = (*_FORMATS, ".svg")


def encode(scene: Scene, suffix: str) -> bytes:
    """Return the file of a figure; ``suffix`` (one of ``SUFFIXES``, any case) tells the format.

    Raises ``BadInput`` for another one.
    """
    suffix = checked(suffix)
    if suffix == ".svg":
        return to_svg(scene).encode("utf-8")
    kind, options = _FORMATS[suffix]
    stream = io.BytesIO()
    to_image(scene).save(stream, kind, **options)
    return stream.getvalue()


def animate(scenes: Sequence[Scene], suffix: str, seconds: float = 1.6) -> bytes:
    """Return an endless animation of figures of one size, ``seconds`` each, as WebP, GIF or PNG.

    Raises ``BadInput`` for another format.
    """
    kind = _MOVING[checked(suffix, moving=True)]
    first, *rest = (to_image(scene) for scene in scenes)
    stream = io.BytesIO()
    first.save(stream, kind, save_all=True, append_images=rest, duration=round(seconds * 1000), loop=0)
    return stream.getvalue()


def checked(suffix: str, *, moving: bool = False) -> str:
    """Return the suffix in small letters; raises ``BadInput`` when no figure, or animation, can be written so."""
    known = tuple(_MOVING) if moving else SUFFIXES
    if suffix.lower() not in known:
        given = repr(suffix) if suffix else "a file without suffix"
        what = "an animation" if moving else "a figure"
        raise BadInput(f"{what} is written as {_listed(known)}, told by the file's suffix; got {given}")
    if suffix.lower() == ".webp" and not features.check("webp"):
        raise BadInput("this Pillow was built without WebP: choose .png")
    return suffix.lower()


def _listed(suffixes: Sequence[str]) -> str:
    return ", ".join(suffixes[:-1]) + f" or {suffixes[-1]}"
