"""How good are the derived indexes? Their answers against exact search, with and without filters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, RegionIndex
from wordsight.library import derived, region_table
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.protocols import ScannableIndex
from wordsight.types import Embeddings, Neighbours, RowIds

_SHARES = (1.0, 0.5, 0.1, 0.02, 0.001)


@dataclass(frozen=True, slots=True)
class Audit:
    """Recall (share of the exact top found) and milliseconds a query for a filter that keeps ``share`` of the rows."""

    share: float
    kind: str
    recall: float
    index_ms: float
    exact_ms: float


def audit(
    catalogue: Catalogue, encoder: StoredEncoder, *, queries: int = 200, top: int = 10, seed: int = 0
) -> list[Audit]:
    """Compare the catalogue's index with exact search on random pictures, lightly disturbed, as queries.

    Where pictures have regions, the search of these follows. Filters are random subsets: the hardest case for a graph,
    since they follow no cluster. Raises ``CatalogueError`` for an empty catalogue.
    """
    with catalogue.snapshot():
        index = derived.open_index(catalogue, encoder)
        ids, vectors = catalogue.vectors_after(encoder, 0)
        exact = ExactIndex(encoder.dim, encoder.metric, ids, vectors.astype(np.float16))
        compared: list[tuple[ScannableIndex | RegionIndex, ExactIndex | RegionIndex]] = [(index, exact)]
        if encoder.regions is not None:
            regions = ExactIndex(encoder.dim, encoder.metric, *region_table.rows_at_once(catalogue, encoder))
            compared.append((derived.open_with_regions(catalogue, encoder), RegionIndex(exact, regions)))
    if not len(ids):
        raise CatalogueError("the catalogue is empty: there is nothing to compare")
    rng = np.random.default_rng(seed)
    chosen = vectors[rng.choice(len(ids), queries)]
    asked = chosen + rng.standard_normal(chosen.shape).astype(np.float32) * float(chosen.std()) * 0.5
    filters = {
        share: None if share == 1.0 else np.sort(rng.choice(ids, max(1, int(share * len(ids))), replace=False))
        for share in _SHARES
    }
    rows = []
    for approximate, right in compared:
        for share, allowed in filters.items():
            want, exact_ms = _timed(right.search, asked, top, allowed)
            got, index_ms = _timed(approximate.search, asked, top, allowed)
            recall = float(np.mean([np.isin(w.ids, g.ids).mean() for w, g in zip(want, got, strict=True)]))
            rows.append(Audit(share, type(approximate).__name__, recall, index_ms, exact_ms))
    return rows


def _timed(
    search: Callable[[Embeddings, int, RowIds | None], Neighbours], asked: Embeddings, top: int, allowed: RowIds | None
) -> tuple[list[Neighbours], float]:
    """Ask one query at a time, as a user does; return the answers and the median time in ms."""
    answers, times = [], []
    for query in asked:
        start = time.perf_counter()
        answers.append(search(query[None], top, allowed))
        times.append(time.perf_counter() - start)
    return answers, float(np.median(times) * 1e3)
