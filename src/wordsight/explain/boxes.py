"""From a map to boxes in the pixels of the upright original picture."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.types import Box, SaliencyMap

Mode = Literal["components", "one", "peak"]

THRESHOLD = 0.3


def boxes(
    saliency: SaliencyMap,
    size: tuple[int, int],
    threshold: float = THRESHOLD,
    *,
    mode: Mode = "components",
    most: int = 5,
    least: float = 0.002,
) -> list[Box]:
    """Return the boxes around what stands out of a map, best first; ``size`` (width, height) is the picture's.

    Cells of at least ``threshold`` times the map's highest value count. "components": a box around each connected
    group (also over corners) of at least ``least`` of the picture's area, at most ``most``; its score is the group's
    share of all values that count. "one": a single box around all. "peak": that of the group which holds the highest
    place alone. No box for a map of zeros, which no place speaks in.
    """
    if not 0 < threshold <= 1:
        raise BadInput(f"expected a threshold above 0 and at most 1, got {threshold}")
    values = saliency.values
    counted = (values >= threshold * values.max()) & (values > 0)
    if not counted.any():
        return []
    if mode == "one":
        return [_box(np.argwhere(counted), values.shape, size, 1.0)]
    groups = components(counted)
    total = float(values[counted].sum())
    found = []
    peak = int(groups.flat[int(values.argmax())])
    for number in [peak] if mode == "peak" else range(1, int(groups.max()) + 1):
        cells = np.argwhere(groups == number)
        score = float(values[groups == number].sum()) / total
        found.append((len(cells), _box(cells, values.shape, size, score)))
    found.sort(key=lambda item: (-item[1].score, item[1]))
    large = [box for cells, box in found if cells >= least * values.size]
    return (large or [found[0][1]])[:most]


def components(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the connected groups of a mask (h, w), over edges and corners, numbered from 1; 0 elsewhere.

    Union-find over the runs of each row: Rosenfeld and Pfaltz 1966 (JACM 13), runs instead of pixels.
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    parents = list(range(len(starts)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    above: list[int] = []
    row = -1
    current: list[int] = []
    for run, (y, left) in enumerate(starts.tolist()):
        if y != row:
            above, current, row = (current if y == row + 1 else []), [], y
        right = int(stops[run, 1])
        for other in above:
            if starts[other, 1] <= right and stops[other, 1] >= left:
                parents[root(run)] = root(other)
        current.append(run)
    groups = np.zeros(mask.shape, np.int32)
    numbers: dict[int, int] = {}
    for run, (y, left) in enumerate(starts.tolist()):
        groups[y, left : stops[run, 1]] = numbers.setdefault(root(run), len(numbers) + 1)
    return groups


def _box(cells: NDArray[np.int64], shape: tuple[int, ...], size: tuple[int, int], score: float) -> Box:
    (top, left), (bottom, right) = cells.min(axis=0), cells.max(axis=0) + 1
    across, down = size[0] / shape[1], size[1] / shape[0]
    return Box(round(left * across), round(top * down), round(right * across), round(bottom * down), score)
