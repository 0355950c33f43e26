"""Ridge regression of labels on statistics in its dual form, and what leaving exemplars out says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordsight.types import Embeddings

PENALTIES = (3e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2, 0.13)
"""Shares of the total variance."""

_WEIGHTS = (0.0, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0)
_SEARCHED = 300  # pictures: enough to weigh a handful of statistics, and quick
_SWEEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """The eigenvectors of the exemplars' inner products, from which each penalty's fit follows at once.

    ``values`` (n,) and ``vectors`` (n, n) of the centred inner products; ``targets`` (n, labels) centred.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    targets: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Embeddings, targets: NDArray[np.float32]) -> Ridge:
        """Prepare for centred ``rows`` (n, D)."""
        return cls.of_products((rows @ rows.T).astype(np.float64), targets)

    @classmethod
    def of_products(cls, products: NDArray[np.float64], targets: NDArray[np.float32]) -> Ridge:
        """Prepare for inner products (n, n) of centred rows."""
        values, vectors = np.linalg.eigh(products)
        return cls(np.maximum(values, 0), vectors, _centred(targets))

    def on(self, targets: NDArray[np.float32]) -> Ridge:
        """Return the same for other targets: the eigenvectors are what takes time."""
        return replace(self, targets=_centred(targets))

    @property
    def variance(self) -> float:
        """The total variance of the rows."""
        return float(self.values.sum()) / len(self.values)

    def coefficients(self, rows: Embeddings, penalty: float) -> NDArray[np.float32]:
        """Return (D, labels): what the rows are multiplied with to predict the targets."""
        dual = self.vectors @ (self._filter(penalty)[:, None] * (self.vectors.T @ self.targets))
        return np.asarray(rows.T @ dual.astype(np.float32), np.float32)

    def left_out_error(self, penalty: float, copies: int = 1) -> float:
        """Return the mean squared error at each picture when it and its copies are left out, labels balanced."""
        errors = self.targets - self.left_out(penalty, copies)
        return float(np.mean(errors**2 / np.maximum(self.targets.var(axis=0), 1e-9)))

    def left_out(self, penalty: float, copies: int = 1) -> NDArray[np.float64]:
        """Return the prediction for each picture by a fit without it and its copies, (n, labels)."""
        weights = self.values * self._filter(penalty)
        fitted = self.vectors @ (weights[:, None] * (self.vectors.T @ self.targets))
        residuals = (self.targets - fitted).reshape(-1, copies, self.targets.shape[1])
        blocks = self.vectors.reshape(-1, copies, len(self.values))
        hats = np.einsum("gai,i,gbi->gab", blocks, weights, blocks, optimize=True) + 1 / len(self.values)
        errors = np.linalg.solve(np.eye(copies) * (1 + 1e-9) - hats, residuals)
        return self.targets - errors.reshape(self.targets.shape)

    def best_penalty(self, copies: int = 1) -> float:
        """Return the penalty with the smallest error of what is left out."""
        return min(PENALTIES, key=lambda penalty: self.left_out_error(penalty, copies))

    def _filter(self, penalty: float) -> NDArray[np.float64]:
        return np.asarray(1 / (self.values + penalty * self.values.sum()), np.float64)


def choose_weights(
    blocks: Sequence[Embeddings], targets: NDArray[np.float32], copies: int = 1, *, seed: int = 0
) -> tuple[float, ...]:
    """Return one weight a statistic, by the error on exemplars that are left out; the largest weight is 1.

    ``blocks``: centred statistics, each (n, d). One weight after the other is tried, twice around.
    """
    if len(blocks) == 1:
        return (1.0,)
    keep = _sample(len(targets), copies, seed)
    wanted = targets[keep]
    wanted = wanted[:, wanted.any(axis=0)]
    products = []
    for block in blocks:
        rows = block[keep] - block[keep].mean(axis=0)
        products.append((rows @ rows.T).astype(np.float64))
    weights = [1.0] * len(blocks)
    tried: dict[tuple[float, ...], float] = {}

    def error(candidate: Sequence[float]) -> float:
        key = tuple(candidate)
        if key not in tried and any(key):
            fit = Ridge.of_products(sum(w * w * p for w, p in zip(key, products, strict=True)), wanted)
            tried[key] = min(fit.left_out_error(penalty, copies) for penalty in PENALTIES)
        return tried.get(key, np.inf)

    for _ in range(_SWEEPS):
        for place in range(len(blocks)):
            options = [[*weights[:place], weight, *weights[place + 1 :]] for weight in _WEIGHTS]
            weights = min(options, key=error)
    return tuple(weight / max(weights) for weight in weights)


def principal(rows: Embeddings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances (r,), largest first, and directions (D, r) of centred rows; r is their rank."""
    wide = rows.shape[1] > len(rows)
    products = (rows @ rows.T if wide else rows.T @ rows).astype(np.float64)
    values, vectors = np.linalg.eigh(products)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = max(1, int((values > 1e-6 * max(values[0], 1e-12)).sum()))
    values, vectors = np.maximum(values[:rank], 1e-12), vectors[:, :rank]
    directions = rows.T.astype(np.float64) @ vectors / np.sqrt(values) if wide else vectors
    return values / max(len(rows) - 1, 1), directions


def _centred(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    wanted = targets.astype(np.float64)
    return np.asarray(wanted - wanted.mean(axis=0), np.float64)


def _sample(n: int, copies: int, seed: int) -> NDArray[np.int64]:
    """Return rows of at most ``_SEARCHED`` pictures, each with its copies."""
    pictures = n // copies
    chosen = np.sort(np.random.default_rng(seed).permutation(pictures)[:_SEARCHED])
    return np.asarray((chosen[:, None] * copies + np.arange(copies)).ravel(), np.int64)
