"""Tables about single queries, labels and pictures: best and worst, confused, and where engines disagree."""

from __future__ import annotations

from collections.abc import Iterator

from wordsight.comparison.report.table import Table
from wordsight.comparison.results import Comparison, Disagreement, EngineResult
from wordsight.comparison.wording import percent

_MOST_CONFUSED = 5


def extremes(found: Comparison) -> Table:
    """Return the queries that each engine answers best and worst."""
    rows = tuple(
        (
            engine.name,
            said,
            query.query,
            percent(query.value),
            f"{sum(right for _, right in query.hits)} of {len(query.hits)}",
        )
        for engine in single(found)
        for said, queries in (("best", engine.best), ("worst", engine.worst))
        for query in queries
    )
    header = ("engine", "among the", "query", found.task.each, "first pictures right")
    return Table("queries", "Best and worst queries", header, rows)


def confused(found: Comparison) -> Table:
    """Return, for each engine, the labels whose pictures it most often gives to one other label."""
    rows = tuple(row for engine in single(found) for row in _confused(engine, found.task.labels))
    note = (
        "The share of the pictures of a label that one they do not show scores best: the largest of each engine. Where "
        "pictures show several labels, those with another of theirs on top are left out."
    )
    header = ("engine", "pictures of", "taken for", "share")
    return Table("confused", "Labels that are taken for each other", header, rows, note)


def _confused(engine: EngineResult, labels: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    wrong = [
        (share, label, other)
        for label, row in zip(labels, engine.confusion or (), strict=False)
        for other, share in zip(labels, row, strict=True)
        if other != label and share > 0
    ]
    for share, label, other in sorted(wrong, reverse=True)[:_MOST_CONFUSED]:
        yield engine.name, label, other, percent(share)


def gaps(pair: Disagreement, measure: str) -> Table:
    """Return the queries on which two engines differ most in ``measure``."""
    rows = tuple((gap.query_id, percent(gap.first), percent(gap.second)) for gap in pair.queries)
    title = f"Where {pair.first} and {pair.second} disagree most"
    return Table("gaps", title, ("query", f"{pair.first}: {measure}", f"{pair.second}: {measure}"), rows)


def apart(pair: Disagreement) -> Table:
    """Return the pictures that two engines rank furthest apart."""
    rows = tuple(
        (gap.image_id, gap.query_id, "yes" if gap.relevant else "no", f"{gap.first_rank:,}", f"{gap.second_rank:,}")
        for gap in pair.pictures
    )
    title = f"Pictures that {pair.first} and {pair.second} rank furthest apart"
    return Table("apart", title, ("picture", "query", "shows it", f"{pair.first}: rank", f"{pair.second}: rank"), rows)


def single(found: Comparison) -> list[EngineResult]:
    """Return the engines that are no fusion of others."""
    return [engine for engine in found.engines if engine.kind != "fusion"]
