"""From several statistics of a picture to one small space: normalise, fuse, project.

PCA with whitening, or discriminant analysis: the directions that tell the labels apart, in which the spread within a
label is round, so that the closest prototype is the likeliest label (Fisher 1936; Hastie, Buja and Tibshirani 1995,
"Penalized discriminant analysis"). The penalty and the weights of the statistics are those that predict each exemplar
best from all others: ridge regression gives that without fitting anew (Allen 1974, PRESS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.features import projection_ridge as ridge
from wordsight.types import Embeddings

_FLOOR = 1e-3  # of the mean deviation: values that hardly vary are not blown up
_RARE = 3  # with fewer exemplars of a label, nothing is left to choose by
_DEFAULT_PENALTY = 0.01


@dataclass(frozen=True, slots=True)
class ProjectionConfig:
    """``discriminant``: use the labels; else PCA with whitening to ``components`` dimensions.

    ``penalty`` of the discriminant analysis, a share of the total variance, and ``weights``, one a statistic: ``None``
    chooses by leave-one-out over the exemplars.
    """

    discriminant: bool = True
    components: int = 64
    penalty: float | None = None
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.components < 1 or (self.penalty is not None and not self.penalty > 0):
            raise BadInput(f"expected at least one component and a positive penalty, got {self}")
        if self.weights is not None and not (min(self.weights, default=0) >= 0 and max(self.weights, default=0) > 0):
            raise BadInput(f"weights must not be negative, and one must be positive, got {self.weights}")


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """An affine map of the signed square roots of the statistics: ``(sqrt(x) - mean) @ matrix``.

    ``mean`` (D,), ``matrix`` (D, dim); D is the sum of the statistics' lengths. ``weights`` and ``penalty`` tell what
    was chosen.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    weights: tuple[float, ...]
    penalty: float

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.mean.shape != self.matrix.shape[:1]:
            raise BadInput(f"a projection has arrays (D,) and (D, dim), got {self.mean.shape} and {self.matrix.shape}")

    @property
    def dim(self) -> int:
        """Dimensions of the space."""
        return int(self.matrix.shape[1])

    def __call__(self, blocks: Sequence[Embeddings]) -> Embeddings:
        """Return (n, dim) for the statistics of n pictures, a list of (n, d) arrays."""
        rows = np.broadcast_to(-(self.mean @ self.matrix), (len(blocks[0]), self.dim)).astype(np.float32)
        start = 0
        for block in blocks:
            rows += signed_sqrt(block) @ self.matrix[start : start + block.shape[1]]
            start += block.shape[1]
        return rows

    def without(self, rows: Embeddings, start: int, block: Embeddings, columns: NDArray[np.int64]) -> Embeddings:
        """Return (k, dim): ``rows`` (1, dim) of one picture, less what each of k groups of columns adds to it.

        ``block`` (1, d) is one of its statistics and begins at column ``start`` of all; ``columns`` (k, c) are of it.
        """
        added = signed_sqrt(block)[0][columns]
        return np.asarray(rows - np.einsum("kc,kcd->kd", added, self.matrix[start + columns]), np.float32)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what was learned."""
        return {"mean": self.mean, "matrix": self.matrix}

    def describe(self) -> dict[str, object]:
        """Return what was chosen, fit for JSON."""
        return {"weights": list(self.weights), "penalty": self.penalty}

    @classmethod
    def from_parts(cls, description: Mapping[str, object], arrays: Mapping[str, NDArray[np.float32]]) -> Projection:
        """Return the projection that gave ``describe()`` and ``arrays()``."""
        weights, penalty = description["weights"], description["penalty"]
        if not isinstance(weights, list) or not isinstance(penalty, int | float):
            raise BadInput("a projection is described by its weights and its penalty")
        return cls(arrays["mean"], arrays["matrix"], tuple(map(float, weights)), float(penalty))


class Fitted(NamedTuple):
    """A projection, and where each exemplar falls when it takes no part in the fit, (n, dim): ``None`` for PCA."""

    projection: Projection
    held_out: Embeddings | None


def fit_projection(
    blocks: Sequence[Embeddings],
    targets: NDArray[np.float32] | None,
    config: ProjectionConfig | None = None,
    *,
    copies: int = 1,
    seed: int = 0,
) -> Fitted:
    """Learn a projection from exemplars.

    ``blocks``: the statistics, each (n, d). ``targets`` (n, labels): 1 where the exemplar has the label, else 0; some
    rows may have several. ``copies``: so many rows in a row show one picture (its mirror image, say) and are left out
    together. Raises ``BadInput`` for a discriminant without targets or with one label.
    """
    config = config or ProjectionConfig()
    if config.weights is not None and len(config.weights) != len(blocks):
        raise BadInput(f"expected one weight for each of {len(blocks)} statistics, got {config.weights}")
    roots = [signed_sqrt(block) for block in blocks]
    means = [root.mean(axis=0) for root in roots]
    scales = [_scale(root) for root in roots]
    scaled = [(root - mean) * scale for root, mean, scale in zip(roots, means, scales, strict=True)]
    if not config.discriminant:
        weights = config.weights or (1.0,) * len(blocks)
        rows = _weighted(scaled, weights)
        matrix, penalty, held_out = _whitening(rows, config.components), 0.0, None
    else:
        if targets is None or targets.ndim != 2 or targets.shape[1] < 2:
            raise BadInput("telling labels apart needs exemplars of at least two labels: name another, or use PCA")
        judged = targets[:, (targets > 0).sum(axis=0) >= _RARE * copies]
        enough = judged.shape[1] > 1
        weights = config.weights or (
            ridge.choose_weights(scaled, judged, copies, seed=seed) if enough else (1.0,) * len(blocks)
        )
        rows = _weighted(scaled, weights)
        fit = ridge.Ridge.of(rows, targets)
        penalty = config.penalty or _DEFAULT_PENALTY
        if config.penalty is None and enough:
            penalty = fit.on(judged).best_penalty(copies)
        matrix, held_out = _discriminant(fit, rows, targets, penalty, copies)
    scale = np.concatenate([s * np.float32(w) for s, w in zip(scales, weights, strict=True)])
    matrix = (scale[:, None] * matrix).astype(np.float32)
    return Fitted(Projection(np.concatenate(means), matrix, tuple(weights), float(penalty)), held_out)


def signed_sqrt(rows: Embeddings, out: Embeddings | None = None) -> Embeddings:
    """Return the square root of each value's size, with its sign: large counts no longer drown small ones.

    Perronnin, Sanchez and Mensink 2010, "Improving the Fisher kernel" (ECCV), section 3.2.
    """
    if rows.size and rows.min() >= 0:  # most statistics count something
        return np.sqrt(rows, out=out)
    sizes = np.abs(rows, out=out)
    return np.copysign(np.sqrt(sizes, out=sizes), rows, out=sizes)


def _scale(rows: Embeddings) -> NDArray[np.float32]:
    """Return (d,): unit deviation for each value, unit length for the statistic as a whole."""
    deviations = rows.std(axis=0)
    floor = max(_FLOOR * float(np.sqrt(np.mean(deviations**2))), 1e-12)
    return np.asarray(1 / ((deviations + floor) * np.sqrt(rows.shape[1])), np.float32)


def _weighted(blocks: Sequence[Embeddings], weights: Sequence[float]) -> Embeddings:
    return np.concatenate([block * np.float32(w) for block, w in zip(blocks, weights, strict=True)], axis=1)


def _whitening(rows: Embeddings, components: int) -> NDArray[np.float32]:
    """Return (D, min(components, rank)): projections on the principal directions, each with unit variance."""
    values, directions = ridge.principal(rows)
    kept = min(components, len(values))
    return np.asarray(directions[:, :kept] / np.sqrt(values[:kept]), np.float32)


def _discriminant(
    fit: ridge.Ridge, rows: Embeddings, targets: NDArray[np.float32], penalty: float, copies: int
) -> tuple[NDArray[np.float32], Embeddings]:
    """Return (D, at most labels), in which the penalised spread within a label is a unit sphere; held-out rows."""
    directions = fit.coefficients(rows, penalty)
    projected = rows @ directions
    # Every exemplar counts for each label it has; the spread is that around the labels' means.
    shares = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)
    label_means = (targets.T @ projected) / np.maximum(targets.sum(axis=0)[:, None], 1)
    rest = projected - shares @ label_means
    spread = rest.T @ rest / len(rows) + penalty * fit.variance * (directions.T @ directions)
    values, vectors = np.linalg.eigh(spread.astype(np.float64))
    kept = values > 1e-6 * values[-1]  # targets that sum to one leave one direction empty
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    return np.asarray(directions @ whiten, np.float32), np.asarray(fit.left_out(penalty, copies) @ whiten, np.float32)
