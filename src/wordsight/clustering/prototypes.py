"""What clustering leaves behind: prototypes, each the centroid of some exemplars of one label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import squared_distances
from wordsight.errors import BadInput
from wordsight.types import Embeddings


class Drift(NamedTuple):
    """A centroid that the joint refinement moved to the exemplars of another label.

    ``share``: the part of its exemplars that still have its own ``label``; most of the others have ``to``.
    """

    label: str
    to: str
    share: float

    def __str__(self) -> str:
        return (
            f"a cluster of {self.label!r} drifted to {self.to!r} ({self.share:.0%} of it is {self.label!r}); put back"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Centroids with their labels.

    ``centroids`` (k, d); ``owners`` (k,) index into ``labels``; ``counts`` (k,) exemplars; ``spread`` (k,) their mean
    squared distance to the centroid. Every label owns at least one.
    """

    labels: tuple[str, ...]
    centroids: NDArray[np.float32]
    owners: NDArray[np.int64]
    counts: NDArray[np.int64]
    spread: NDArray[np.float32]
    drifts: tuple[Drift, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.centroids)
        if self.centroids.ndim != 2 or not (self.owners.shape == self.counts.shape == self.spread.shape == (k,)):
            raise BadInput(f"prototypes need one owner, count and spread for each of {k} centroids")
        if len(set(self.labels)) != len(self.labels) or set(self.owners.tolist()) != set(range(len(self.labels))):
            raise BadInput("prototypes need different labels, each with at least one centroid")

    @property
    def dim(self) -> int:
        """Length of a centroid."""
        return int(self.centroids.shape[1])

    def label_distances(self, rows: Embeddings) -> Embeddings:
        """Return the squared distance of each row to the closest prototype of each label, (n, labels)."""
        squares = squared_distances(rows, self.centroids)
        best = np.full((len(rows), len(self.labels)), np.inf, np.float32)
        for place, owner in enumerate(self.owners):
            np.minimum(best[:, owner], squares[:, place], out=best[:, owner])
        return best

    def renamed(self, names: Mapping[str, str]) -> Prototypes:
        """Return the same prototypes under other labels; two that get one name become clusters of one label.

        ``names``: old label -> new. Raises ``BadInput`` for a label that is not there and for an empty name.
        """
        unknown = [name for name in names if name not in self.labels]
        if unknown or not all(name.strip() for name in names.values()):
            what = f"no cluster is called {unknown[0]!r}" if unknown else "a name must not be empty"
            raise BadInput(f"{what}; there are {', '.join(self.labels)}")
        new = [names.get(label, label) for label in self.labels]
        labels = tuple(dict.fromkeys(new))
        owners = np.asarray([labels.index(new[owner]) for owner in self.owners], np.int64)
        return replace(self, labels=labels, owners=owners)
