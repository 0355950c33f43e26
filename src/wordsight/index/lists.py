"""Approximate search: rows in lists around centroids, of which a query scans the closest; for very many rows.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", 2011, section IV (inverted lists). Here the
lists hold the rows in 8 bits; what they propose is scored by the exact rows, so scores and order equal exact search.
Building is one pass over the rows, where a graph searches itself for each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import means, nearest
from wordsight.errors import CatalogueError
from wordsight.index.exact import ExactIndex, best, positions, similarity, to_half
from wordsight.types import Embeddings, Metric, Neighbours, RowIds, Scores

PROBES = 40
"""Lists that a query scans at least."""

# Lists for each root of the number of rows. Twice as many shorter ones need half the rows scanned for the same recall,
# and twice the time to build.
_FINENESS = 2
_TRAINED = 48  # rows for each centroid
_ROUNDS = 8
_CHUNK = 32_768
# So many candidates for each hit wanted, and at least, are scored exactly.
_RESCORED, _LEAST_RESCORED = 4, 48
# The lists scanned hold so many rows for each hit wanted.
_SCANNED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """``order`` (n,) are places of rows, list after list; list i is ``order[starts[i]:starts[i + 1]]``.

    ``codes`` (n, dim) int8 times ``scales`` (n,) are the rows in that order, ``squares`` their squared lengths.
    """

    centroids: NDArray[np.float32]
    starts: NDArray[np.int64]
    order: NDArray[np.int32]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    squares: NDArray[np.float32]


class ListIndex:
    """Inverted lists beside the exact rows they were built from."""

    def __init__(self, rows: ExactIndex, lists: Lists | None = None) -> None:
        self.dim = rows.dim
        self.metric = rows.metric
        self.rows = rows
        self._take(build_lists(rows) if lists is None else lists)

    def _take(self, lists: Lists) -> None:
        self._lists = lists
        self._starts: list[int] = lists.starts.tolist()
        self._squares = (lists.centroids**2).sum(axis=1)

    @classmethod
    def open(cls, folder: Path, prefix: str, rows: ExactIndex) -> ListIndex:
        """Memory-map saved lists; raises ``CatalogueError`` when they are damaged or not those of ``rows``."""
        try:
            parts = {name: np.load(file, mmap_mode="r") for name, file in _files(folder, prefix).items()}
        except (ValueError, EOFError) as error:
            raise CatalogueError(f"{folder} holds no readable lists: {error}") from error
        lists = Lists(**{name: np.asarray(part) for name, part in parts.items()})
        if not _fit(lists, rows):
            raise CatalogueError(f"the lists in {folder} are not those of its {len(rows)} rows: rebuild the index")
        return cls(rows, lists)

    def save(self, folder: Path, prefix: str) -> None:
        """Write the lists as files whose names begin with ``prefix``; the caller replaces folders atomically."""
        for name, file in _files(folder, prefix).items():
            np.save(file, getattr(self._lists, name))

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows; an id that is there already is replaced. Lists are built anew: for changes there are layers."""
        self.rows.add(ids, vectors)
        self._take(build_lists(self.rows))

    def remove(self, ids: RowIds) -> None:
        """Remove rows; unknown ids are ignored."""
        self.rows.remove(ids)
        self._take(build_lists(self.rows))

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, rows allowed)`` closest rows that the lists hold, best first, ties by id.

        A filter widens the search by its selectivity; one that allows fewer rows than would be scanned is answered
        exactly.
        """
        queries = np.asarray(queries, np.float32).reshape(-1, self.dim)
        places = None if allowed is None else positions(self.rows.ids, allowed)
        eligible = len(self) if places is None else len(places)
        k = max(0, min(k, eligible))
        share = eligible / max(1, len(self))
        probes = max(PROBES, round(k * _SCANNED * len(self._lists.centroids) / max(1, len(self)))) / max(share, 1e-9)
        if k == 0 or eligible <= probes * len(self) / len(self._lists.centroids):
            return self.rows.search(queries, k, allowed)
        mask = None
        if places is not None:
            mask = np.zeros(len(self), np.bool_)
            mask[places] = True
        found = [self._one(query, k, round(probes), mask, allowed) for query in queries]
        empty = Neighbours(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        return Neighbours(
            np.concatenate([empty.ids, *(each.ids for each in found)]),
            np.concatenate([empty.scores, *(each.scores for each in found)]),
        )

    def scan(self, queries: Embeddings, allowed: RowIds | None = None) -> tuple[RowIds, Scores]:
        """Return the ids of all rows allowed, (n,), and their scores, (m, n), without the lists."""
        return self.rows.scan(queries, allowed)

    def _one(
        self, query: NDArray[np.float32], k: int, probes: int, mask: NDArray[np.bool_] | None, allowed: RowIds | None
    ) -> Neighbours:
        lists = self._lists
        closeness = _closeness(lists.centroids @ query, self._squares, self.metric)
        chosen = np.sort(np.argpartition(closeness, len(closeness) - probes)[len(closeness) - probes :]).tolist()
        parts = [slice(self._starts[i], self._starts[i + 1]) for i in chosen if self._starts[i] < self._starts[i + 1]]
        scores = self._approximate(query, parts)
        places = np.concatenate([lists.order[part] for part in parts])
        if mask is not None:
            kept = mask[places]
            places, scores = places[kept], scores[kept]
        if len(places) < k:  # the lists hold too few that pass the filter
            return self.rows.search(query[None], k, allowed)
        rescored = max(_RESCORED * k, _LEAST_RESCORED)
        if len(places) > rescored:
            places = places[np.argpartition(scores, len(scores) - rescored)[len(scores) - rescored :]]
        places = np.sort(places)
        exact = similarity(to_half(query[None]), self.rows.vectors.take(places, axis=0), self.metric)
        return best(self.rows.ids[places], exact, k)

    def _approximate(self, query: NDArray[np.float32], parts: list[slice]) -> NDArray[np.float32]:
        """Return how close the rows of ``parts`` are as their codes have it, one part after the other.

        On one thread: a list is compared faster than another thread is told of it.
        """
        lists, (code, scale) = self._lists, _coded(query[None])
        scores = np.empty(sum(part.stop - part.start for part in parts), np.float32)
        start = 0
        for part in parts:
            room = scores[start : start + part.stop - part.start]
            numkong.cdist(code, lists.codes[part], "dot", out=room[None])
            room *= lists.scales[part]
            if self.metric is Metric.EUCLIDEAN:
                room[:] = _closeness(room * scale[0], lists.squares[part], self.metric)
            start += len(room)
        return scores


def build_lists(rows: ExactIndex, *, seed: int = 0) -> Lists:
    """Cluster a sample of the rows and put each row into the list of its closest centroid."""
    count = max(1, round(_FINENESS * len(rows) ** 0.5))
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(len(rows))[: _TRAINED * count])
    centroids = _centroids(np.asarray(rows.vectors[sample], np.float32), count, rng)
    owners = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _CHUNK):
        some = np.asarray(rows.vectors[start : start + _CHUNK], np.float32)
        owners[start : start + _CHUNK] = nearest(some, centroids)[0]
    order = np.argsort(owners, kind="stable").astype(np.int32)
    starts = np.searchsorted(owners[order], np.arange(count + 1)).astype(np.int64)
    codes = np.empty((len(rows), rows.dim), np.int8)
    scales, squares = np.empty(len(rows), np.float32), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        vectors = np.asarray(rows.vectors[order[part]], np.float32)
        codes[part], scales[part] = _coded(vectors)
        squares[part] = (vectors**2).sum(axis=1)
    return Lists(centroids, starts, order, codes, scales, squares)


def _centroids(sample: Embeddings, count: int, rng: np.random.Generator) -> Embeddings:
    """Return ``count`` centroids after a few rounds of Lloyd's; one that lost all its rows stays where it was."""
    if not len(sample):
        return np.zeros((count, sample.shape[1]), np.float32)
    centroids = sample[rng.choice(len(sample), count, replace=len(sample) < count)].copy()
    for _ in range(_ROUNDS):
        owners = np.concatenate(
            [nearest(sample[start : start + _CHUNK], centroids)[0] for start in range(0, len(sample), _CHUNK)]
        )
        filled = np.bincount(owners, minlength=count) > 0
        centroids[filled] = means(sample, owners, count)[filled]
    return centroids


def _coded(rows: Embeddings) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return rows in 8 bits, and what each is to be multiplied by."""
    scales = np.maximum(np.abs(rows).max(axis=1), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def _closeness(dots: NDArray[Any], squares: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """Return what orders rows as the metric does, higher is closer."""
    return np.asarray(dots if metric is Metric.COSINE else 2 * dots - squares, np.float32)


def _files(folder: Path, prefix: str) -> dict[str, Path]:
    return {part.name: folder / f"{prefix}lists_{part.name}.npy" for part in fields(Lists)}


def _fit(lists: Lists, rows: ExactIndex) -> bool:
    """Whether the parts have the kinds and sizes that the rows ask for, and point at rows only."""
    n, dim, count = len(rows), rows.dim, len(lists.starts) - 1
    wanted = {
        "centroids": (np.float32, (count, dim)),
        "starts": (np.int64, (count + 1,)),
        "order": (np.int32, (n,)),
        "codes": (np.int8, (n, dim)),
        "scales": (np.float32, (n,)),
        "squares": (np.float32, (n,)),
    }
    if any(
        getattr(lists, name).dtype != kind or getattr(lists, name).shape != shape
        for name, (kind, shape) in wanted.items()
    ):
        return False
    ordered = bool((np.diff(lists.starts) >= 0).all()) and lists.starts[0] == 0 and lists.starts[-1] == n
    return count > 0 and ordered and (n == 0 or (lists.order.min() >= 0 and lists.order.max() < n))
