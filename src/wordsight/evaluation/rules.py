"""Decision rules: which of the scored images are the answer. Values that any engine's scores can be given to.

Of a query without an answer (a row of NaN) no rule selects anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.protocols import Selection
from wordsight.types import Scores


@dataclass(frozen=True, slots=True)
class TopK:
    """The ``k`` best images of each query; of equal scores the first column, so let the columns be sorted by id."""

    k: int

    def __str__(self) -> str:
        return f"top:{self.k}"

    def __post_init__(self) -> None:
        if self.k < 0:
            raise ValueError(f"k must not be negative, got {self.k}")

    def select(self, scores: Scores) -> NDArray[np.bool_]:
        """Return a mask of the same shape (queries, images) with ``min(k, images)`` in each row."""
        mask = np.zeros(scores.shape, dtype=np.bool_)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
        np.put_along_axis(mask, best, True, axis=1)
        return mask & ~np.isnan(scores)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Every image whose score reaches ``threshold``; it means the same for all queries only if their scores do."""

    threshold: float

    def __str__(self) -> str:
        return f"at-least:{self.threshold:g}"

    def select(self, scores: Scores) -> NDArray[np.bool_]:
        """Return a mask of the same shape (queries, images)."""
        return np.asarray(scores >= self.threshold, dtype=np.bool_)  # never true of NaN


@dataclass(frozen=True, slots=True)
class Assigned:
    """Every image goes to the one query that scores it best: the cluster rule, ``KMeans.predict(x) == label``."""

    def __str__(self) -> str:
        return "assigned"

    def select(self, scores: Scores) -> NDArray[np.bool_]:
        """Return a mask of the same shape (queries, images) with one query a column; equal scores go to the first."""
        mask = np.zeros(scores.shape, dtype=np.bool_)
        if len(scores):
            answered = np.where(np.isnan(scores), -np.inf, scores)
            mask[answered.argmax(axis=0), np.arange(scores.shape[1])] = True
        return mask & ~np.isnan(scores)


def parse_rule(text: str) -> Selection:
    """Return the rule that ``text`` names: "top:10", "at-least:0.25" or "assigned". Raises ``BadInput`` for others."""
    name, _, number = text.partition(":")
    try:
        if name == "top":
            return TopK(int(number))
        if name == "at-least":
            return AtLeast(float(number))
    except ValueError as error:
        raise BadInput(f"{text!r} is not a rule: {error}") from error
    if text == "assigned":
        return Assigned()
    raise BadInput(f"expected a rule such as top:10, at-least:0.25 or assigned, got {text!r}")
