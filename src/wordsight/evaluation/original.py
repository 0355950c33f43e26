"""The original protocol: small random galleries, one label each, a yes or no for every picture.

This is how the clustering script that the project grew out of measured itself. It is kept, exactly and seeded, so that
old figures can be compared; docs/evaluation.md says why the mean average precision over the whole gallery is sounder.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.evaluation.rules import Assigned
from wordsight.evaluation.statistics import Interval, bootstrap_interval
from wordsight.protocols import Selection
from wordsight.types import Scores


@dataclass(frozen=True, slots=True)
class OriginalProtocol:
    """``galleries`` draws of ``candidates`` pictures each, and the ``rule`` that says which of them show the label.

    ``Assigned()`` is the cluster rule; ``AtLeast(threshold)`` the threshold rule. ``seed`` decides the draws.
    """

    galleries: int = 300
    candidates: int = 100
    rule: Selection = field(default_factory=Assigned)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.galleries < 1 or self.candidates < 1:
            raise BadInput(
                f"expected at least one gallery of at least one candidate, got {self.galleries} of {self.candidates}"
            )


@dataclass(frozen=True, slots=True)
class OriginalResult:
    """What the protocol gives: one value a gallery, (galleries,), each in [0, 1] and macro over the two classes.

    ``labels`` (galleries,) are the rows that were asked for.
    """

    config: OriginalProtocol
    labels: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    def intervals(self) -> dict[str, Interval]:
        """Return the mean of each measure with its bootstrap interval over the galleries."""
        values = {"precision": self.precision, "recall": self.recall, "F1": self.f1}
        return {name: bootstrap_interval(each, seed=self.config.seed) for name, each in values.items()}


def original_protocol(
    scores: Scores, relevant: NDArray[np.bool_], config: OriginalProtocol | None = None
) -> OriginalResult:
    """Measure scores (labels, pictures), higher is better, against ``relevant`` of the same shape.

    In each gallery of candidates (drawn without repeats; all where there are fewer pictures) one of the labels that is
    present there is drawn. "Shows it" and "does not" are two classes: precision, recall and F1 of each are averaged.
    A class that nothing was put into has precision 0, one that nothing belongs to recall 0, and F1 is 0 where both
    are, as in scikit-learn with ``zero_division=0``. Raises ``BadInput`` for shapes that differ, or a drawn gallery
    without any label.
    """
    config = config or OriginalProtocol()
    if scores.shape != relevant.shape or scores.ndim != 2:
        raise BadInput(f"expected scores and what is relevant of one shape, got {scores.shape} and {relevant.shape}")
    rng = np.random.default_rng(config.seed)
    chosen = config.rule.select(scores)
    labels = np.empty(config.galleries, np.int64)
    rows = np.empty((config.galleries, 3))
    for gallery in range(config.galleries):
        columns = rng.permutation(scores.shape[1])[: config.candidates]
        present = np.flatnonzero(relevant[:, columns].any(axis=1))
        if not len(present):
            raise BadInput(f"no label is present among the {len(columns)} candidates of a gallery; draw more of them")
        labels[gallery] = rng.choice(present)
        rows[gallery] = macro_scores(chosen[labels[gallery], columns], relevant[labels[gallery], columns])
    return OriginalResult(config, labels, *rows.T)


def macro_scores(chosen: NDArray[np.bool_], relevant: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of two masks (n,), each averaged over the classes "shows it" and "does not"."""
    pairs = ((chosen, relevant), (~chosen, ~relevant))
    precision, recall, f1 = zip(*(_scores_of_class(found, wanted) for found, wanted in pairs), strict=True)
    return sum(precision) / 2, sum(recall) / 2, sum(f1) / 2


def _scores_of_class(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> tuple[float, float, float]:
    right, put, there = (int(np.count_nonzero(mask)) for mask in (found & wanted, found, wanted))
    return right / max(put, 1), right / max(there, 1), 2 * right / max(put + there, 1)
