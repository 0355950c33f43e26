"""What there is to filter by: folders, cameras, years and types, with the number of photos of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wordsight.library.catalogue import Catalogue
from wordsight.library.filters import Filters
from wordsight.types import Address

_FROM = "FROM contents c JOIN files f ON f.content_id = c.id JOIN folders d ON d.id = f.folder_id"
_MOST = 200


@dataclass(frozen=True, slots=True)
class Facet:
    """A value to filter by, how it is shown, and how many photos have it."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The most frequent values of each kind, 200 at most, and how many photos pass the filters."""

    photos: int
    folders: tuple[Facet, ...]
    cameras: tuple[Facet, ...]
    years: tuple[Facet, ...]
    types: tuple[Facet, ...]


def facets(catalogue: Catalogue, filters: Filters) -> Facets:
    """Count what the photos that pass ``filters`` have; folders count what lies below them, too."""
    condition, values = filters.where()

    def counted(what: str) -> list[tuple[str, int]]:
        return catalogue.db.execute(
            f"SELECT {what} AS value, count(*) {_FROM} WHERE ({condition}) AND value IS NOT NULL "
            "GROUP BY value ORDER BY count(*) DESC, value",
            values,
        ).fetchall()

    with catalogue.snapshot():
        return gathered(
            folders=counted("d.path"),
            cameras=counted("c.camera"),
            years=counted("substr(c.captured_at, 1, 4)"),
            types=counted("c.format"),
            roots=catalogue.roots(),
        )


def gathered(
    *,
    folders: Sequence[tuple[str, int]],
    cameras: Sequence[tuple[str, int]],
    years: Sequence[tuple[str, int]],
    types: Sequence[tuple[str, int]],
    roots: Sequence[Path],
) -> Facets:
    """Return facets from counted values, each kind the most frequent first; ``folders`` below ``roots`` as paths."""
    return Facets(
        photos=sum(count for _, count in folders),
        folders=_folders(folders, roots),
        cameras=_plain(cameras),
        years=tuple(sorted(_plain(years), key=lambda one: one.value, reverse=True)),
        types=_plain(types),
    )


def _plain(rows: Sequence[tuple[str, int]]) -> tuple[Facet, ...]:
    return tuple(Facet(value, value, count) for value, count in rows[:_MOST])


def _folders(rows: Sequence[tuple[str, int]], roots: Sequence[Path]) -> tuple[Facet, ...]:
    counts: Counter[Path] = Counter()
    labels: dict[Path, str] = {}
    for text, count in rows:
        path = Address(text)
        root = next((root for root in roots if path.is_relative_to(root)), path)
        for folder in (path, *path.parents):
            counts[folder] += count
            labels[folder] = str(folder.relative_to(root)) if folder != root else root.name or str(root)
            if folder == root:
                break
    most = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:_MOST]
    return tuple(Facet(str(folder), labels[folder], count) for folder, count in sorted(most, key=lambda i: str(i[0])))
