"""How well separated clusters are (Rousseeuw 1987, "Silhouettes")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import Clusters, kmeans, squared_distances
from wordsight.types import Embeddings

_WORTH = 0.05  # a split of one cloud in two gives about this much by chance
_MOST_ROWS = 1_000


def silhouette(rows: Embeddings, assigned: NDArray[np.int64]) -> float:
    """Return the mean over rows of (b - a) / max(a, b), in [-1, 1].

    a: mean distance to the rows of its own cluster, b: that to the next one. Rows alone in a cluster count 0; of one
    cluster it is 0.
    """
    k = int(assigned.max(initial=0)) + 1
    counts = np.bincount(assigned, minlength=k)
    if (counts > 0).sum() < 2:
        return 0.0
    member = (assigned[:, None] == np.arange(k)).astype(np.float32)
    sums = np.sqrt(squared_distances(rows, rows)) @ member
    own = np.arange(len(rows)), assigned
    inside = sums[own] / np.maximum(counts[assigned] - 1, 1)
    others = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    others[own] = np.inf
    outside = others.min(axis=1)
    values = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-12)
    return float(np.where(counts[assigned] > 1, values, 0).mean())


def best_count(rows: Embeddings, most: int, *, seed: int = 0) -> Clusters:
    """Return the clusters, 1 to ``most`` of them, with the best silhouette; one where no split is worth it."""
    best, best_value = kmeans(rows, 1, seed=seed), _WORTH
    shown = np.random.default_rng(seed).permutation(len(rows))[:_MOST_ROWS]
    for k in range(2, min(most, len(rows) // 2) + 1):
        clusters = kmeans(rows, k, seed=seed, restarts=3)
        value = silhouette(rows[shown], clusters.assigned[shown])
        if value > best_value:
            best, best_value = clusters, value
    return best
