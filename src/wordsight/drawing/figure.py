"""Figures that explain: the picture, its heat maps with boxes, captions, and the colour bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.drawing.colours import DEFAULT, coloured
from wordsight.drawing.marks import marks
from wordsight.drawing.overlay import STRENGTH, overlay
from wordsight.drawing.scene import Raster, Rectangle, Scene, Shape, Words, shortened, text_width, wrapped
from wordsight.protocols import Image
from wordsight.types import Box

_INK, _SOFT, _LINE = "#1d1c1a", "#5d5a55", "#c9c6bf"
_TITLE, _SMALL = 17, 13  # letters, in pixels
_GAP, _MARGIN = 16, 20
_LEAST = 220  # pixels of a cell's width: captions need some
_WIDE = 2.2  # proportions from which pictures stand below each other
_THINNEST = 12  # pixels that a drawn picture has on its shorter side
_BAR = (160, 12)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture explained for one text: what a cell of a figure shows.

    ``image`` may be smaller than the original, whose ``size`` (width, height) the ``boxes`` count in; these come with
    their labels, best first. ``values`` (h, w) in [0, 1] covers the whole picture. ``name`` is the picture's;
    ``title`` stands above the heat map, mostly its text, ``caption`` below it.
    """

    image: Image
    size: tuple[int, int]
    name: str
    title: str
    caption: str
    values: NDArray[np.float32]
    boxes: tuple[tuple[Box, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    title: str
    picture: Image
    caption: str
    view: View | None  # None: the picture alone


def figure(
    views: Sequence[View],
    *,
    footer: str = "",
    colours: str = DEFAULT,
    strength: float = STRENGTH,
    side: int = 480,
) -> Scene:
    """Return a figure of the views: each picture, then its heat maps, side by side; a grid where there are several.

    Views of one picture stand together. ``side``: the longest side of a picture in the figure, in pixels. Panoramas
    stand below each other and get twice the width; pictures of a few pixels are enlarged without smoothing. ``footer``
    stands beside the colour bar. Raises ``ValueError`` without views and ``BadInput`` for an unknown colour map.
    """
    if not views:
        raise ValueError("a figure needs at least one view")
    units = [
        _unit(list(group), side, colours, strength) for _, group in groupby(views, key=lambda view: id(view.image))
    ]
    cells = [cell for unit in units for cell in unit]
    usual = max([_LEAST, *(cell.picture.width for cell in cells if not _is_wide(cell))])
    lines = _lines(units, _columns(units, usual))
    shapes: list[Shape] = []
    y, inner = _MARGIN, 2 * _LEAST
    for line in lines:
        width = line[0].picture.width if _is_wide(line[0]) else usual
        inner = max(inner, len(line) * (width + _GAP) - _GAP)
        drawn, y = _line(line, y, width)
        shapes += drawn
    drawn, y = _footer(footer, y, inner, colours)
    return Scene(inner + 2 * _MARGIN, y + _MARGIN, [*shapes, *drawn], _described(views))


def _unit(views: Sequence[View], side: int, colours: str, strength: float) -> list[_Cell]:
    """Return the cells of one picture: itself, and one for each text."""
    first = views[0]
    picture = first.image.resize(_drawn_size(first.size, side), _filter(first.image, side))
    size = f"{first.size[0]:,} × {first.size[1]:,}"  # noqa: RUF001  # the sign for dimensions
    cells = [_Cell(first.name, picture, size, None)]
    for view in views:
        heat = overlay(picture, view.values, colours=colours, strength=strength)
        cells.append(_Cell(view.title, heat, view.caption, view))
    return cells


def _drawn_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size in the figure: ``side`` on the longer side, twice that for a panorama.

    Small pictures are enlarged by whole numbers.
    """
    proportions = size[0] / size[1]
    scale = side * (2 if proportions > _WIDE else 1.5 if proportions < 1 / _WIDE else 1) / max(size)
    scale = max(1, int(scale)) if scale > 1 else scale
    width, height = (max(round(length * scale), _THINNEST) for length in size)
    return width, height


def _filter(image: Image, side: int) -> PILImage.Resampling:
    enlarged = max(image.size) * 4 < side  # its pixels are what there is to be seen
    return PILImage.Resampling.NEAREST if enlarged else PILImage.Resampling.LANCZOS


def _is_wide(cell: _Cell) -> bool:
    """Return whether a cell has a line to itself."""
    return cell.picture.width > _WIDE * cell.picture.height


def _columns(units: Sequence[Sequence[_Cell]], width: int) -> int:
    """Return how many cells of that width make a line."""
    most = max(2, min(5 if len(units) > 1 else 4, 2400 // width))
    longest = max(len(unit) for unit in units)
    if longest == 2 and len(units) > 1 and most >= 4:
        return 4  # two pictures a line
    return -(-longest // -(-longest // most))  # lines of one length, as far as they can be


def _lines(units: Sequence[Sequence[_Cell]], columns: int) -> list[list[_Cell]]:
    """Return the cells in lines; a picture begins a new line where the line has no room for all its cells."""
    lines: list[list[_Cell]] = [[]]
    for unit in units:
        if lines[-1] and len(lines[-1]) + len(unit) > columns:
            lines.append([])
        for cell in unit:
            if lines[-1] and (len(lines[-1]) == columns or _is_wide(lines[-1][0]) or _is_wide(cell)):
                lines.append([])
            lines[-1].append(cell)
    return lines


def _line(cells: Sequence[_Cell], top: int, width: int) -> tuple[list[Shape], int]:
    """Return the shapes of one line of cells and where the next line begins."""
    titles = [wrapped(cell.title, _TITLE, width, 2) for cell in cells]
    head = max(len(title) for title in titles) * (_TITLE + 6)
    height = max(cell.picture.height for cell in cells)
    shapes: list[Shape] = []
    for number, (cell, title) in enumerate(zip(cells, titles, strict=True)):
        x = _MARGIN + number * (width + _GAP)
        for row, part in enumerate(title):
            shapes.append(Words(x, top + head - 9 - (len(title) - 1 - row) * (_TITLE + 6), part, _TITLE, _INK))
        at = (x, top + head)
        shapes.append(Raster(*at, cell.picture))
        if cell.view is not None:
            view = cell.view
            shapes += marks(view.boxes, original=view.size, at=at, drawn=cell.picture.size)
        below = at[1] + cell.picture.height + _SMALL + 6
        shapes.append(Words(x, below, shortened(cell.caption, _SMALL, width), _SMALL, _SOFT))
    return shapes, top + head + height + _SMALL + 6 + _GAP + 4


def _footer(text: str, top: int, width: int, colours: str) -> tuple[list[Shape], int]:
    """Return the colour bar with its ends, and the words beside it or, where there is no room, below."""
    bar = PILImage.fromarray(coloured(np.linspace(0, 1, _BAR[0], dtype=np.float32), colours)[None])
    x, line = _MARGIN, top + _SMALL
    shapes: list[Shape] = [Words(x, line, "0", _SMALL, _SOFT)]
    x += round(text_width("0", _SMALL)) + 6
    shapes += [Raster(x, top + 2, bar.resize(_BAR)), Rectangle(x, top + 2, *_BAR, _LINE, 1)]
    x += _BAR[0] + 6
    shapes.append(Words(x, line, "1", _SMALL, _SOFT))
    x += round(text_width("1", _SMALL)) + _GAP
    if text_width(text, _SMALL) <= width - (x - _MARGIN):
        return [*shapes, Words(x, line, text, _SMALL, _SOFT)], top + _SMALL + 4
    for part in wrapped(text, _SMALL, width, 3):
        line += _SMALL + 7
        shapes.append(Words(_MARGIN, line, part, _SMALL, _SOFT))
    return shapes, line + 4


def _described(views: Sequence[View]) -> str:
    """Return the figure in words, for those who do not see it."""
    return "; ".join(_sentence(view) for view in views)


def _sentence(view: View) -> str:
    where = f", marked in {len(view.boxes)} place{'s' if len(view.boxes) > 1 else ''}" if view.boxes else ""
    return f"{view.name}: heat map, {view.title}{where}"


def frames(views: Sequence[View], **options: object) -> Iterator[Scene]:
    """Yield one figure per view, all of one size, for a sweep over texts; ``options`` are those of ``figure``."""
    scenes = [figure([view], **options) for view in views]  # type: ignore[arg-type]
    width, height = max(scene.width for scene in scenes), max(scene.height for scene in scenes)
    for scene in scenes:
        yield Scene(width, height, scene.shapes, scene.title)
