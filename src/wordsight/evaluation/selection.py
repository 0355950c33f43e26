"""Measures of a decision: precision, recall and F1 of the images that a rule selects, as sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.evaluation.judgements import judgements
from wordsight.evaluation.statistics import Interval, bootstrap_interval
from wordsight.types import Qrels


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """Precision, recall and F1 of each query with a relevant image, (m,) each in [0, 1].

    Policy for what the formulas leave open: a query for which nothing was selected has precision 0, recall 0 and F1 0,
    and is in ``empty``; one without a relevant image is in ``left_out``, and what was selected for it is not looked at.
    Ignored images count neither way.
    """

    ids: tuple[str, ...]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    empty: tuple[str, ...]
    left_out: tuple[str, ...]

    def intervals(self, *, seed: int = 0) -> dict[str, Interval]:
        """Return ``name -> mean and bootstrap interval`` over the queries."""
        values = {"precision": self.precision, "recall": self.recall, "F1": self.f1}
        return {name: bootstrap_interval(each, seed=seed) for name, each in values.items()}

    def per_query(self) -> dict[str, dict[str, float]]:
        """Return ``measure -> query -> value``."""
        values = {"precision": self.precision, "recall": self.recall, "F1": self.f1}
        return {name: dict(zip(self.ids, each.tolist(), strict=True)) for name, each in values.items()}


def evaluate_selection(
    selected: NDArray[np.bool_], query_ids: Sequence[str], image_ids: Sequence[str], qrels: Qrels
) -> SelectionResult:
    """Score a mask (queries, images), such as ``rule.select(scores)``, against what is right.

    Relevant images that are not among ``image_ids`` count as not found. Raises ``BadInput`` for a mask of another shape
    and when no query has a relevant image.
    """
    if selected.shape != (len(query_ids), len(image_ids)):
        raise BadInput(f"expected a mask ({len(query_ids)}, {len(image_ids)}), got {selected.shape}")
    truth = judgements(query_ids, image_ids, qrels)
    there = np.asarray([_relevant(qrels, query) for query in query_ids])
    kept = np.flatnonzero(there)
    if not len(kept):
        raise BadInput("no query has a relevant image, so there is nothing to measure")
    chosen = (selected & truth.counted)[kept]
    right = (chosen & truth.relevant[kept]).sum(axis=1)
    count = chosen.sum(axis=1)
    return SelectionResult(
        ids=tuple(query_ids[row] for row in kept.tolist()),
        precision=right / np.maximum(count, 1),
        recall=right / there[kept],
        f1=2 * right / (count + there[kept]),
        empty=tuple(query_ids[row] for row, n in zip(kept.tolist(), count, strict=True) if n == 0),
        left_out=tuple(query for query, n in zip(query_ids, there, strict=True) if n == 0),
    )


def _relevant(qrels: Qrels, query: str) -> int:
    ignored = qrels.ignored.get(query, frozenset())
    return sum(grade > 0 and image not in ignored for image, grade in qrels.grades.get(query, {}).items())
