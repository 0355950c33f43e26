"""Where two engines disagree most: the queries, and the pictures of a query, as data that a report can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wordsight.errors import BadInput
from wordsight.evaluation.judgements import judgements
from wordsight.fusion import ranks
from wordsight.types import Qrels, Scores


class QueryDisagreement(NamedTuple):
    """A query and its value with each engine."""

    query_id: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Positive: the first engine is better."""
        return self.first - self.second


class PictureDisagreement(NamedTuple):
    """A picture that one engine ranks far before the other: its ranks (1 is best), and whether it is relevant."""

    query_id: str
    image_id: str
    first_rank: int
    second_rank: int
    relevant: bool

    @property
    def first_is_right(self) -> bool:
        """Whether the engine that ranks it better is the first one and it is relevant, or the other way round."""
        return (self.first_rank < self.second_rank) == self.relevant


def query_disagreements(
    first: Mapping[str, float], second: Mapping[str, float], *, most: int = 10
) -> list[QueryDisagreement]:
    """Return the ``most`` queries whose values differ most, the largest difference first; equal ones are left out.

    ``first`` and ``second`` are query -> value, of the same queries; raises ``BadInput`` for others.
    """
    if first.keys() != second.keys():
        raise BadInput("expected values of the same queries from both engines")
    found = [QueryDisagreement(query, first[query], second[query]) for query in first if first[query] != second[query]]
    return sorted(found, key=lambda each: (-abs(each.difference), each.query_id))[:most]


def picture_disagreements(
    first: Scores, second: Scores, query_ids: Sequence[str], image_ids: Sequence[str], qrels: Qrels, *, most: int = 10
) -> list[PictureDisagreement]:
    """Return the ``most`` pairs of query and picture whose ranks are furthest apart, at most one a picture.

    ``first`` and ``second`` (queries, images), higher is better. Ranks are compared by their logarithms, for between
    the ranks 1 and 100 lies more than between 1,001 and 1,100. Queries without an answer and ignored pictures are left
    out. Raises ``BadInput`` for shapes that differ.
    """
    if first.shape != second.shape or first.shape != (len(query_ids), len(image_ids)):
        raise BadInput(f"expected two score matrices of one shape, got {first.shape} and {second.shape}")
    truth = judgements(query_ids, image_ids, qrels)
    answered = ~(np.isnan(first) | np.isnan(second))
    one, two = (ranks(np.where(answered, scores, 0.0)) for scores in (first, second))
    gaps = np.where(answered & truth.counted, np.abs(np.log(one / two)), 0.0)
    rows = gaps.argmax(axis=0)  # the query on which each picture divides the engines most
    columns = np.argsort(-gaps[rows, np.arange(len(image_ids))], kind="stable")[:most]
    return [
        PictureDisagreement(
            query_id=query_ids[row],
            image_id=image_ids[column],
            first_rank=int(one[row, column]),
            second_rank=int(two[row, column]),
            relevant=bool(truth.relevant[row, column]),
        )
        for row, column in zip(rows[columns].tolist(), columns.tolist(), strict=True)
        if gaps[row, column] > 0
    ]
