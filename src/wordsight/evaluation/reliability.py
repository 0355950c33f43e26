"""Are estimated probabilities right? Bins of equal width, the expected calibration error, the Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wordsight.errors import BadInput


@dataclass(frozen=True, slots=True)
class Bin:
    """Estimates in ``[low, high)``, in the last bin also 1: their number, their mean, and the share that was right.

    An empty bin has neither mean nor share.
    """

    low: float
    high: float
    count: int
    estimate: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far estimates can be trusted; all figures in [0, 1], lower is better.

    ``error`` is the expected calibration error: the gap between estimate and share, averaged over the bins by their
    counts. ``worst`` is the largest gap of a bin. ``brier`` is the mean squared distance to what was right.
    """

    bins: tuple[Bin, ...]
    count: int
    error: float
    worst: float
    brier: float


def reliability(estimates: ArrayLike, right: ArrayLike, *, bins: int = 10) -> Reliability:
    """Compare ``estimates`` (n,), probabilities in [0, 1], with what was ``right`` (n,), True or False.

    Raises ``BadInput`` for no estimates, some outside [0, 1], arrays that do not fit, or no bin. Sources: Naeini et al.
    2015, "Obtaining Well Calibrated Probabilities" (AAAI); Brier 1950, Monthly Weather Review 78.
    """
    p, truth = np.asarray(estimates, np.float64), np.asarray(right, np.bool_)
    if p.ndim != 1 or p.shape != truth.shape or not len(p):
        raise BadInput(f"expected an estimate and a truth for each of at least one hit, got {p.shape}, {truth.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise BadInput("expected estimates in [0, 1]")
    if bins < 1:
        raise BadInput(f"expected at least one bin, got {bins}")
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.maximum(counts, 1)
    means = np.bincount(place, weights=p, minlength=bins) / filled
    shares = np.bincount(place, weights=truth, minlength=bins) / filled
    gaps = np.abs(means - shares)
    rows = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), means.tolist(), shares.tolist(), strict=True)
    return Reliability(
        bins=tuple(
            Bin(low, high, count, mean if count else None, share if count else None)
            for low, high, count, mean, share in rows
        ),
        count=len(p),
        error=float(gaps @ counts) / len(p),
        worst=float(gaps.max()),
        brier=float(np.mean((p - truth) ** 2)),
    )
