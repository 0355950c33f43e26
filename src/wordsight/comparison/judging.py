"""From the answers of several engines to what can be said about them: intervals, tests, where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from wordsight.comparison.cost import Cost
from wordsight.comparison.measuring import (
    Figures,
    best_threshold,
    confusion,
    cut,
    figures,
    main_measure,
    precision_curve,
    truth,
)
from wordsight.comparison.results import Difference, Disagreement, EngineResult, QueryHits, Trust
from wordsight.comparison.workbench import Scored
from wordsight.datasets.task import TaskKind
from wordsight.errors import BadInput
from wordsight.evaluation.disagreement import picture_disagreements, query_disagreements
from wordsight.evaluation.measures import parse
from wordsight.evaluation.original import OriginalProtocol, original_protocol
from wordsight.evaluation.reliability import reliability
from wordsight.evaluation.rules import Assigned, AtLeast, TopK
from wordsight.evaluation.statistics import Interval, bootstrap_interval, holm, paired_test
from wordsight.fusion import Fusion, fuse
from wordsight.protocols import Selection

FUSIONS = {"rank fusion": Fusion.RRF, "score fusion": Fusion.ZSCORE}
"""Name -> how several engines' scores become one: sums of 1 / (60 + rank), and of standardised scores."""

_SHOWN_QUERIES = 5
_SHOWN_PICTURES = 6
_SHOWN_PAIRS = 12
_SHOWN_HITS = 10  # of a query whose match estimates are judged, as `wordsight evaluate --estimates` does
_EXTREMES = 3  # or fewer, so that no query is among the best and the worst


def fused(answers: Mapping[str, Scored]) -> dict[str, Scored]:
    """Return the fusions of the engines' answers to the same queries; nothing for fewer than two engines."""
    if len(answers) < 2:
        return {}
    task = next(iter(answers.values())).task
    matrices = [answer.scores for answer in answers.values()]
    return {name: Scored(task, np.asarray(fuse(matrices, how), np.float32)) for name, how in FUSIONS.items()}


def judged(name: str, kind: str, scored: Scored, *, fingerprint: str, about: str, cost: Cost | None) -> EngineResult:
    """Return all that is said about one engine by itself."""
    found, task = figures(scored), scored.task
    measure = parse(main_measure(task.kind))
    labelled = task.kind is not TaskKind.CAPTION
    ordered = sorted(found.values[measure.name].items(), key=lambda item: -item[1])
    threshold = best_threshold(scored) if labelled else 0.0
    few = min(_EXTREMES, len(ordered) // 2)
    return EngineResult(
        name=name,
        kind=kind,
        fingerprint=fingerprint,
        about=about,
        means={mean: round(value, 6) for mean, value in found.means.items()},
        intervals={
            parse(each).mean_name: _rounded(bootstrap_interval(list(found.values[each].values())))
            for each in (measure.name, "accuracy")
            if each in found.values
        },
        per_query={query: round(value, 6) for query, value in found.values[measure.name].items()} if labelled else {},
        curve=[round(value, 5) for value in precision_curve(scored)],
        confusion=[[round(share, 4) for share in row] for row in confusion(scored)] if labelled else None,
        original=_original(scored, Assigned()) if labelled else None,
        original_threshold=_original(scored, AtLeast(threshold)) if labelled else None,
        cut=cut(scored, threshold) if labelled else None,
        estimates=_trust(scored) if labelled else None,
        best=tuple(_hits(scored, query, value) for query, value in ordered[:few]),
        worst=tuple(_hits(scored, query, value) for query, value in ordered[: -few - 1 : -1]),
        cost=cost,
    )


def compared(answers: Mapping[str, Scored]) -> tuple[Difference, ...]:
    """Test every two engines: on the queries, and on the pictures where each has one label; Holm over all tests."""
    found = {name: figures(answer) for name, answer in answers.items()}
    tests = [test for first, second in combinations(found, 2) for test in _tests(first, second, found, answers)]
    corrected = holm([test.p for test in tests])
    return tuple(replace(test, p_holm=p) for test, p in zip(tests, corrected, strict=True))


def _tests(
    first: str, second: str, found: Mapping[str, Figures], answers: Mapping[str, Scored]
) -> Iterator[Difference]:
    measure = parse(main_measure(answers[first].task.kind))
    for each, over in ((measure, "queries"), (parse("accuracy"), "pictures")):
        mine, theirs = found[first].values.get(each.name), found[second].values.get(each.name)
        if mine is None or theirs is None:
            continue
        test = paired_test(list(mine.values()), [theirs[key] for key in mine])
        interval = test.interval
        yield Difference(
            measure=each.mean_name,
            over=over,
            count=len(mine),
            first=first,
            second=second,
            difference=test.difference,
            low=interval.low,
            high=interval.high,
            p=test.p,
            p_holm=test.p,
            effect=test.effect,
        )


def disagreement(first: str, second: str, answers: Mapping[str, Scored]) -> Disagreement:
    """Return the queries whose main measure, and the pictures whose ranks, differ most between two engines."""
    one, other = answers[first], answers[second]
    task = one.task
    name = parse(main_measure(task.kind)).name
    queries, images = [query.query_id for query in task.queries], [image.image_id for image in task.images]
    return Disagreement(
        first,
        second,
        tuple(query_disagreements(figures(one).values[name], figures(other).values[name], most=_SHOWN_QUERIES)),
        tuple(picture_disagreements(one.scores, other.scores, queries, images, task.qrels, most=_SHOWN_PAIRS)),
    )


def _hits(scored: Scored, query: str, value: float) -> QueryHits:
    row = [each.query_id for each in scored.task.queries].index(query)
    grades = scored.task.qrels.grades[query]
    order = np.argsort(-scored.scores[row], kind="stable")[: 0 if query in scored.silent else _SHOWN_PICTURES]
    ids = [scored.task.images[column].image_id for column in order]
    return QueryHits(query, round(value, 6), tuple((i, grades.get(i, 0) > 0) for i in ids))


def _original(scored: Scored, rule: Selection) -> dict[str, Interval] | None:
    try:
        result = original_protocol(scored.scores, truth(scored.task).relevant, OriginalProtocol(rule=rule))
    except BadInput:  # a small gallery in which some draw has no label
        return None
    return {name: _rounded(interval) for name, interval in result.intervals().items()}


def _trust(scored: Scored) -> Trust | None:
    if scored.estimates is None:
        return None
    judged = truth(scored.task)
    first = TopK(_SHOWN_HITS).select(np.where(judged.counted, scored.scores, -np.inf)) & judged.counted
    over = (reliability(scored.estimates[pairs], judged.relevant[pairs]) for pairs in (first, judged.counted))
    return Trust(*over)


def _rounded(interval: Interval) -> Interval:
    return replace(interval, low=round(interval.low, 6), mean=round(interval.mean, 6), high=round(interval.high, 6))
