"""All photos, newest first: what there is to see before anything is asked."""

from __future__ import annotations

from typing import NamedTuple

from wordsight.library.catalogue import Catalogue
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer
from wordsight.library.search import COLUMNS, hit_of
from wordsight.types import Query

_FROM = "FROM contents c JOIN files f ON f.content_id = c.id JOIN folders d ON d.id = f.folder_id "
_COLUMNS = COLUMNS.replace("v.id", "c.id")


class BrowsePlace(NamedTuple):
    """Where a page ended."""

    rank: int
    captured_at: str
    folder: str
    name: str


def browse(
    catalogue: Catalogue,
    filters: Filters,
    *,
    top: int,
    after: BrowsePlace | None = None,
    searched: int | None = None,
) -> tuple[Answer, BrowsePlace | None]:
    """Return the next ``top`` photos that pass, newest first and those without a date last, and where they end.

    The place is ``None`` where nothing comes behind. ``searched``: what ``count`` returns, where it is known already.
    """
    start = after or BrowsePlace(0, "~", "", "")  # "~" sorts behind every digit
    condition, values = filters.where()
    with catalogue.snapshot():
        rows = catalogue.db.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE ({condition}) AND (coalesce(c.captured_at, '') < ? OR "
            "(coalesce(c.captured_at, '') = ? AND (d.path, f.name) > (CAST(? AS TEXT), CAST(? AS TEXT)))) "
            "ORDER BY coalesce(c.captured_at, '') DESC, d.path, f.name LIMIT ?",
            [*values, start.captured_at, start.captured_at, _bytes(start.folder), _bytes(start.name), top + 1],
        ).fetchall()
        searched = count(catalogue, filters) if searched is None else searched
    hits = tuple(hit_of(row, 0.0, start.rank + number) for number, row in enumerate(rows[:top], start=1))
    end = None
    if len(rows) > top:
        last = rows[top - 1]
        end = BrowsePlace(start.rank + top, last[8] or "", last[1], last[2])
    return Answer(Query(()), hits, searched), end


def count(catalogue: Catalogue, filters: Filters) -> int:
    """Return how many photos pass."""
    condition, values = filters.where()
    with catalogue.snapshot():
        return int(catalogue.db.execute(f"SELECT count(*) {_FROM} WHERE {condition}", values).fetchone()[0])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
