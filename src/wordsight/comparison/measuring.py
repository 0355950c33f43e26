"""From an answer to figures: the measures of a task, with an engine that abstains counted as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from wordsight.comparison.workbench import Scored
from wordsight.datasets.task import RetrievalTask, TaskKind
from wordsight.evaluation.evaluate import evaluate_scores
from wordsight.evaluation.judgements import Judgements, judgements
from wordsight.evaluation.measures import parse
from wordsight.evaluation.rules import AtLeast

_FOUND = ("Success@1", "Success@5", "Success@10")
MEASURES: Mapping[TaskKind, tuple[str, ...]] = MappingProxyType(
    {
        TaskKind.SINGLE_LABEL: ("AP", "accuracy", "mean_per_class", "AP11", "P@10", "Rprec"),
        TaskKind.MULTI_LABEL: ("AP", "AP11", "P@10", "Rprec"),
        TaskKind.CAPTION: ("RR", *_FOUND, *(f"image_to_text {name}" for name in _FOUND)),
    }
)
"""What is measured; the first is the main measure, which curves show and tests compare."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """``means``: name of the mean -> value. ``values``: measure -> id of the query (or picture) -> value.

    An engine that abstains on a query has found nothing there: 0. ``abstained`` is the share of the queries on which
    it did.
    """

    means: Mapping[str, float]
    values: Mapping[str, Mapping[str, float]]
    abstained: float


def main_measure(kind: TaskKind) -> str:
    """Return the name of the mean that stands for quality in a task of this kind."""
    return parse(MEASURES[kind][0]).mean_name


def figures(scored: Scored) -> Figures:
    """Return the figures of an answer; no means where no query has a picture that is right."""
    task = scored.task
    abstained = len(scored.abstained) / len(task.queries)
    asked = [task.qrels.grades.get(query.query_id, {}) for query in task.queries]
    if not any(grade > 0 for row in asked for grade in row.values()):
        return Figures({}, {}, abstained)
    measures = [parse(name) for name in MEASURES[task.kind]]
    evaluation = evaluate_scores(scored.scores, *_ids(task), task.qrels, measures)
    return Figures(evaluation.means(), evaluation.per_query(), abstained)


def truth(task: RetrievalTask) -> Judgements:
    """Return what is right, and what does not count, as masks (queries, pictures)."""
    return judgements(*_ids(task), task.qrels)


def _ids(task: RetrievalTask) -> tuple[list[str], list[str]]:
    return [query.query_id for query in task.queries], [image.image_id for image in task.images]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a threshold on the score lets through, over all pairs of query and picture; figures in [0, 1]."""

    threshold: float
    accepted: float
    precision: float
    recall: float
    f1: float


def cut(scored: Scored, threshold: float) -> Cut:
    """Return what ``AtLeast(threshold)`` gives."""
    judged = truth(scored.task)
    chosen = AtLeast(threshold).select(scored.scores) & judged.counted
    found = int(np.count_nonzero(chosen & judged.relevant))
    put, there = int(np.count_nonzero(chosen)), int(np.count_nonzero(judged.relevant))
    return Cut(
        threshold=threshold,
        accepted=put / max(int(np.count_nonzero(judged.counted)), 1),
        precision=found / max(put, 1),
        recall=found / max(there, 1),
        f1=2 * found / max(put + there, 1),
    )


def threshold_for(scored: Scored, accepted: float) -> float:
    """Return the threshold that lets through this share of the pairs."""
    ordered = np.sort(scored.scores[_answered(scored, truth(scored.task))])
    return float(ordered[min(len(ordered) - 1, round((1 - accepted) * len(ordered)))])


def best_threshold(scored: Scored) -> float:
    """Return the threshold with the largest F1 over all pairs of query and picture; of equals the highest."""
    judged = truth(scored.task)
    pairs = _answered(scored, judged)
    scores, is_right = scored.scores[pairs], judged.relevant[pairs]
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(is_right[order])
    f1 = 2 * hits / (np.arange(1, len(ordered) + 1) + max(int(judged.relevant.sum()), 1))
    ends = np.append(ordered[1:] < ordered[:-1], True)  # pairs of one score are let through together
    return float(ordered[int(np.argmax(np.where(ends, f1, -1)))])


def precision_curve(scored: Scored, points: int = 21) -> list[float]:
    """Return the mean over the queries of the best precision at recall 0, 1/20, ... 1 or beyond, (points,)."""
    judged, silent = truth(scored.task), scored.silent
    curves = []
    for row, query in enumerate(scored.task.queries):
        there = int(judged.relevant[row].sum())
        if not there:
            continue
        if query.query_id in silent:
            curves.append(np.zeros(points))
            continue
        kept = judged.counted[row]
        found = np.cumsum(judged.relevant[row][kept][np.argsort(-scored.scores[row][kept], kind="stable")])
        envelope = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
        reached = np.searchsorted(found, np.ceil(np.linspace(0, 1, points) * there - 1e-9), side="left")
        curves.append(envelope[np.minimum(reached, len(envelope) - 1)])
    mean: NDArray[np.float64] = np.mean(curves, axis=0)
    return [float(value) for value in mean]


def confusion(scored: Scored) -> list[list[float]]:
    """Return, for the pictures of each label (row), the share whose best label is each (column).

    Where a picture has several labels and the best is another of them, it is no picture that was confused with it: it
    counts in no other row than that of its best label.
    """
    judged = truth(scored.task)
    best = np.where(np.isnan(scored.scores), -np.inf, scored.scores).argmax(axis=0)
    m, pictures = len(judged.relevant), np.arange(len(best))
    fitting = (judged.relevant | ~judged.counted)[best, pictures]
    rows = [best[right & (~fitting | (best == label))] for label, right in enumerate(judged.relevant)]
    return [(np.bincount(row, minlength=m) / max(len(row), 1)).tolist() for row in rows]


def _answered(scored: Scored, judged: Judgements) -> NDArray[np.bool_]:
    """Return the pairs of query and picture that count and have a score."""
    return judged.counted & ~np.isnan(scored.scores)
