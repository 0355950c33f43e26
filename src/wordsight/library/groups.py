"""Photos that belong together by their vectors: duplicates, near-duplicates, clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import kmeans_large, nearest
from wordsight.index.exact import similarity
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.types import Embeddings, Metric, RowIds

NEAR = 0.95
"""Cosine from which two photos count as near-duplicates: the same scene, scaled, cropped a little or saved anew."""

MOST = 30_000
"""Photos that are compared with each other, the newest in the catalogue: every pair is looked at."""

_BLOCK = 512


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


def copies(catalogue: Catalogue, *, most: int = 100) -> list[tuple[str, list[Path]]]:
    """Return the contents that several files hold, with these: most files first."""
    with catalogue.snapshot():
        rows = catalogue.db.execute(
            "SELECT c.id, c.sha256 FROM files f JOIN contents c ON c.id = f.content_id GROUP BY c.id "
            "HAVING count(*) > 1 ORDER BY count(*) DESC, c.sha256 LIMIT ?",
            [most],
        ).fetchall()
        return [(sha256.hex(), _paths(catalogue, content)) for content, sha256 in rows]


def near_duplicates(catalogue: Catalogue, encoder: StoredEncoder, threshold: float = NEAR) -> list[NearGroup]:
    """Return groups of different pictures, linked by cosines of at least ``threshold``; the most alike first.

    All pairs of the newest ``MOST`` photos are compared, in blocks, so memory stays flat.
    """
    with catalogue.snapshot():
        ids, vectors = _newest(catalogue, encoder, MOST)
    leader = np.arange(len(ids))
    closest = np.zeros(len(ids), np.float32)
    for first, second, score in _pairs(vectors, threshold):
        closest[first], closest[second] = max(closest[first], score), max(closest[second], score)
        one, other = _top(leader, first), _top(leader, second)
        leader[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for place in np.flatnonzero(closest > 0).tolist():
        members.setdefault(_top(leader, place), []).append(place)
    digests = _digests(catalogue, ids[np.flatnonzero(closest > 0)])
    groups = [
        NearGroup(min(1.0, round(float(closest[group].min()), 4)), tuple(digests[int(ids[place])] for place in group))
        for group in members.values()
    ]
    return sorted(groups, key=lambda group: (-group.similarity, group.contents))


def clusters(
    catalogue: Catalogue, encoder: StoredEncoder, k: int, *, shown: int = 24, seed: int = 0
) -> list[PhotoCluster]:
    """Return ``k`` clusters of the photos by KMeans of their vectors, the largest first; fewer of fewer photos."""
    with catalogue.snapshot():
        ids, vectors = catalogue.vectors_after(encoder, 0)
    k = min(k, len(ids))
    if not k:
        return []
    centres = kmeans_large(vectors, k, seed=seed).centroids
    assigned, distances = nearest(vectors, centres)
    found = []
    for cluster in range(k):
        places = np.flatnonzero(assigned == cluster)
        first = ids[places[np.argsort(distances[places], kind="stable")][:shown]]
        digests = _digests(catalogue, first)
        found.append(PhotoCluster(len(places), tuple(digests[i] for i in first.tolist()), centres[cluster]))
    return sorted((one for one in found if one.count), key=lambda one: (-one.count, one.closest))


def _newest(catalogue: Catalogue, encoder: StoredEncoder, most: int) -> tuple[RowIds, Embeddings]:
    row = catalogue.db.execute(
        "SELECT id FROM vectors WHERE encoder_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?", [encoder.id, most]
    ).fetchone()
    ids, vectors = catalogue.vectors_after(encoder, row[0] if row else 0)
    vectors = np.asarray(vectors, np.float32)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return ids, np.asarray(vectors, np.float32)


def _pairs(vectors: Embeddings, threshold: float) -> Iterator[tuple[int, int, float]]:
    half = vectors.astype(np.float16)
    for start in range(0, len(half), _BLOCK):
        scores = similarity(half[start : start + _BLOCK], half[start:], Metric.COSINE)
        rows, columns = np.nonzero(scores >= threshold)
        later = columns > rows
        for row, column in zip(rows[later].tolist(), columns[later].tolist(), strict=True):
            yield start + row, start + column, float(scores[row, column])


def _top(leader: NDArray[np.intp], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = int(leader[place])
    return place


def _digests(catalogue: Catalogue, ids: RowIds) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500].tolist()
        rows = catalogue.db.execute(
            "SELECT v.id, c.sha256 FROM vectors v JOIN contents c ON c.id = v.content_id "
            f"WHERE v.id IN ({','.join('?' * len(part))})",
            part,
        )
        found |= {row: sha256.hex() for row, sha256 in rows}
    return found


def _paths(catalogue: Catalogue, content: int) -> list[Path]:
    rows = catalogue.db.execute(
        "SELECT d.path, f.name FROM files f JOIN folders d ON d.id = f.folder_id WHERE f.content_id = ? "
        "ORDER BY d.path, f.name",
        [content],
    )
    return [Path(folder) / name for folder, name in rows]
