"""Where a picture is looked at, and how what was seen there goes back onto the whole picture.

A view is a rectangle of the upright picture and the size in pixels at which an encoder sees it. A canvas is a grid of
cells that covers the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.explain.options import ExplainOptions
from wordsight.protocols import Image

Grid = NDArray[np.float32]

_CELLS = 128  # along the longer side of a canvas
_LONGEST = 2.0  # aspect of a window; longer pictures get several
_EDGE = 0.25  # share of a window over which its weight rises from the edge
_LEAST = 0.05  # weight at the very edge


@dataclass(frozen=True, slots=True)
class View:
    """The rectangle from (``left``, ``top``) to (``right``, ``bottom``) of a picture, seen at ``width`` x ``height``.

    All in pixels; the rectangle's may be fractions. ``flipped``: left and right change sides.
    """

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int
    flipped: bool = False

    def of(self, image: Image) -> Image:
        """Return what is seen: the rectangle at the view's size."""
        box = (self.left, self.top, self.right, self.bottom)
        seen = image.resize((self.width, self.height), PILImage.Resampling.BICUBIC, box=box, reducing_gap=1.0)
        return seen.transpose(PILImage.Transpose.FLIP_LEFT_RIGHT) if self.flipped else seen


def plan_views(size: tuple[int, int], options: ExplainOptions, *, side: int, stride: int | None) -> list[View]:
    """Return the views of a picture of ``size`` (width, height) that together cover it.

    ``side``: the encoder's own. ``stride``: it takes any sides that are multiples of it; ``None``: only squares of
    its own side, which slide along longer pictures.
    """
    views = []
    for crop in sorted(set(options.crops), reverse=True):
        for left, top, right, bottom in _windows(size, crop, 1.0 if stride is None else _LONGEST):
            for pixels in options.sides if options.sides and stride else (side,):
                width, height = _fed(right - left, bottom - top, pixels, stride)
                views.append(View(left, top, right, bottom, width, height))
    if options.flip:
        views += [replace(view, flipped=True) for view in views]
    return views


def canvas_shape(size: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) cells for a picture of ``size`` (width, height): square ones, or a pixel each in small pictures."""
    width, height = size
    scale = min(1.0, _CELLS / max(size))
    return max(1, round(height * scale)), max(1, round(width * scale))


def spread(grids: Sequence[Grid], views: Sequence[View], size: tuple[int, int]) -> Grid:
    """Return the weighted mean of the views' grids (..., h, w) on the canvas of a picture of ``size``.

    Values are interpolated linearly between the centres of places, and constant beyond the outermost.
    """
    rows, columns = canvas_shape(size)
    total = np.zeros((*grids[0].shape[:-2], rows, columns), np.float32)
    weight = np.full((rows, columns), 1e-12, np.float32)
    for grid, view in zip(grids, views, strict=True):
        grid = grid[..., ::-1] if view.flipped else grid
        down, edge_down = _taken(rows, size[1], view.top, view.bottom, grid.shape[-2])
        across, edge_across = _taken(columns, size[0], view.left, view.right, grid.shape[-1])
        share = edge_down[:, None] * edge_across
        total += share * (down @ grid @ across.T)
        weight += share
    return np.asarray(total / weight, np.float32)


def _windows(size: tuple[int, int], crop: float, longest: float) -> list[tuple[float, float, float, float]]:
    """Return overlapping rectangles of that share of the picture, no longer than ``longest`` times their width."""
    width, height = size
    short = min(size)
    # A little longer than allowed is squeezed: two windows for it would cost twice as much and show the same.
    most = short * longest if max(size) > 1.1 * short * longest else max(size)
    across, down = crop * min(width, most), crop * min(height, most)
    return [(left, top, left + across, top + down) for top in _starts(height, down) for left in _starts(width, across)]


def _starts(length: float, window: float) -> list[float]:
    """Return where windows begin that cover a length, each overlapping the next by at least a half."""
    free = length - window
    steps = math.ceil(free / (window / 2) - 1e-9)
    return [free * step / steps for step in range(steps + 1)] if steps else [0.0]


def _fed(width: float, height: float, side: int, stride: int | None) -> tuple[int, int]:
    """Return the size at which a rectangle is fed: about side ** 2 pixels, its aspect kept; a square without stride."""
    if stride is None:
        return side, side
    scale = side / math.sqrt(width * height)
    across, down = (max(stride, round(length * scale / stride) * stride) for length in (width, height))
    return across, down


def _taken(cells: int, length: int, start: float, stop: float, places: int) -> tuple[Grid, NDArray[np.float32]]:
    """Return how cells along one side take from a window's places, (cells, places), and the window's weight there."""
    centres = (np.arange(cells) + 0.5) * length / cells
    at = (centres - start) / (stop - start)
    inside = (at > 0) & (at < 1)
    place = np.clip(at * places - 0.5, 0, places - 1)
    taken = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(places)))
    whole = stop - start >= length - 1e-6
    rise = np.clip(np.minimum(at, 1 - at) / _EDGE, _LEAST, 1)
    weight = inside * (1.0 if whole else rise)
    return taken.astype(np.float32), weight.astype(np.float32)
