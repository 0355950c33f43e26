"""Fusion: one ranking out of several engines' scores for the same queries and pictures; knows no engine.

Every engine gives a matrix of scores (queries, pictures), higher is better. A row of NaN is an engine that abstains on
that query (a closed vocabulary that does not know the text): the others decide alone. Where all abstain the fused row
is NaN too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput

RRF_K = 60
"""The constant of reciprocal-rank fusion, as in its paper."""


class Scale(StrEnum):
    """How scores are made comparable, for each query by itself."""

    ZSCORE = "zscore"
    """Less their mean, in their standard deviations."""
    MINMAX = "minmax"
    """From 0, the worst picture, to 1, the best."""


class Fusion(StrEnum):
    """The ways to fuse."""

    RRF = "rrf"
    """``reciprocal_rank_fusion``."""
    ZSCORE = "zscore"
    """``score_fusion`` of z-scores."""
    MINMAX = "minmax"
    """``score_fusion`` of scores from 0 to 1."""


def fuse(
    score_matrices: Sequence[NDArray[np.floating]],
    how: Fusion | str = Fusion.RRF,
    *,
    weights: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Return the scores fused in the way called ``how``, (queries, pictures), higher is better."""
    if Fusion(how) is Fusion.RRF:
        return reciprocal_rank_fusion(score_matrices, weights=weights)
    return score_fusion(score_matrices, scale=Scale(Fusion(how).value), weights=weights)


def reciprocal_rank_fusion(
    score_matrices: Sequence[NDArray[np.floating]], *, k: float = RRF_K, weights: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Return sum over engines of weight / (k + rank), (queries, pictures), higher is better.

    Pictures with equal scores share the best of their ranks. ``weights`` None: all 1. Raises ``BadInput`` for matrices
    that do not fit together, rows in which only some scores are NaN, or negative weights or ``k``.
    Source: Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet" (SIGIR).
    """
    if not k >= 0:
        raise BadInput(f"expected a constant k of at least 0, got {k}")
    return _sum(score_matrices, lambda scores: 1.0 / (k + ranks(scores)), weights)


def score_fusion(
    score_matrices: Sequence[NDArray[np.floating]],
    *,
    scale: Scale | str = Scale.ZSCORE,
    weights: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Return the sum over engines of weight * scaled score, (queries, pictures), higher is better.

    A row whose scores are all the same adds 0. ``weights`` None: all 1. Raises ``BadInput`` as
    ``reciprocal_rank_fusion`` does. Source: Fox & Shaw 1993, "Combination of multiple searches" (CombSUM).
    """
    return _sum(score_matrices, _SCALES[Scale(scale)], weights)


def ranks(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rank of each picture for each query, (queries, pictures): 1 is best, equal scores share the best."""
    matrix = np.asarray(scores, np.float64)
    result = np.empty(matrix.shape)
    for row, out in zip(matrix, result, strict=True):
        out[:] = 1 + np.searchsorted(np.sort(-row), -row, side="left")
    return result


def _zscores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = scores.std(axis=1, keepdims=True)
    scaled: NDArray[np.float64] = (scores - scores.mean(axis=1, keepdims=True)) / _never_zero(spread, scores)
    return scaled


def _unit_range(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    low = scores.min(axis=1, keepdims=True)
    reach = _never_zero(scores.max(axis=1, keepdims=True) - low, scores)
    scaled: NDArray[np.float64] = (scores - low) / reach
    return scaled


_SCALES = {Scale.ZSCORE: _zscores, Scale.MINMAX: _unit_range}


def _never_zero(reach: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``reach``, or infinity where it is but rounding: then all scores of the query are the same."""
    size = np.abs(scores).max(axis=1, keepdims=True, initial=0.0)
    same = reach <= 1e-12 * size
    return np.where(same, np.inf, reach)


def _sum(
    score_matrices: Sequence[NDArray[np.floating]],
    contribution: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    weights: Sequence[float] | None,
) -> NDArray[np.float64]:
    """Return the weighted sum of what each engine's scores contribute, engines that abstain left out."""
    matrices = [np.asarray(scores, np.float64) for scores in score_matrices]
    shapes = sorted({matrix.shape for matrix in matrices})
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise BadInput(f"expected scores (queries, pictures) of one shape from at least one engine, got {shapes}")
    weights = [1.0] * len(matrices) if weights is None else weights
    if len(weights) != len(matrices) or not all(weight >= 0 for weight in weights):
        raise BadInput(f"expected one weight of at least 0 for each of {len(matrices)} engines, got {list(weights)}")
    total = np.zeros(shapes[0])
    answered = np.zeros(len(total), np.bool_)
    for matrix, weight in zip(matrices, weights, strict=True):
        speaks = ~np.isnan(matrix).all(axis=1)
        if not np.isfinite(matrix[speaks]).all():
            raise BadInput("expected a query's scores to be all finite, or all NaN for an engine that abstains")
        total[speaks] += weight * contribution(matrix[speaks])
        answered |= speaks
    total[~answered] = np.nan
    return total
