"""A figure as a list of simple shapes, drawn alike as pixels (``pixels``) and as vectors (``svg``).

Lengths are in pixels, with the origin at the top left. Text stands on ``y``, its baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wordsight.drawing import fonts
from wordsight.protocols import Image

Anchor: TypeAlias = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A picture, with its top left corner at (x, y), at its own size."""

    x: int
    y: int
    image: Image


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A filled rectangle or, where ``line`` is a width in pixels, its outline, drawn inwards. Colours are #rrggbb."""

    x: int
    y: int
    width: int
    height: int
    colour: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text: ``anchor`` says which part of it stands at x. ``size`` is that of the letters."""

    x: int
    y: int
    text: str
    size: int
    colour: str
    anchor: Anchor = "start"


Shape: TypeAlias = Raster | Rectangle | Words


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn, in order, on a ground of one colour. ``title`` says in words what is to be seen."""

    width: int
    height: int
    shapes: Sequence[Shape]
    title: str
    ground: str = "#ffffff"


def text_width(text: str, size: int) -> float:
    """Return how wide one line of text is, in pixels."""
    return sum(fonts.font(run.font, size).getlength(run.text, direction=run.direction) for run in fonts.runs(text))


def shortened(text: str, size: int, width: float, *, keep_end: bool = False) -> str:
    """Return as much of the text as ``width`` pixels hold, with an ellipsis where letters are left out.

    ``keep_end``: leave them out in the middle, as for file names.
    """
    text = " ".join(text.split())
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)  # letters that fit, and that do not
    while high - low > 1:
        kept = (low + high) // 2
        low, high = (kept, high) if text_width(_cut(text, kept, keep_end), size) <= width else (low, kept)
    return _cut(text, low, keep_end)


def wrapped(text: str, size: int, width: float, lines: int) -> list[str]:
    """Return the text in at most ``lines`` lines of ``width`` pixels, broken at blanks; the last one is shortened."""
    words = text.split()
    out: list[str] = []
    while words and len(out) < lines - 1:
        count = 1
        while count < len(words) and text_width(" ".join(words[: count + 1]), size) <= width:
            count += 1
        if text_width(" ".join(words[:count]), size) > width:  # one long word, or a script without blanks
            kept = max(1, len(shortened(words[0], size, width)) - 1)
            out.append(words[0][:kept])
            words[0] = words[0][kept:]
        else:
            out.append(" ".join(words[:count]))
            words = words[count:]
    return [*out, shortened(" ".join(words), size, width)] if words else out


def _cut(text: str, kept: int, keep_end: bool) -> str:
    if not keep_end:
        return text[:kept].rstrip() + "…"
    tail = kept // 2
    return text[: kept - tail].rstrip() + "…" + (text[len(text) - tail :].lstrip() if tail else "")
