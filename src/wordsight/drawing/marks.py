"""Boxes with their labels, legible on any ground: light lines between dark ones, labels on plates that keep apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from wordsight.drawing.scene import Rectangle, Shape, Words, shortened, text_width
from wordsight.types import Box

Place: TypeAlias = tuple[int, int, int, int]
"""x, y, width and height in a figure's pixels."""

_LIGHT, _DARK = "#ffffff", "#101014"
_PADDING = 4  # pixels between a label and the ends of its plate


def marks(
    boxes: Sequence[tuple[Box, str]],
    *,
    original: tuple[int, int],
    at: tuple[int, int],
    drawn: tuple[int, int],
    size: int = 13,
) -> Iterator[Shape]:
    """Yield the outlines of boxes, best first, and then their labels.

    ``original`` (width, height) is the size the boxes count in, ``drawn`` that of the picture as it is drawn, with its
    top left corner ``at`` (x, y). ``size`` of the letters in pixels. Outlines lie on the pixels within a box. Labels
    longer than the picture is wide lose letters in their middle; one that would cover a better box's is left out.
    """
    places = [_placed(box, original, at, drawn) for box, _ in boxes]
    line = 2 if min(drawn) >= 100 else 1
    for x, y, width, height in reversed(places):  # the best one on top
        yield Rectangle(x, y, width, height, _DARK, line + 2)
        yield Rectangle(x + 1, y + 1, max(width - 2, 1), max(height - 2, 1), _LIGHT, line)
    taken: list[Place] = []
    for (_, label), place in zip(boxes, places, strict=True):
        label = shortened(label, size, drawn[0] - 2 * _PADDING, keep_end=True)
        plate = _plate(place, (round(text_width(label, size)) + 2 * _PADDING, size + 6), at, drawn, taken)
        if label not in ("", "…") and plate is not None:
            taken.append(plate)
            yield Rectangle(*plate, _DARK)
            yield Words(plate[0] + _PADDING, plate[1] + size + 1, label, size, _LIGHT)


def _placed(box: Box, original: tuple[int, int], at: tuple[int, int], drawn: tuple[int, int]) -> Place:
    """Return where a box lies in the figure: whole pixels, at least one, within the drawn picture."""
    edges = []
    for low, high, whole, start, length in (
        (box.left, box.right, original[0], at[0], drawn[0]),
        (box.top, box.bottom, original[1], at[1], drawn[1]),
    ):
        first = min(max(round(low * length / whole), 0), length - 1)
        last = min(max(round(high * length / whole), first + 1), length)
        edges.append((start + first, last - first))
    (x, width), (y, height) = edges
    return x, y, width, height


def _plate(
    box: Place, size: tuple[int, int], at: tuple[int, int], drawn: tuple[int, int], taken: Sequence[Place]
) -> Place | None:
    """Return where a label goes: above its box, inside at the top, below, inside at the bottom; or nowhere.

    Below a small box comes before inside it, where the label would hide what the box shows.
    """
    width, height = size
    if width > drawn[0]:
        return None
    left, top, bottom = box[0], box[1], box[1] + box[3]
    x = max(min(left, at[0] + drawn[0] - width), at[0])
    inside = (top, bottom) if box[3] > 4 * height else (bottom, top)
    for y in (top - height, *inside, bottom - height):
        plate = (x, y, width, height)
        if at[1] <= y <= at[1] + drawn[1] - height and not any(_overlap(plate, other) for other in taken):
            return plate
    return None


def _overlap(one: Place, other: Place) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))
