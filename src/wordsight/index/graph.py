"""Approximate search: an HNSW graph (usearch) over the rows of an exact index.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs", 2016. The graph proposes candidates; the exact rows score them, so scores and order equal exact search.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

# onnxruntime before usearch: loaded the other way round, the process crashes (seen with 1.32 and 2.26 on Linux).
import onnxruntime  # noqa: F401
from numpy.typing import NDArray
from usearch.index import Index

from wordsight.errors import CatalogueError
from wordsight.index.exact import ExactIndex, best, positions, similarity, to_half
from wordsight.types import Embeddings, Metric, Neighbours, RowIds, Scores

_KIND = {Metric.COSINE: "ip", Metric.EUCLIDEAN: "l2sq"}
CONNECTIVITY = 16
EXPANSION_ADD = 128
EXPANSION_SEARCH = 128
EXPANSION_VERIFY = 32
_VERIFY_ROWS = 10_000
# With a filter the graph is asked for this many times k / (share of rows allowed) candidates ...
_OVERFETCH = 3.0
# ... and is not asked where scanning what the filter allows costs less: a candidate costs as much as this many rows.
_ROWS_PER_CANDIDATE = 32


class GraphIndex:
    """An HNSW graph beside the exact rows it was built from."""

    def __init__(self, rows: ExactIndex, graph: Index | None = None) -> None:
        self.dim = rows.dim
        self.metric = rows.metric
        self.rows = rows
        self._graph = _empty(rows.dim, rows.metric) if graph is None else graph
        if len(self._graph) != len(rows):
            raise CatalogueError(
                f"the graph holds {len(self._graph)} rows and the vectors {len(rows)}: rebuild the index"
            )

    @classmethod
    def build(cls, rows: ExactIndex, *, threads: int = 0) -> GraphIndex:
        """Build the graph over ``rows``; ``threads`` 0 takes all cores."""
        graph = _empty(rows.dim, rows.metric)
        if len(rows):
            graph.add(np.asarray(rows.ids), np.asarray(rows.vectors), threads=threads)
            _find_lost(graph, rows, threads)
        return cls(rows, graph)

    @classmethod
    def open(cls, file: Path, rows: ExactIndex) -> GraphIndex:
        """Memory-map a saved graph; raises ``CatalogueError`` when it is damaged or not that of ``rows``."""
        try:
            graph = Index.restore(str(file), view=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise CatalogueError(f"{file} is not a readable graph: {error}") from error
        if graph is None or graph.ndim != rows.dim:
            raise CatalogueError(f"{file} is not a graph of {rows.dim} dimensions")
        return cls(rows, graph)

    def save(self, file: Path) -> None:
        """Write the graph; the caller replaces files atomically."""
        self._graph.save(str(file))

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows; an id that is there already is replaced. The graph is built anew, as for ``remove``.

        Changing a graph in place leaves rows that no path leads to; for changes there are layers (``LayeredIndex``).
        """
        self.rows.add(ids, vectors)
        self._graph = GraphIndex.build(self.rows)._graph

    def remove(self, ids: RowIds) -> None:
        """Remove rows; unknown ids are ignored."""
        self.rows.remove(ids)
        self._graph = GraphIndex.build(self.rows)._graph

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, rows allowed)`` closest rows that the graph finds, best first, ties by id.

        A filter widens the search by its selectivity; a narrow one is answered exactly, by scanning what it allows.
        """
        queries = np.asarray(queries, np.float32).reshape(-1, self.dim)
        if allowed is not None:
            allowed = self.rows.ids[positions(self.rows.ids, allowed)]
        eligible = len(self) if allowed is None else len(allowed)
        k = min(k, eligible)
        wanted = int(k * _OVERFETCH * (1.0 if allowed is None else len(self) / max(1, eligible)))
        if k == 0 or eligible <= _ROWS_PER_CANDIDATE * wanted:
            return self.rows.search(queries, k, allowed)
        self._graph.expansion_search = max(EXPANSION_SEARCH, wanted)  # type: ignore[misc]  # it has a setter
        found = np.empty((len(queries), k), np.int64)
        values = np.empty((len(queries), k), np.float32)
        for i, query in enumerate(queries):
            answer = self._one(query, k, wanted, allowed)
            found[i], values[i] = answer.ids[0], answer.scores[0]
        return Neighbours(found, values)

    def scan(self, queries: Embeddings, allowed: RowIds | None = None) -> tuple[RowIds, Scores]:
        """Return the ids of all rows allowed, (n,), and their scores, (m, n), without the graph."""
        return self.rows.scan(queries, allowed)

    def _one(self, query: NDArray[np.float32], k: int, wanted: int, allowed: RowIds | None) -> Neighbours:
        half = to_half(query[None])
        matches = self._graph.search(half[0], wanted)
        candidates = np.sort(np.asarray(matches.keys, np.int64))
        if allowed is not None:
            candidates = candidates[np.isin(candidates, allowed, assume_unique=True)]
        if len(candidates) < k:  # the graph met too few that pass the filter
            return self.rows.search(query[None], k, allowed)
        vectors = self.rows.vectors[positions(self.rows.ids, candidates)]
        return best(candidates, similarity(half, vectors, self.metric), k)


def _find_lost(graph: Index, rows: ExactIndex, threads: int) -> None:
    """Add again the rows that cannot be reached: several threads that add at once lose about one in a thousand."""
    graph.expansion_search = EXPANSION_VERIFY  # type: ignore[misc]  # it has a setter
    for start in range(0, len(rows), _VERIFY_ROWS):
        part = slice(start, start + _VERIFY_ROWS)
        ids, vectors = np.asarray(rows.ids[part]), np.asarray(rows.vectors[part])
        found = np.asarray(graph.search(vectors, 1, threads=threads).keys, np.int64).reshape(-1)
        lost = np.flatnonzero(found != ids)
        equal = (rows.vectors[np.searchsorted(rows.ids, found[lost])] == vectors[lost]).all(axis=1)
        lost = lost[~equal]  # an equal picture in its place is as good
        if len(lost):
            graph.remove(ids[lost])
            graph.add(ids[lost], vectors[lost], threads=1)
    graph.expansion_search = EXPANSION_SEARCH  # type: ignore[misc]


def _empty(dim: int, metric: Metric) -> Index:
    return Index(
        ndim=dim,
        metric=_KIND[metric],
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
