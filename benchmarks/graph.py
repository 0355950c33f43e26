"""Recall and time of the graph index against exact search, on vectors that lie like those of real photos."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np

from benchmarks import realistic, synthetic
from benchmarks.report import Bar, Result
from benchmarks.settings import Settings
from wordsight.library import derived
from wordsight.library.catalogue import Catalogue
from wordsight.protocols import VectorIndex
from wordsight.registry import load_encoder
from wordsight.types import Embeddings, RowIds

if TYPE_CHECKING:
    from wordsight.index.graph import GraphIndex

_SHARES = (0.5, 0.1, 0.02, 0.001)
_TOP = 10


def run(settings: Settings) -> Result:
    """Compare at 100,000 rows, and with ``--full`` at each larger size that was asked for."""
    result = Result("graph", "The graph index against exact search")
    encoder = load_encoder(settings.encoder)
    derived.LISTS_FROM = 1 << 62  # graphs at all sizes
    space = realistic.space(encoder, settings.work)
    result.setting = {
        "encoder": settings.encoder_name,
        "dim": encoder.dim,
        "vectors": space.label,
        "median_cosine_of_nearest_photo": round(space.nearest_cosine, 3),
        "queries": {"text": len(space.texts), "picture": len(space.pictures)},
    }
    for rows in settings.rows if settings.full else settings.rows[:1]:
        location = settings.work / f"catalogue-{rows}-graph"
        seconds = synthetic.make(location, encoder, rows, graph=True, draw=space.draw(), label=space.label)
        result.add(f"{rows:,} rows: folding with a graph", seconds, "s")
        with Catalogue.open(location) as catalogue:
            index = cast("GraphIndex", derived.open_index(catalogue, catalogue.encoder_row(encoder), threads=1))
            if type(index).__name__ != "GraphIndex":
                raise RuntimeError(f"expected a graph, the catalogue opened {type(index).__name__}")
            for kind, queries in {"text": space.texts, "picture": space.pictures}.items():
                for name, allowed in _filters(rows):
                    _compare(result, index, queries, allowed, f"{rows:,} rows, {kind} queries, {name}")
    return result


def _filters(rows: int) -> Iterator[tuple[str, RowIds | None]]:
    """Yield filters that follow nothing (random rows) and filters that keep whole folders."""
    yield "no filter", None
    ids = np.arange(1, rows + 1)
    for share in _SHARES:
        rng = np.random.default_rng(int(1000 * share))
        yield f"filter of {share:.1%}, random rows", np.sort(rng.choice(ids, max(1, int(share * rows)), replace=False))
        folders = rows // synthetic.PER_FOLDER
        if share * folders >= 1:
            kept = rng.choice(folders, int(share * folders), replace=False)
            yield f"filter of {share:.1%}, folders", ids[np.isin((ids - 1) // synthetic.PER_FOLDER, kept)]


def _compare(result: Result, index: GraphIndex, queries: Embeddings, allowed: RowIds | None, name: str) -> None:
    want, exact_ms = _ask(index.rows, queries, allowed)
    got, graph_ms = _ask(index, queries, allowed)
    recall = statistics.mean(len(a & b) / len(a) for a, b in zip(want, got, strict=True))
    bar = Bar(">=", 0.95) if allowed is None else None
    result.add(f"{name}: recall@{_TOP}", recall, "", bar)
    result.add(f"{name}: graph", statistics.median(graph_ms), "ms")
    result.add(f"{name}: exact / graph", statistics.median(exact_ms) / statistics.median(graph_ms), "x")
    result.raw[name] = {"graph_ms": graph_ms, "exact_ms": exact_ms}


def _ask(index: VectorIndex, queries: Embeddings, allowed: RowIds | None) -> tuple[list[set[int]], list[float]]:
    """Ask one query at a time; return the ids found and the milliseconds each took."""
    index.search(queries[:1], _TOP, allowed)
    found, times = [], []
    for query in queries:
        start = time.perf_counter()
        answer = index.search(query[None], _TOP, allowed)
        times.append((time.perf_counter() - start) * 1e3)
        found.append(set(answer.ids[0].tolist()))
    return found, times
