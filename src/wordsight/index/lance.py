"""A vector index that lives in a Lance table: on disk or in an object storage, larger than memory, shared by readers.

Lance finds the candidates: by scanning while there are few rows, else with IVF and RaBitQ codes, always refined with
the stored vectors: without that, recall fell to a half in our trials. Of Lance's kinds it was the quickest at full
recall (benchmarks/lance_kinds.py). The scores are then computed here from the stored half-precision vectors, so they
are those that every other index gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.index.exact import best, similarity, to_half
from wordsight.index.lance_table import LanceTable, key_field, pa, told, vector_field
from wordsight.types import Embeddings, Metric, Neighbours, RowIds

INDEX_FROM = 50_000
"""Rows from which an approximate index is built: a scan of fewer takes some 50 ms."""

WHOLE_BELOW = 50_000
"""A filter that keeps at most so many rows is looked for in all partitions: few of its rows may be in the nearest."""

REFINE = 10
"""Candidates whose stored vectors are compared, as a multiple of the hits wanted."""

_ROWS_PER_PARTITION = 4_096
_LEAST_PROBES = 24
_SHARE_PROBED = 8  # of all partitions, one in so many
_METRICS = {Metric.COSINE: "dot", Metric.EUCLIDEAN: "l2"}  # vectors are of unit length where the score is the cosine


def schema(dim: int) -> pa.Schema:
    """Return the least columns of a table that ``LanceIndex`` searches."""
    return pa.schema([key_field(), vector_field(dim)])


def column(vectors: NDArray[np.float16]) -> pa.Array:
    """Return (n, dim) as a column of vectors, bit by bit."""
    flat = np.ascontiguousarray(vectors, np.float16).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), vectors.shape[1])


def matrix(rows: pa.ChunkedArray, dim: int) -> NDArray[np.float16]:
    """Return a column of vectors as (n, dim), bit by bit."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in rows.chunks]
    flat = np.concatenate([np.empty(0, np.float16), *parts])
    return flat.astype(np.float16, copy=False).reshape(-1, dim)


def in_list(name: str, values: Sequence[int]) -> str:
    """Return the condition that a column of numbers has one of the values."""
    return f"{name} IN ({','.join(map(str, values))})" if len(values) else "false"


class LanceIndex:
    """Searches a table with columns ``id`` (int64) and ``vector``, at the version that it shows."""

    def __init__(self, table: LanceTable, metric: Metric) -> None:
        self.table = table
        self.metric = metric
        self.dim = int(table.schema.field("vector").type.list_size)

    def __len__(self) -> int:
        return self.table.count()

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows in one commit; an id that is there already is replaced (the last one counts within one call)."""
        last = {int(key): place for place, key in enumerate(ids)}
        keep = np.fromiter(last.values(), np.intp, len(last))
        rows = [pa.array(np.asarray(ids, np.int64)[keep]), column(to_half(vectors)[keep])]
        self.table.merge(pa.table(rows, schema=schema(self.dim)))

    def remove(self, ids: RowIds) -> None:
        """Remove rows in one commit; unknown ids are ignored."""
        self.table.delete(in_list("id", np.asarray(ids).tolist()))

    def search(
        self, queries: Embeddings, k: int, allowed: RowIds | None = None, *, where: str | None = None
    ) -> Neighbours:
        """Return the ``min(k, rows allowed)`` closest rows of each query, best first, ties by id.

        ``where``: a condition in SQL on the table's columns, which Lance applies before it looks for neighbours.
        """
        conditions = [] if where is None else [f"({where})"]
        if allowed is not None:
            conditions.append(in_list("id", np.asarray(allowed).tolist()))
        condition = " AND ".join(conditions) or None
        total = self.table.count(condition)
        width = max(0, min(k, total))
        empty = Neighbours(np.empty((len(queries), width), np.int64), np.empty((len(queries), width), np.float32))
        if not width or not len(queries):
            return empty
        parts = partitions(self.table.count()) if "vector" in self.table.indexed() else 0
        probed = parts if condition is not None and total <= WHOLE_BELOW else min(parts, probes(parts))
        rows = [self._one(query, width, condition, probed) for query in np.asarray(queries, np.float32)]
        return Neighbours(np.concatenate([row.ids for row in rows]), np.concatenate([row.scores for row in rows]))

    def _one(self, query: NDArray[np.float32], width: int, condition: str | None, probed: int) -> Neighbours:
        found = self._candidates(query, width, condition, probed)
        if len(found) < width:  # the partitions that were probed hold too few rows that pass
            found = self._candidates(query, width, condition, 0)
        vectors = matrix(found["vector"], self.dim)
        scores = similarity(to_half(query[None]), vectors, self.metric)
        return best(found["id"].to_numpy(), scores, width)

    def _candidates(self, query: NDArray[np.float32], width: int, condition: str | None, probed: int) -> pa.Table:
        """Return the candidates of so many partitions; of none: by a scan of all rows."""
        nearest = {"column": "vector", "q": query, "k": width, "metric": _METRICS[self.metric]}
        nearest |= {"minimum_nprobes": probed, "refine_factor": REFINE} if probed else {"use_index": False}
        with told(f"searching {self.table.url}"):
            return self.table.dataset.to_table(
                columns=["id", "vector", "_distance"], nearest=nearest, filter=condition, prefilter=True
            )

    def optimize(self, *, index_from: int = INDEX_FROM) -> None:
        """Join small files, take new rows into the indexes, and build these when there are ``index_from`` rows."""
        self.table.compact()
        count = len(self)
        if count < index_from or "vector" in self.table.indexed():
            return
        self.table.index("id")
        with told(f"indexing {self.table.url}"):
            self.table.dataset.create_index(
                "vector", "IVF_RQ", metric=_METRICS[self.metric], num_partitions=partitions(count)
            )
        self.table.refresh()


def probes(parts: int) -> int:
    """Return how many of the parts a search looks into at least."""
    return max(_LEAST_PROBES, parts // _SHARE_PROBED)


def partitions(rows: int) -> int:
    """Return into how many parts the rows are divided."""
    return max(1, rows // _ROWS_PER_PARTITION)
