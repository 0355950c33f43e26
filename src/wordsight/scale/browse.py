"""What there is to see in a store before anything is asked: all photos, what they can be filtered by, copies, clusters.

The mirror of ``library.browse``, ``facets`` and ``groups``. What looks at every row looks at a bounded number of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.index.lance import in_list, matrix
from wordsight.library.browse import BrowsePlace
from wordsight.library.facets import Facets, gathered
from wordsight.library.filters import Filters
from wordsight.library.groups import MOST, NearGroup, PhotoCluster, clustered, near_groups
from wordsight.library.hits import Answer, PhotoHit
from wordsight.scale.conditions import condition, quoted
from wordsight.scale.rows import from_text
from wordsight.scale.search import COLUMNS, hit_of
from wordsight.scale.store import Store
from wordsight.types import Address, Embeddings, Query

LOOKED_AT = 1_000_000
"""Rows at most that facets and copies are counted among."""


def count(store: Store, filters: Filters) -> int:
    """Return how many photos pass."""
    return store.photos.count(condition(filters))


def browse(
    store: Store, filters: Filters, *, top: int, after: BrowsePlace | None = None, searched: int | None = None
) -> tuple[Answer, BrowsePlace | None]:
    """Return the next ``top`` photos that pass, newest first and those without a date last, and where they end.

    As ``library.browse.browse``, but for photos of one date, which come by their whole paths.
    """
    start = after or BrowsePlace(0, "~", "", "")  # "~" sorts behind every digit
    when, path = quoted(start.captured_at), quoted(start.folder)
    behind = f"captured_at < {when} OR (captured_at = {when} AND path > {path}) OR captured_at IS NULL"
    if not start.captured_at:
        behind = f"captured_at IS NULL AND path > {path}"
    wanted = condition(filters)
    where = f"({behind})" if wanted is None else f"({behind}) AND ({wanted})"
    order = {"captured_at": False, "path": True}
    ids = store.photos.first(["id", *order], where, order, top + 1)["id"].to_pylist()
    rows = {row["id"]: row for row in _by_id(store, ids)}
    found = [rows[key] for key in ids if key in rows]
    searched = count(store, filters) if searched is None else searched
    hits = tuple(hit_of(row, 0.0, start.rank + number) for number, row in enumerate(found[:top], start=1))
    if len(found) <= top:
        return Answer(Query(()), hits, searched), None
    last = found[top - 1]
    end = BrowsePlace(start.rank + top, last["captured_at"] or "", from_text(last["path"]), "")
    return Answer(Query(()), hits, searched), end


def facets(store: Store, filters: Filters) -> Facets:
    """Count what the first ``LOOKED_AT`` photos that pass have; folders count what lies below them, too."""
    columns = ("path", "camera", "captured_at", "format")
    rows = store.photos.rows(columns, condition(filters), limit=LOOKED_AT)
    folders = Counter(from_text(path).rpartition("/")[0] for path in rows["path"].to_pylist())
    years = Counter(when[:4] for when in rows["captured_at"].to_pylist() if when)
    cameras = Counter(from_text(camera) for camera in rows["camera"].to_pylist() if camera is not None)
    return gathered(
        folders=_counted(folders),
        cameras=_counted(cameras),
        years=_counted(years),
        types=_counted(Counter(rows["format"].to_pylist())),
        roots=_roots(store, list(folders)),
    )


def copies(store: Store, filters: Filters, *, most: int = 100) -> list[tuple[str, list[Path]]]:
    """Return contents that several of the first ``LOOKED_AT`` photos that pass have, with all of these."""
    wanted = condition(filters)
    digests = np.asarray(store.photos.rows(["sha256"], wanted, limit=LOOKED_AT)["sha256"].to_pylist(), "U64")
    contents, counts = np.unique(digests, return_counts=True)
    order = np.lexsort((contents, -counts))
    several = [str(contents[place]) for place in order[:most] if counts[place] > 1]
    return [(sha256, [Address(hit.path) for hit in files(store, sha256, filters)]) for sha256 in several]


def near_duplicates(store: Store, filters: Filters, threshold: float) -> list[NearGroup]:
    """Return the groups of ``library.groups.near_duplicates`` among the last ``MOST`` photos that pass."""
    digests, vectors = _vectors(store, filters)
    return near_groups(vectors, threshold, lambda places: [digests[place] for place in places])


def clusters(store: Store, filters: Filters, k: int) -> list[PhotoCluster]:
    """Return the clusters of ``library.groups.clusters`` of the last ``MOST`` photos that pass."""
    digests, vectors = _vectors(store, filters)
    return clustered(vectors, k, lambda places: [digests[place] for place in places])


def files(store: Store, sha256: str, filters: Filters) -> list[PhotoHit]:
    """Return the photos with a content that pass, by path."""
    wanted = condition(filters)
    same = f"sha256 = {quoted(sha256)}"
    rows = store.photos.rows(COLUMNS, same if wanted is None else f"{same} AND ({wanted})").to_pylist()
    return sorted((hit_of(row, 0.0) for row in rows), key=lambda hit: str(hit.path))


def _by_id(store: Store, ids: Sequence[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.photos.rows(COLUMNS, in_list("id", ids)).to_pylist()
    return rows


def _vectors(store: Store, filters: Filters) -> tuple[list[str], Embeddings]:
    """Return the SHA-256 and vector of the last ``MOST`` photos that pass, each content once."""
    wanted = condition(filters)
    offset = max(0, store.photos.count(wanted) - MOST)
    rows = store.photos.rows(["sha256", "vector"], wanted, limit=MOST, offset=offset)
    digests = rows["sha256"].to_pylist()
    _, first = np.unique(np.asarray(digests, "U64"), return_index=True)
    first.sort()
    vectors = matrix(rows["vector"], store.header.dim)[first].astype(np.float32)
    return [digests[place] for place in first.tolist()], vectors


def _counted(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _roots(store: Store, folders: Sequence[str]) -> list[Path]:
    """Return below what folders are shown: what was indexed, where the store knows it, else what all have in common."""
    if store.header.roots:
        return [Address(root) for root in store.header.roots]
    by_storage: dict[str, list[str]] = {}
    for folder in folders:
        scheme, separator, rest = folder.rpartition("://")
        by_storage.setdefault(scheme + separator + rest.partition("/")[0], []).append(folder)
    return [Address(_common(some)) for some in by_storage.values()]


def _common(folders: Sequence[str]) -> str:
    """Return the folder that all lie in or are."""
    first, last = min(folders).split("/"), max(folders).split("/")  # what these share, all between them do
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return "/".join(first[:shared]) or "/"
