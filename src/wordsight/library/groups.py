"""Photos that belong together by their vectors: duplicates, near-duplicates, clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import kmeans_large, nearest
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.library.filters import Filters
from wordsight.library.pairs import close_pairs, components
from wordsight.types import Embeddings, RowIds

NEAR = 0.95
"""Cosine from which two photos count as near-duplicates: the same scene, scaled, cropped a little or saved anew."""

MOST = 200_000
"""Photos that are compared with each other, the newest in the catalogue: their vectors take 300 MB meanwhile."""

Digests: TypeAlias = Callable[[NDArray[np.intp]], Sequence[str]]
"""From places among vectors to the SHA-256 of their pictures, in the same order."""

_FROM = "FROM contents c JOIN files f ON f.content_id = c.id JOIN folders d ON d.id = f.folder_id"


@dataclass(frozen=True, slots=True)
class NearGroup:
    """Different pictures that look alike; ``similarity`` is the least between one and its closest in the group."""

    similarity: float
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoCluster:
    """Photos around one centre; ``closest`` by SHA-256, the closest first. ``centre`` (dim,)."""

    count: int
    closest: tuple[str, ...]
    centre: NDArray[np.float32]


def copies(catalogue: Catalogue, filters: Filters, *, most: int = 100) -> list[tuple[str, list[Path]]]:
    """Return the contents that several files which pass ``filters`` hold, with these: most files first."""
    condition, values = filters.where()
    with catalogue.snapshot():
        rows = catalogue.db.execute(
            f"SELECT c.sha256 {_FROM} WHERE {condition} GROUP BY c.id "
            "HAVING count(*) > 1 ORDER BY count(*) DESC, c.sha256 LIMIT ?",
            [*values, most],
        ).fetchall()
        return [(sha256.hex(), paths(catalogue, sha256.hex(), filters)) for (sha256,) in rows]


def paths(catalogue: Catalogue, sha256: str, filters: Filters) -> list[Path]:
    """Return the files that hold a content and pass ``filters``, sorted."""
    condition, values = filters.where()
    with catalogue.snapshot():
        rows = catalogue.db.execute(
            f"SELECT d.path, f.name {_FROM} WHERE c.sha256 = ? AND ({condition}) ORDER BY d.path, f.name",
            [bytes.fromhex(sha256), *values],
        ).fetchall()
    return [Path(folder) / name for folder, name in rows]


def near_duplicates(
    catalogue: Catalogue, encoder: StoredEncoder, filters: Filters, threshold: float = NEAR
) -> list[NearGroup]:
    """Return groups of different pictures, linked by cosines of at least ``threshold``; the most alike first.

    The newest ``MOST`` photos that pass ``filters`` are compared; see ``pairs`` for how. Raises ``BadInput`` for a
    threshold that nearly all photos reach.
    """
    ids, vectors = _vectors(catalogue, encoder, filters, MOST)
    return near_groups(vectors, threshold, lambda places: _digests(catalogue, ids[places]))


def near_groups(vectors: Embeddings, threshold: float, digests: Digests) -> list[NearGroup]:
    """Return the groups of ``near_duplicates`` among n different pictures, (n, dim) of any length."""
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    first, second, cosines = close_pairs(vectors, threshold)
    closest = np.zeros(len(vectors), np.float32)
    np.maximum.at(closest, first, cosines)
    np.maximum.at(closest, second, cosines)
    leaders = components(len(vectors), first, second)
    members: dict[int, list[int]] = {}
    linked = np.flatnonzero(closest > 0)
    for place in linked.tolist():
        members.setdefault(int(leaders[place]), []).append(place)
    names = dict(zip(linked.tolist(), digests(linked), strict=True))
    groups = [
        NearGroup(min(1.0, round(float(closest[group].min()), 4)), tuple(names[place] for place in group))
        for group in members.values()
    ]
    return sorted(groups, key=lambda group: (-group.similarity, group.contents))


def clusters(
    catalogue: Catalogue, encoder: StoredEncoder, filters: Filters, k: int, *, shown: int = 24, seed: int = 0
) -> list[PhotoCluster]:
    """Return ``k`` clusters of the photos that pass ``filters``, the largest first; fewer of fewer photos.

    By KMeans of their vectors.
    """
    ids, vectors = _vectors(catalogue, encoder, filters)
    return clustered(vectors, k, lambda places: _digests(catalogue, ids[places]), shown=shown, seed=seed)


def clustered(vectors: Embeddings, k: int, digests: Digests, *, shown: int = 24, seed: int = 0) -> list[PhotoCluster]:
    """Return the clusters of ``clusters`` among n pictures, (n, dim)."""
    k = min(k, len(vectors))
    if not k:
        return []
    centres = kmeans_large(vectors, k, seed=seed).centroids
    assigned, distances = nearest(vectors, centres)
    found = []
    for cluster in range(k):
        places = np.flatnonzero(assigned == cluster)
        first = places[np.argsort(distances[places], kind="stable")][:shown]
        found.append(PhotoCluster(len(places), tuple(digests(first)), centres[cluster]))
    return sorted((one for one in found if one.count), key=lambda one: (-one.count, one.closest))


def _vectors(
    catalogue: Catalogue, encoder: StoredEncoder, filters: Filters, most: int | None = None
) -> tuple[RowIds, Embeddings]:
    """Return ids and vectors of the photos that pass, the newest ``most`` of them, in the order of their ids."""
    with catalogue.snapshot():
        ids, vectors = catalogue.vectors_after(encoder, 0)
        if not filters.is_empty:
            condition, values = filters.where()
            rows = catalogue.db.execute(
                f"SELECT v.id {_FROM} JOIN vectors v ON v.content_id = c.id WHERE v.encoder_id = ? AND ({condition})",
                [encoder.id, *values],
            )
            kept = np.isin(ids, np.fromiter((row for (row,) in rows), np.int64))
            ids, vectors = ids[kept], vectors[kept]
    first = 0 if most is None else max(0, len(ids) - most)
    return ids[first:], np.asarray(vectors[first:], np.float32)


def _digests(catalogue: Catalogue, ids: RowIds) -> list[str]:
    """Return the SHA-256 of each vector's picture."""
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500].tolist()
        rows = catalogue.db.execute(
            "SELECT v.id, c.sha256 FROM vectors v JOIN contents c ON c.id = v.content_id "
            f"WHERE v.id IN ({','.join('?' * len(part))})",
            part,
        )
        found |= {row: sha256.hex() for row, sha256 in rows}
    return [found[row] for row in ids.tolist()]
