"""Measures of maps and boxes: does what a map points at lie where the thing is? Pure functions on arrays.

A map is (h, w) values in [0, 1] that cover the whole picture edge to edge; boxes are in pixels of the picture. A figure
means little alone, for things tend to be large and in the middle: ``baselines`` are maps that saw no picture, to be
measured by the same functions and printed beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.types import Box

Map: TypeAlias = NDArray[np.float32]
Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""

TOLERANCE = 15
"""Pixels: Zhang et al. 2018 (see ``pointing``)."""

SMALL, MEDIUM = 1 / 16, 1 / 4
"""Shares of the picture: the largest box of a small thing is below the first, of a medium one below the second, which
are a square of a quarter and of half the side in a square picture. (COCO's 32 x 32 and 96 x 96 pixels would depend on
the size at which a picture is stored.)"""


class Target(NamedTuple):
    """What a map is asked to find: the boxes, at least one, of one kind of thing in a picture of ``size``.

    ``alone``: it is the only thing that is annotated in the picture.
    """

    size: Size
    boxes: tuple[Box, ...]
    alone: bool

    @property
    def share(self) -> float:
        """Share of the picture that the largest box covers."""
        return max(area(box) for box in self.boxes) / (self.size[0] * self.size[1])

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups it is counted in beside all: where the centre point misses, and its size."""
        size = "small" if self.share < SMALL else "medium" if self.share < MEDIUM else "large"
        middle = (self.size[0] / 2, self.size[1] / 2)
        return (size,) if any(distance(middle, box) == 0 for box in self.boxes) else (size, "off_center")


def area(box: Box) -> int:
    """Return the pixels of a box; 0 where it is turned inside out."""
    return max(0, box.right - box.left) * max(0, box.bottom - box.top)


def iou(one: Box, other: Box) -> float:
    """Return the intersection over the union of two boxes, in [0, 1]: Everingham et al. 2010, IJCV 88, section 4.2."""
    shared = Box(
        max(one.left, other.left), max(one.top, other.top), min(one.right, other.right), min(one.bottom, other.bottom)
    )
    both = area(shared)
    union = area(one) + area(other) - both
    return both / union if union else 0.0


def best_iou(box: Box | None, boxes: Sequence[Box]) -> float:
    """Return the IoU with the box that fits best; 0 where there is no box."""
    return 0.0 if box is None else max(iou(box, other) for other in boxes)


def distance(point: tuple[float, float], box: Box) -> float:
    """Return how far a point lies outside a box, in pixels along the worse axis; 0 inside and on its edge."""
    x, y = point
    return max(box.left - x, x - box.right, box.top - y, y - box.bottom, 0)


def pointing(values: Map, target: Target, tolerance: float = 0) -> float:
    """Return whether the map's highest place lies in a box, or at most ``tolerance`` pixels from one: 1 or 0.

    The pointing game: Zhang et al. 2018, IJCV 126, "Top-down neural attention by excitation backprop". A place is the
    centre of a cell. Of several that are equally high, the share that lies in a box: an even map scores chance.
    """
    height, width = values.shape
    cells = np.argwhere(values == values.max())
    x = (cells[:, 1] + 0.5) * target.size[0] / width
    y = (cells[:, 0] + 0.5) * target.size[1] / height
    inside = np.zeros(len(cells), np.bool_)
    for box in target.boxes:
        across = (box.left - tolerance <= x) & (x <= box.right + tolerance)
        inside |= across & (box.top - tolerance <= y) & (y <= box.bottom + tolerance)
    return float(inside.mean())


def energy(values: Map, target: Target) -> float:
    """Return the share of the map's values that lies inside the boxes, in [0, 1]; 0 for a map of zeros.

    The energy-based pointing game: Wang et al. 2020, CVPR workshops, "Score-CAM", section 4.2.
    """
    total = float(values.sum(dtype=np.float64))
    return float((values * coverage(target, values.shape)).sum(dtype=np.float64)) / total if total else 0.0


def coverage(target: Target, shape: tuple[int, ...]) -> Map:
    """Return the share of each cell of a map (h, w) that the boxes cover together."""
    mask = np.zeros((target.size[1], target.size[0]), np.float32)
    for box in target.boxes:
        mask[max(box.top, 0) : box.bottom, max(box.left, 0) : box.right] = 1
    shares = _overlaps(shape[0], target.size[1]) @ mask @ _overlaps(shape[1], target.size[0]).T
    return np.asarray(shares, np.float32)


def _overlaps(cells: int, pixels: int) -> Map:
    """Return the share of each cell along a side that each pixel fills, (cells, pixels)."""
    edges = np.arange(cells + 1) * pixels / cells
    starts = np.arange(pixels)
    shared = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.maximum(shared, 0) * cells / pixels, np.float32)


def measure(values: Map, target: Target) -> dict[str, float]:
    """Return what can be said of a map without making boxes of it: pointing, the same with tolerance, and energy."""
    return {
        "pointing": pointing(values, target),
        f"pointing_{TOLERANCE}px": pointing(values, target, TOLERANCE),
        "energy": energy(values, target),
    }


def max_box_accuracy(fits: NDArray[np.float64], level: float = 0.5) -> float:
    """Return the share of pictures whose box fits, at the threshold of the map that is best for all of them together.

    ``fits`` (pictures, thresholds): the IoU of each picture's box at each threshold. MaxBoxAcc: Choe et al. 2020, CVPR,
    "Evaluating weakly supervised object localization methods right", section 3.2. It is an upper bound: the threshold
    is chosen on what is measured. 0 for no picture.
    """
    return float((fits >= level).mean(axis=0).max()) if fits.size else 0.0


def baselines(size: Size, *, seed: int = 0, cells: int = 32) -> Mapping[str, Map]:
    """Return maps that saw no picture: "center", a Gaussian in the middle; "whole_image", even; "chance", noise.

    The first as Choe et al. 2020, section 4.4; its deviation is a quarter of each side.
    """
    width, height = size
    shape = (max(1, round(cells * height / max(size))), max(1, round(cells * width / max(size))))
    y, x = (np.linspace(-1, 1, 2 * n + 1)[1::2] for n in shape)
    middle = np.exp(-2 * (y[:, None] ** 2 + x**2))
    chance = np.random.default_rng(seed).random(shape, np.float32)
    return MappingProxyType(
        {"center": middle.astype(np.float32), "whole_image": np.ones(shape, np.float32), "chance": chance}
    )
