"""How sure a mean is, and whether two engines really differ: intervals, paired tests, corrections, effect sizes.

Everything is seeded: the same values give the same answer. numpy and the standard library suffice (``NormalDist`` is
the one distribution needed), so scipy stays out of the base install.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordsight.errors import BadInput

_CELLS = 1 << 20  # random numbers drawn at a time: memory stays flat, however many queries there are


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it may lie: ``low <= mean <= high``, in the unit of the values, at confidence ``level``."""

    low: float
    mean: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How two engines differ on the same queries; positive: the first is better.

    ``difference`` is that of the means and ``interval`` where it may lie. ``p`` in (0, 1] is the chance of a difference
    at least as large, either way, if the engines were exchangeable on every query. ``effect`` in [-1, 1] is the
    matched-pairs rank-biserial correlation: 1 where the first wins on all queries that differ, 0 where there is none.
    ``cohens_d`` is the mean difference in its own standard deviations; ``None`` where they do not vary.
    """

    difference: float
    interval: Interval
    p: float
    effect: float
    cohens_d: float | None


def bootstrap_interval(values: ArrayLike, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Interval:
    """Return the mean of ``values`` (n,) and its bootstrap interval, bias-corrected and accelerated (BCa).

    Values that are all the same, one value among them, give an interval of no width: the data say nothing about the
    spread. Raises ``BadInput`` for no values, values that are not finite, or a ``level`` outside (0, 1).
    Source: Efron 1987, "Better Bootstrap Confidence Intervals", JASA 82; Efron & Tibshirani 1993, section 14.3.
    """
    sample = _checked(values)
    _check_resamples(resamples)
    if not 0 < level < 1:
        raise BadInput(f"expected a level of confidence between 0 and 1, such as 0.95, got {level}")
    mean = float(sample.mean())
    centred = sample - mean
    farthest = float(np.abs(centred).max())
    if np.ptp(sample) == 0 or farthest == 0:
        return Interval(mean, mean, mean, level)
    means = _resampled_means(sample, resamples, np.random.default_rng(seed))
    normal = NormalDist()
    # Half of those that equal the mean count as below it: means of few values tie often.
    below = (np.count_nonzero(means < mean) + 0.5 * np.count_nonzero(means == mean)) / resamples
    bias = normal.inv_cdf(min(max(below, 1 / (resamples + 1)), resamples / (resamples + 1)))
    unit = centred / farthest  # the acceleration has no unit, and powers of tiny values would vanish
    acceleration = float((unit**3).sum()) / (6 * float((unit**2).sum()) ** 1.5)
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        place = bias + normal.inv_cdf(share)
        ends.append(normal.cdf(bias + place / max(1 - acceleration * place, 1e-9)))
    low, high = np.quantile(means, ends)
    return Interval(min(float(low), mean), mean, max(float(high), mean), level)


def paired_test(a: ArrayLike, b: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> PairedTest:
    """Compare two engines by their values (n,) on the same n queries with a randomisation test of the mean difference.

    Under the null hypothesis the two values of a query could be exchanged: all 2^n ways where these are no more than
    ``resamples``, else that many random ones (of which the observed one is counted as one more, so ``p`` is never 0).
    Raises ``BadInput`` for values that are not finite or not as many.
    Sources: Fisher 1935; Smucker, Allan & Carterette 2007 (CIKM); effect: Kerby 2014, "The simple difference formula".
    """
    first, second = _checked(a), _checked(b)
    if first.shape != second.shape:
        raise BadInput(f"expected two values for each query, got {len(first)} and {len(second)}")
    _check_resamples(resamples)
    differences = first - second
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    mean = float(differences.mean())
    return PairedTest(
        difference=mean,
        interval=bootstrap_interval(differences, resamples=resamples, seed=seed),
        p=_randomisation_p(differences, resamples, np.random.default_rng(seed)),
        effect=_rank_biserial(differences),
        cohens_d=mean / spread if spread > 0 else None,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p values corrected for being many, in the order given: their family-wise error is that of one test.

    Each is at least what it was, at most 1. Raises ``BadInput`` for values outside [0, 1]. Source: Holm 1979,
    "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    values = np.asarray(p_values, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise BadInput(f"expected p values in [0, 1], got {list(p_values)}")
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return tuple(corrected.tolist())


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise BadInput(f"expected one finite value for each of at least one query, got an array {sample.shape}")
    return sample


def _check_resamples(resamples: int) -> None:
    if resamples < 1:
        raise BadInput(f"expected at least one resample, got {resamples}")


def _resampled_means(sample: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    step = max(1, _CELLS // len(sample))
    parts = [
        sample[rng.integers(0, len(sample), (min(step, resamples - start), len(sample)))].mean(axis=1)
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)


def _randomisation_p(differences: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> float:
    moving = np.abs(differences[differences != 0])  # the others do not change whichever way they are turned
    observed = abs(float(differences.sum()))
    # What is equal but for rounding counts as equal.
    reached = observed - 1e-12 * float(moving.sum())
    if 1 << min(len(moving), 62) <= resamples:
        signs = 1 - 2 * ((np.arange(1 << len(moving))[:, None] >> np.arange(len(moving))) & 1)
        return float(np.mean(np.abs(signs @ moving) >= reached))
    step = max(1, _CELLS // len(moving))
    extreme = 0
    for start in range(0, resamples, step):
        signs = 1 - 2 * rng.integers(0, 2, (min(step, resamples - start), len(moving)))
        extreme += int(np.count_nonzero(np.abs(signs @ moving) >= reached))
    return (extreme + 1) / (resamples + 1)


def _rank_biserial(differences: NDArray[np.float64]) -> float:
    moving = differences[differences != 0]
    if not len(moving):
        return 0.0
    _, places, counts = np.unique(np.abs(moving), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[places]  # equal sizes share the mean of their ranks
    return float((np.sign(moving) * ranks).sum() / ranks.sum())
