"""Exact search: every row is compared, in half precision with SIMD kernels."""

from __future__ import annotations

from collections.abc import Callable

import numkong
import numpy as np
from numpy.typing import NDArray

from wordsight.index.coarse import Coarse, shortlist, united
from wordsight.index.parts import Made, evenly, in_parts
from wordsight.types import Embeddings, Metric, Neighbours, RowIds, Scores

# Below this many rows a second thread costs more than it brings: of rows that are read one after the other, and of rows
# from here and there.
_ROWS_PER_THREAD = 50_000
_GATHERED_PER_THREAD = 5_000
# A filter that keeps fewer rows than this share is answered by gathering them instead of scanning all.
_GATHER_BELOW = 0.25
# Ids with at most this many numbers for each are looked up in a table.
_SPARSEST = 8
# Fewer than one in so many rows are looked up one by one.
_LOOKED_UP = 50
# Of more rows than this share, the coarse rows rule too few out.
_MOST_COARSE = 0.01
_LARGEST = float(np.finfo(np.float16).max)


class ExactIndex:
    """Scans all rows. ``ids`` (n,) int64 ascending and ``vectors`` (n, dim) float16 may be memory-mapped.

    ``coarse``: the same rows in 8 bits, which make searches for few rows by cosine faster and change no answer.
    """

    def __init__(
        self,
        dim: int,
        metric: Metric,
        ids: RowIds | None = None,
        vectors: NDArray[np.float16] | None = None,
        *,
        threads: int = 1,
        coarse: Coarse | None = None,
    ) -> None:
        self.dim = dim
        self.metric = metric
        self.ids: RowIds = np.empty(0, np.int64) if ids is None else ids
        self.vectors: NDArray[np.float16] = np.empty((0, dim), np.float16) if vectors is None else vectors
        self._threads = threads
        self._coarse = coarse if metric is Metric.COSINE else None

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows; an id that is there already is replaced (the last one counts within one call)."""
        ids, last = _last_of_each(np.asarray(ids, np.int64))
        new = np.asarray(vectors)[last].astype(np.float16)
        self.remove(ids)
        merged = np.concatenate([self.ids, ids])
        order = np.argsort(merged, kind="stable")
        self.ids, self._coarse = merged[order], None
        self.vectors = np.concatenate([self.vectors, new.reshape(-1, self.dim)])[order]

    def remove(self, ids: RowIds) -> None:
        """Remove rows; unknown ids are ignored."""
        keep = ~np.isin(self.ids, ids)
        if not keep.all():
            self.ids, self.vectors, self._coarse = self.ids[keep], self.vectors[keep], None

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, rows allowed)`` closest rows of each query, best first, ties by id."""
        if self._coarse is None or len(queries) != 1 or not 0 < k <= _MOST_COARSE * len(self):
            return best(*self.scan(queries, allowed), k)
        places = None if allowed is None else positions(self.ids, allowed)
        if places is not None and len(places) < max(k, _GATHER_BELOW * len(self)):
            return best(self.ids[places], self._gathered(queries, places), k)
        mask = None
        if places is not None:
            mask = np.zeros(len(self), np.bool_)
            mask[places] = True
        query, coarse = to_half(queries).reshape(self.dim).astype(np.float32), self._coarse
        parts = self._in_parts(lambda part: shortlist(query, coarse, k, part, mask), len(self), _ROWS_PER_THREAD)
        rows = united(parts, k)
        if len(rows) > _GATHER_BELOW * len(self):  # all are alike
            return best(*self.scan(queries, allowed), k)
        return best(self.ids[rows], self._gathered(queries, rows), k)

    def scan(self, queries: Embeddings, allowed: RowIds | None = None) -> tuple[RowIds, Scores]:
        """Return the ids of all rows allowed, (n,), ascending, and their scores, (m, n)."""
        if allowed is None:
            return self.ids, self._scores(queries)
        rows = positions(self.ids, allowed)
        few = len(rows) < _GATHER_BELOW * len(self.ids)
        return self.ids[rows], self._gathered(queries, rows) if few else self._scores(queries)[:, rows]

    def _scores(self, queries: Embeddings) -> Scores:
        half = to_half(queries).reshape(-1, self.dim)
        scores = self._in_parts(
            lambda part: similarity(half, self.vectors[part], self.metric), len(self), _ROWS_PER_THREAD
        )
        return np.concatenate(scores, axis=-1)

    def _gathered(self, queries: Embeddings, rows: NDArray[np.intp]) -> Scores:
        """Return (m, n) scores of the rows in n places."""
        half = to_half(queries).reshape(-1, self.dim)

        def compute(part: slice) -> NDArray[np.float32]:
            return similarity(half, self.vectors.take(rows[part], axis=0), self.metric)

        return np.concatenate(self._in_parts(compute, len(rows), _GATHERED_PER_THREAD), axis=-1)

    def _in_parts(self, compute: Callable[[slice], Made], rows: int, least: int) -> list[Made]:
        """Return what ``compute`` makes of ``rows`` rows, at least ``least`` for each thread."""
        return in_parts(compute, evenly(rows, min(self._threads, max(1, rows // least))))


def to_half(rows: Embeddings) -> NDArray[np.float16]:
    """Return rows in half precision; what is beyond its range becomes its largest number, not infinity."""
    return np.ascontiguousarray(np.clip(rows, -_LARGEST, _LARGEST), np.float16)


def similarity(queries: NDArray[np.float16], vectors: NDArray[np.float16], metric: Metric) -> NDArray[np.float32]:
    """Return (m, n) scores, higher is better: dot products (cosine of unit vectors) or minus Euclidean distances."""
    if len(queries) == 0 or len(vectors) == 0:
        return np.empty((len(queries), len(vectors)), np.float32)
    if metric is Metric.COSINE:
        return np.asarray(numkong.cdist(queries, vectors, "dot")).astype(np.float32)
    squares: NDArray[np.float64] = np.asarray(numkong.cdist(queries, vectors, "sqeuclidean"))
    return (-np.sqrt(np.maximum(squares, 0.0))).astype(np.float32)


def best(ids: RowIds, scores: NDArray[np.float32], k: int) -> Neighbours:
    """Return the k best columns of (m, n) scores; ties are ordered by id, also at the cut."""
    n = scores.shape[1]
    k = max(0, min(k, n))
    if k == 0:
        return Neighbours(np.empty((len(scores), 0), np.int64), np.empty((len(scores), 0), np.float32))
    found = np.empty((len(scores), k), np.int64)
    values = np.empty((len(scores), k), np.float32)
    for i, row in enumerate(scores):
        threshold = np.partition(row, n - k)[n - k]
        candidates = np.flatnonzero(row >= threshold)  # all ties at the cut take part, so the order is total
        order = np.lexsort((ids[candidates], -row[candidates]))[:k]
        found[i], values[i] = ids[candidates[order]], row[candidates[order]]
    return Neighbours(found, values)


def positions(ids: RowIds, wanted: RowIds) -> NDArray[np.intp]:
    """Return the ascending places of ``wanted`` (any order, unknown ones left out) in the ascending ``ids``."""
    if len(ids) == 0 or len(wanted) == 0:
        return np.empty(0, np.intp)
    low, high = int(ids[0]), int(ids[-1])
    if len(wanted) * _LOOKED_UP > len(ids) and high - low < _SPARSEST * len(ids):
        # Many of nearly all numbers between: a table is faster than sorting and searching.
        table = np.zeros(high - low + 1, np.bool_)
        table[wanted[(wanted >= low) & (wanted <= high)] - low] = True
        return np.flatnonzero(table[np.asarray(ids) - low])
    if not (wanted[1:] > wanted[:-1]).all():
        wanted = np.unique(wanted)
    places: NDArray[np.intp] = np.searchsorted(ids, wanted)
    places[places == len(ids)] = 0
    known: NDArray[np.intp] = places[ids[places] == wanted]
    return known


def _last_of_each(ids: RowIds) -> tuple[RowIds, NDArray[np.intp]]:
    """Return the distinct ids and, of each, the place of its last occurrence."""
    distinct, first_from_end = np.unique(ids[::-1], return_index=True)
    return distinct, len(ids) - 1 - first_from_end
