"""Scores a run, or a matrix of scores, against what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.evaluation.measures import Judged, Measure, Values
from wordsight.evaluation.statistics import Interval, bootstrap_interval
from wordsight.types import Hit, Qrels, Ranking, Run, Scores

# Cells of a score matrix that are worked on at a time: a few dozen megabytes, whatever the size of the task.
_BLOCK = 1 << 21
# Means of many values are nearly normal: their intervals need fewer resamples.
_MANY, _FEW, _ENOUGH = 1000, 2_000, 10_000


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """The values of one measure: ``values`` (m,) in [0, 1] of ``ids`` (queries; images where it is turned)."""

    measure: Measure
    ids: tuple[str, ...]
    values: Values

    @property
    def mean(self) -> float:
        """The mean over ``ids``, in [0, 1]."""
        return float(self.values.mean())

    def by_id(self) -> dict[str, float]:
        """Return ``id -> value``."""
        return dict(zip(self.ids, self.values.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All results, and the queries that are special: ``left_out`` had no relevant image, ``missing`` no answer."""

    results: tuple[MeasureResult, ...]
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def means(self) -> dict[str, float]:
        """Return ``name of the mean -> mean``, in the order the measures were given."""
        return {result.measure.mean_name: result.mean for result in self.results}

    def intervals(self, *, level: float = 0.95, seed: int = 0) -> dict[str, Interval]:
        """Return ``name of the mean -> bootstrap interval`` over the queries (images where the measure is turned)."""
        return {
            result.measure.mean_name: bootstrap_interval(
                result.values, level=level, resamples=_FEW if len(result.values) > _MANY else _ENOUGH, seed=seed
            )
            for result in self.results
        }

    def per_query(self) -> dict[str, dict[str, float]]:
        """Return ``measure -> id -> value``."""
        return {result.measure.name: result.by_id() for result in self.results}


def evaluate_run(run: Run, qrels: Qrels, measures: Sequence[Measure]) -> Evaluation:
    """Score a run: all queries of ``qrels`` count, those the run does not answer as 0; other queries are not looked at.

    Raises ``BadInput`` for a turned measure, which needs all scores, and when no query has a relevant image.
    """
    turned = [measure.name for measure in measures if measure.turned]
    if turned:
        raise BadInput(f"{', '.join(turned)} cannot be read from a run: it needs the scores of every image")
    relevant = _relevant(qrels)
    kept = _answerable(list(qrels.grades), relevant)
    blocks: list[Judged] = []
    depth = max((len(ranking) for ranking in run.rankings.values()), default=0)
    for rows in _blocks(len(kept), depth):
        grades = np.zeros((len(rows), depth), np.int64)
        for row, query in enumerate(kept[rows.start : rows.stop]):
            ignored = qrels.ignored.get(query, frozenset())
            hits = run.rankings[query].hits if query in run.rankings else ()
            found = [relevant[query].get(hit.image_id, 0) for hit in hits if hit.image_id not in ignored]
            grades[row, : len(found)] = found
        blocks.append(Judged(grades, _ideal([relevant[query] for query in kept[rows.start : rows.stop]])))
    return Evaluation(
        tuple(_result(measure, kept, blocks) for measure in measures),
        left_out=tuple(query for query in qrels.grades if not relevant[query]),
        missing=tuple(query for query in kept if query not in run.rankings),
    )


def evaluate_scores(
    scores: Scores, query_ids: Sequence[str], image_ids: Sequence[str], qrels: Qrels, measures: Sequence[Measure]
) -> Evaluation:
    """Score a matrix (queries, images), higher is better; equal scores are ordered by id, as everywhere.

    The same values as ``evaluate_run`` on the complete run, without building one. Relevant images that are not among
    ``image_ids`` count as not found. A row of NaN is a query without an answer: it finds nothing, no image finds it.
    Raises ``BadInput`` for other scores that are not numbers, ids that do not fit the shape or repeat, and when no
    query has a relevant image.
    """
    _check(scores, query_ids, image_ids)
    straight = [measure for measure in measures if not measure.turned]
    turned = [measure for measure in measures if measure.turned]
    computed: dict[str, MeasureResult] = {}
    relevant = _relevant(qrels)
    if straight:
        computed |= _score_matrix(scores, query_ids, image_ids, relevant, qrels.ignored, straight)
    if turned:
        by_image = _turn(relevant)
        ignored_texts = _turn({query: dict.fromkeys(images, 1) for query, images in qrels.ignored.items()})
        ignored = {image: frozenset(texts) for image, texts in ignored_texts.items()}
        for name, result in _score_matrix(scores.T, image_ids, query_ids, by_image, ignored, turned).items():
            computed[name] = _by_text(result, query_ids, relevant) if result.measure.by_text else result
    return Evaluation(
        tuple(computed[measure.name] for measure in measures),
        left_out=tuple(query for query in query_ids if not relevant.get(query)),
        missing=tuple(
            query for query, row in zip(query_ids, scores, strict=True) if relevant.get(query) and np.isnan(row).any()
        ),
    )


def run_from_scores(
    name: str, scores: Scores, query_ids: Sequence[str], image_ids: Sequence[str], depth: int = 1000
) -> Run:
    """Return the ``depth`` best images of each query that has an answer as a run.

    Raises ``BadInput`` as ``evaluate_scores`` does.
    """
    _check(scores, query_ids, image_ids)
    columns = np.argsort(np.asarray(image_ids, dtype=object), kind="stable")
    rankings = {}
    for query, row in zip(query_ids, scores, strict=True):
        if np.isnan(row).any():
            continue
        best = columns[np.argsort(-row[columns], kind="stable")[:depth]]
        hits = (Hit(image_ids[column], float(row[column]), rank) for rank, column in enumerate(best, start=1))
        rankings[query] = Ranking(query, tuple(hits))
    return Run(name, rankings)


def _score_matrix(
    scores: Scores,
    row_ids: Sequence[str],
    column_ids: Sequence[str],
    relevant: Mapping[str, Mapping[str, int]],
    ignored: Mapping[str, frozenset[str]],
    measures: Sequence[Measure],
) -> dict[str, MeasureResult]:
    kept = _answerable(row_ids, relevant)
    place = {query: row for row, query in enumerate(row_ids)}
    rows = np.array([place[query] for query in kept])
    # Columns in the order of their ids and a stable sort give the total order (-score, id).
    columns = np.argsort(np.asarray(column_ids, dtype=object), kind="stable")
    column_of = {column_ids[column]: rank for rank, column in enumerate(columns)}
    blocks = []
    for part in _blocks(len(kept), len(columns)):
        queries = kept[part.start : part.stop]
        block = scores[rows[part.start : part.stop]][:, columns]
        wanted = [relevant[query] for query in queries]
        grades = _in_rank_order(block, wanted, [ignored.get(query, frozenset()) for query in queries], column_of)
        blocks.append(Judged(grades, _ideal(wanted)))
    return {measure.name: _result(measure, kept, blocks) for measure in measures}


def _in_rank_order(
    scores: Scores,
    relevant: Sequence[Mapping[str, int]],
    ignored: Sequence[frozenset[str]],
    column_of: Mapping[str, int],
) -> NDArray[np.int64]:
    """Return the grades by rank; ignored images go to the end, where a grade of 0 means nothing, and so does NaN."""
    grades = np.zeros(scores.shape, np.int64)
    order = np.argsort(-scores, axis=1, kind="stable")  # NaN comes last
    for row, (wanted, unwanted) in enumerate(zip(relevant, ignored, strict=True)):
        for image, grade in wanted.items():
            if image in column_of:
                grades[row, column_of[image]] = grade
        out = [column_of[image] for image in unwanted if image in column_of]
        if out:
            order[row] = order[row][np.argsort(np.isin(order[row], out), kind="stable")]
    grades[np.isnan(scores)] = 0
    return np.take_along_axis(grades, order, axis=1)


def _result(measure: Measure, ids: Sequence[str], blocks: Sequence[Judged]) -> MeasureResult:
    return MeasureResult(measure, tuple(ids), np.concatenate([measure.compute(block) for block in blocks]))


def _by_text(result: MeasureResult, texts: Sequence[str], relevant: Mapping[str, Mapping[str, int]]) -> MeasureResult:
    value = result.by_id()
    means = {}
    for text in texts:
        own = [value[image] for image in relevant.get(text, ()) if image in value]
        if own:
            means[text] = sum(own) / len(own)
    return MeasureResult(result.measure, tuple(means), np.array(list(means.values())))


def _relevant(qrels: Qrels) -> dict[str, dict[str, int]]:
    """Return the positive grades; an image that is ignored for a query is not relevant to it."""
    nothing: frozenset[str] = frozenset()
    return {
        query: {i: grade for i, grade in row.items() if grade > 0 and i not in qrels.ignored.get(query, nothing)}
        for query, row in qrels.grades.items()
    }


def _turn(table: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    turned: dict[str, dict[str, int]] = {}
    for query, row in table.items():
        for image, grade in row.items():
            turned.setdefault(image, {})[query] = grade
    return turned


def _answerable(ids: Sequence[str], relevant: Mapping[str, Mapping[str, int]]) -> list[str]:
    kept = [query for query in ids if relevant.get(query)]
    if not kept:
        raise BadInput("no query has a relevant image, so there is nothing to measure")
    return kept


def _ideal(relevant: Sequence[Mapping[str, int]]) -> NDArray[np.int64]:
    ideal = np.zeros((len(relevant), max(len(row) for row in relevant)), np.int64)
    for place, row in enumerate(relevant):
        ideal[place, : len(row)] = sorted(row.values(), reverse=True)
    return ideal


def _blocks(rows: int, columns: int) -> Iterator[range]:
    step = max(1, _BLOCK // max(1, columns))
    return (range(start, min(start + step, rows)) for start in range(0, rows, step))


def _check(scores: Scores, query_ids: Sequence[str], image_ids: Sequence[str]) -> None:
    if scores.shape != (len(query_ids), len(image_ids)):
        raise BadInput(f"expected scores ({len(query_ids)}, {len(image_ids)}), got {scores.shape}")
    if len(set(query_ids)) < len(query_ids) or len(set(image_ids)) < len(image_ids):
        raise BadInput("expected ids that are all different, got the same id twice")
    unknown = np.isnan(scores)
    if (unknown.any(axis=1) & ~unknown.all(axis=1)).any():
        raise BadInput("expected scores that can be ordered, or none for a query, got NaN for some of its images")
