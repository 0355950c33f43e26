"""KMeans in numpy: Lloyd's rounds (1982), k-means++ starts (Arthur and Vassilvitskii 2007), growing samples.

It is a few matrix products, so it needs nothing but numpy, gives the same answer for the same seed, and lets the
two-stage method look at every round. docs/classical.md compares its time and error with scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.types import Embeddings

_BLOCK = 1024  # rows whose distances to a thousand centroids stay in the cache
_STARTS = 16_384  # rows among which k-means++ looks for its starts


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What KMeans found.

    ``centroids`` (k, d); ``assigned`` (n,) row -> centroid; ``inertia`` is the sum of squared distances to them.
    """

    centroids: Embeddings
    assigned: NDArray[np.int64]
    inertia: float

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each centroid, (k,)."""
        return np.bincount(self.assigned, minlength=len(self.centroids))


def kmeans(
    rows: Embeddings, k: int, *, seed: int = 0, start: Embeddings | None = None, rounds: int = 100, restarts: int = 1
) -> Clusters:
    """Cluster ``rows`` (n, d) into ``k`` by Lloyd's rounds until no row moves, or ``rounds`` of them.

    ``start`` (k, d) are the first centroids; without it the best of ``restarts`` k-means++ starts is kept. A centroid
    that loses its rows takes the row farthest from its own. Raises ``BadInput`` unless 1 <= k <= n.
    """
    _check(rows, k)
    if start is not None:
        return _lloyd(rows, np.asarray(start, np.float32), rounds)
    found = [
        _lloyd(rows, plus_plus(rows, k, np.random.default_rng([seed, number])), rounds) for number in range(restarts)
    ]
    return min(found, key=lambda clusters: clusters.inertia)


def kmeans_large(rows: Embeddings, k: int, *, seed: int = 0) -> Clusters:
    """Cluster a million rows into a thousand in seconds: Lloyd's rounds on samples that grow to all rows.

    Early rounds move centroids far and need few rows for it; the last sees all (compare nested mini-batches, Newling
    and Fleuret 2016). Returns what ``kmeans`` does. Raises ``BadInput`` unless 1 <= k <= n.
    """
    _check(rows, k)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    sizes = [min(len(rows), k * share) for share in (16, 16, 16, 32, 32, 64, 64, 128, 128)]
    centroids = plus_plus(rows[order[: max(k, min(_STARTS, sizes[0]))]], k, rng)
    for size in sizes:
        sample = rows[order[:size]]
        assigned, squares = nearest(sample, centroids)
        centroids = _moved(sample, assigned, squares, centroids)
    assigned, squares = nearest(rows, centroids)
    return Clusters(centroids, assigned, float(squares.sum(dtype=np.float64)))


def nearest(rows: Embeddings, centroids: Embeddings) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each row the closest centroid (the first of equals) and the squared distance to it, both (n,)."""
    assigned = np.empty(len(rows), np.int64)
    best = np.empty(len(rows), np.float32)
    transposed = np.ascontiguousarray(centroids.T)
    half = 0.5 * np.einsum("kd,kd->k", centroids, centroids)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        closeness = block @ transposed
        closeness -= half
        found = closeness.argmax(axis=1)
        assigned[start : start + _BLOCK] = found
        best[start : start + _BLOCK] = closeness[np.arange(len(block)), found]
    squares = np.einsum("nd,nd->n", rows, rows) - 2 * best
    return assigned, np.maximum(squares, 0).astype(np.float32)


def squared_distances(rows: Embeddings, centroids: Embeddings) -> Embeddings:
    """Return the squared Euclidean distances, (n, k)."""
    squares = rows @ (-2 * centroids.T)
    squares += np.einsum("nd,nd->n", rows, rows)[:, None]
    squares += np.einsum("kd,kd->k", centroids, centroids)
    return np.asarray(np.maximum(squares, 0, out=squares), np.float32)


def plus_plus(rows: Embeddings, k: int, rng: np.random.Generator) -> Embeddings:
    """Return ``k`` rows, each drawn by its squared distance to those drawn before (k-means++), (k, d)."""
    lengths = np.einsum("nd,nd->n", rows, rows)
    chosen = [int(rng.integers(len(rows)))]
    left = np.full(len(rows), np.inf)
    for _ in range(k - 1):
        latest = rows[chosen[-1]]
        left = np.minimum(left, np.maximum(lengths - 2 * (rows @ latest) + latest @ latest, 0))
        left[chosen[-1]] = 0
        total = np.cumsum(left, dtype=np.float64)
        if total[-1] > 0:
            chosen.append(min(int(np.searchsorted(total, rng.random() * total[-1], "right")), len(rows) - 1))
        else:  # fewer different rows than centroids
            chosen.append(int(rng.integers(len(rows))))
    return np.ascontiguousarray(rows[chosen], np.float32)


def _lloyd(rows: Embeddings, centroids: Embeddings, rounds: int) -> Clusters:
    assigned, squares = nearest(rows, centroids)
    for _ in range(rounds):
        centroids = _moved(rows, assigned, squares, centroids)
        before = assigned
        assigned, squares = nearest(rows, centroids)
        if (assigned == before).all():
            break
    return Clusters(centroids, assigned, float(squares.sum(dtype=np.float64)))


def _moved(
    rows: Embeddings, assigned: NDArray[np.int64], squares: NDArray[np.float32], centroids: Embeddings
) -> Embeddings:
    """Return the mean of each centroid's rows; one without rows takes one of the rows farthest from theirs."""
    counts = np.bincount(assigned, minlength=len(centroids))
    moved = means(rows, assigned, len(centroids))
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        farthest = np.argsort(-squares, kind="stable")[: len(empty)]
        moved[empty] = centroids[empty]
        moved[empty[: len(farthest)]] = rows[farthest]
    return moved


def means(rows: Embeddings, assigned: NDArray[np.int64], k: int) -> Embeddings:
    """Return the mean of the rows of each of ``k`` groups, (k, d); zeros for a group without rows."""
    sums = np.zeros((k, rows.shape[1]), np.float64)
    for start in range(0, len(rows), 8 * _BLOCK):
        part = assigned[start : start + 8 * _BLOCK]
        order = np.argsort(part, kind="stable")
        groups, first = np.unique(part[order], return_index=True)
        sums[groups] += np.add.reduceat(rows[start : start + 8 * _BLOCK][order], first, axis=0)
    counts = np.maximum(np.bincount(assigned, minlength=k), 1)
    return (sums / counts[:, None]).astype(np.float32)


def _check(rows: Embeddings, k: int) -> None:
    if rows.ndim != 2 or not 1 <= k <= len(rows):
        raise BadInput(f"expected between 1 and {len(rows)} clusters for {len(rows)} vectors, got {k}")
