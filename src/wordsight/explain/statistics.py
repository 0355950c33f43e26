"""A map in a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wordsight.types import SaliencyMap


@dataclass(frozen=True, slots=True)
class MapStatistics:
    """What a map looks like.

    ``peak``: (x, y) of its highest place, in pixels of the original picture; ``None`` for a map of zeros. ``entropy``
    in [0, 1]: 0 where one place holds everything, 1 where all places are alike. ``above``: the share of the picture's
    area with at least ``threshold`` times the highest value.
    """

    peak: tuple[float, float] | None
    entropy: float
    above: float
    threshold: float


def statistics(saliency: SaliencyMap, size: tuple[int, int], threshold: float) -> MapStatistics:
    """Return the statistics of a map of a picture of ``size`` (width, height); the peak is the middle of its place."""
    values = saliency.values.astype(np.float64)
    total = float(values.sum())
    if total <= 0:
        return MapStatistics(None, 1.0, 0.0, threshold)
    row, column = divmod(int(values.argmax()), values.shape[1])
    peak = ((column + 0.5) * size[0] / values.shape[1], (row + 0.5) * size[1] / values.shape[0])
    shares = values[values > 0] / total
    entropy = -float((shares * np.log(shares)).sum()) / math.log(values.size) if values.size > 1 else 0.0
    return MapStatistics(peak, max(entropy, 0.0), float((values >= threshold * values.max()).mean()), threshold)
