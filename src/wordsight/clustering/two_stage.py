"""Two-stage clustering: KMeans within each label, then one KMeans over all exemplars from those centroids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import kmeans, nearest
from wordsight.clustering.prototypes import Drift, Prototypes
from wordsight.clustering.silhouette import best_count
from wordsight.errors import BadInput
from wordsight.types import Embeddings

_MOST_CLUSTERS = 6


@dataclass(frozen=True, slots=True)
class TwoStageConfig:
    """``clusters`` of each label, ``None``: chosen by silhouette. ``joint_rounds`` of stage 2, 0: leave it out."""

    clusters: int | None = 1
    joint_rounds: int = 20

    def __post_init__(self) -> None:
        if (self.clusters is not None and self.clusters < 1) or self.joint_rounds < 0:
            raise BadInput(f"expected at least one cluster a label and no negative number of rounds, got {self}")


def fit_prototypes(
    rows: Embeddings,
    targets: NDArray[np.float32],
    labels: Sequence[str],
    config: TwoStageConfig | None = None,
    *,
    seed: int = 0,
    copies: int = 1,
) -> Prototypes:
    """Return the prototypes of exemplars ``rows`` (n, d), ``targets`` (n, labels) not 0 where one has a label.

    ``copies``: so many rows in a row show one picture (its mirror image, say).

    Stage 1 clusters each label's exemplars alone; one with several labels takes part in each. Stage 2 refines all
    centroids together over all exemplars. A centroid most of whose exemplars lack its label has drifted: it is put
    back to where stage 1 left it, and reported. Raises ``BadInput`` for a label without exemplars.
    """
    config = config or TwoStageConfig()
    has = targets > 0
    if has.shape != (len(rows), len(labels)):
        raise BadInput(f"expected targets {(len(rows), len(labels))}, got {has.shape}")
    starts: list[Embeddings] = []
    owners: list[int] = []
    for number, label in enumerate(labels):
        own = rows[has[:, number]]
        if not len(own):
            raise BadInput(f"the label {label!r} has no exemplar")
        found = _within(own, config.clusters, seed, copies)
        starts.append(found)
        owners += [number] * len(found)
    first = np.concatenate(starts)
    owner = np.asarray(owners, np.int64)
    centroids, drifts = _joint(rows, has, tuple(labels), first, owner, config.joint_rounds)
    unmeasured = np.zeros(len(owner))
    prototypes = Prototypes(
        tuple(labels), centroids, owner, unmeasured.astype(np.int64), unmeasured.astype(np.float32), drifts
    )
    return recounted(prototypes, rows, targets)


def unsupervised_prototypes(rows: Embeddings, k: int, *, seed: int = 0) -> tuple[Prototypes, NDArray[np.int64]]:
    """Return ``k`` prototypes of rows without labels, called "cluster 1" (the largest) and so on, and each row's.

    Raises ``BadInput`` unless 1 <= k <= n.
    """
    clusters = kmeans(rows, k, seed=seed, restarts=4)
    order = np.argsort(-clusters.counts, kind="stable")
    centroids = clusters.centroids[order]
    assigned, squares = nearest(rows, centroids)
    counts = np.bincount(assigned, minlength=k)
    spread = np.bincount(assigned, squares, minlength=k) / np.maximum(counts, 1)
    labels = tuple(f"cluster {number}" for number in range(1, k + 1))
    return Prototypes(labels, centroids, np.arange(k), counts, spread.astype(np.float32)), assigned


def _within(rows: Embeddings, clusters: int | None, seed: int, copies: int) -> Embeddings:
    if clusters is None:  # a picture and its mirror image would make the tightest cluster of all
        clusters = len(best_count(rows[::copies], _MOST_CLUSTERS, seed=seed).centroids)
    return kmeans(rows, min(clusters, len(rows)), seed=seed, restarts=3).centroids


def _joint(
    rows: Embeddings,
    has: NDArray[np.bool_],
    labels: tuple[str, ...],
    first: Embeddings,
    owners: NDArray[np.int64],
    rounds: int,
) -> tuple[Embeddings, tuple[Drift, ...]]:
    """Return the refined centroids, those that drifted put back, and the drifts."""
    if rounds == 0:
        return first, ()
    clusters = kmeans(rows, len(first), start=first, rounds=rounds)
    centroids, drifts = clusters.centroids.copy(), []
    for place, owner in enumerate(owners):
        members = has[clusters.assigned == place]
        share = float(members[:, owner].mean()) if len(members) else 0.0
        if share <= 0.5:
            others = members.sum(axis=0)
            others[owner] = -1
            drifts.append(Drift(labels[owner], labels[int(others.argmax())], share))
            centroids[place] = first[place]
    return centroids, tuple(drifts)


def recounted(prototypes: Prototypes, rows: Embeddings, targets: NDArray[np.float32]) -> Prototypes:
    """Return the prototypes with count and spread of these exemplars: each at the closest of its label's own.

    For when they were fitted on more, such as mirror images.
    """
    owners = prototypes.owners
    counts = np.zeros(len(owners), np.int64)
    spread = np.zeros(len(owners), np.float32)
    for number in range(len(prototypes.labels)):
        places = np.flatnonzero(owners == number)
        assigned, squares = nearest(rows[targets[:, number] > 0], prototypes.centroids[places])
        counts[places] = np.bincount(assigned, minlength=len(places))
        spread[places] = np.bincount(assigned, squares, minlength=len(places)) / np.maximum(counts[places], 1)
    return replace(prototypes, counts=counts, spread=spread)
