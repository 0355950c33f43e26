"""How the descriptors of a place become numbers, given visual words. Pure functions on arrays.

``values`` (n, d) are descriptors, ``words`` (k, d) the visual words. Every function gives one vector for them all, and
zeros for no descriptors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import nearest, squared_distances
from wordsight.types import Embeddings

Vector = NDArray[np.float32]


def hard(values: Embeddings, words: Embeddings) -> Vector:
    """Return the share of the descriptors closest to each word, (k,): sums to 1.

    Sivic and Zisserman 2003, "Video Google" (ICCV).
    """
    assigned, _ = nearest(values, words)
    counts = np.bincount(assigned, minlength=len(words))
    return np.asarray(counts / max(len(values), 1), np.float32)


def soft(values: Embeddings, words: Embeddings, width: float) -> Vector:
    """Return the mean share of each word, (k,), by a Gauss kernel of that ``width`` on the distances: sums to 1.

    van Gemert et al. 2010, "Visual word ambiguity" (TPAMI 32), codeword uncertainty.
    """
    if not len(values):
        return np.zeros(len(words), np.float32)
    return np.asarray(soft_shares(values, words, width).mean(axis=0), np.float32)


def soft_shares(values: Embeddings, words: Embeddings, width: float) -> Embeddings:
    """Return (n, k): each descriptor's share of each word by a Gauss kernel; rows sum to 1."""
    squares = squared_distances(values, words)
    closeness = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * width**2))
    return np.asarray(closeness / closeness.sum(axis=1, keepdims=True), np.float32)


def inverse_frequency(histograms: Embeddings) -> Vector:
    """Return the weight of each word, (k,): log of one over the share of pictures with it, smoothed to be positive.

    ``histograms`` (pictures, k). Sivic and Zisserman 2003, section 4.1.
    """
    having = (histograms > 0).sum(axis=0)
    return np.asarray(np.log((1 + len(histograms)) / (1 + having)) + 1, np.float32)


def vlad(values: Embeddings, words: Embeddings) -> Vector:
    """Return the mean difference of the descriptors to their word, each word's part of unit length, (k * d,).

    Jegou et al. 2010 (CVPR); Arandjelovic and Zisserman 2013, "All about VLAD", for the normalisation.
    """
    assigned, _ = nearest(values, words)
    counts = np.bincount(assigned, minlength=len(words))
    parts = _sums(values, assigned, len(words)) - counts[:, None] * words
    parts /= np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-6)
    return np.asarray(parts, np.float32).ravel() / np.float32(np.sqrt(len(words)))


def fisher(values: Embeddings, words: Embeddings, deviations: Embeddings, shares: Vector) -> Vector:
    """Return the improved Fisher vector: gradients for the Gaussians' means and deviations, (2 * k * d,).

    ``deviations`` (k, d) and ``shares`` (k,) of the Gaussians around the words; not yet rooted. Perronnin, Sanchez and
    Mensink 2010, "Improving the Fisher kernel" (ECCV).
    """
    if not len(values):
        return np.zeros(2 * words.size, np.float32)
    given = posteriors(values, words, deviations, shares)
    mass = given.sum(axis=0)[:, None]
    first, second = given.T @ values, given.T @ np.square(values)
    by_mean = (first - mass * words) / deviations
    by_deviation = (second - 2 * first * words + mass * words**2) / deviations**2 - mass
    root = np.sqrt(shares)[:, None] * len(values)
    gradient = np.concatenate([(by_mean / root).ravel(), (by_deviation / (root * np.float32(np.sqrt(2)))).ravel()])
    return np.asarray(gradient, np.float32)


def posteriors(values: Embeddings, words: Embeddings, deviations: Embeddings, shares: Vector) -> Embeddings:
    """Return the probability of each Gaussian for each descriptor, (n, k)."""
    precision = 1 / deviations**2
    logits = np.square(values) @ (-0.5 * precision.T) + values @ (words * precision).T
    logits += np.log(np.maximum(shares, 1e-12)) - np.log(deviations).sum(axis=1)
    logits -= 0.5 * (words**2 * precision).sum(axis=1)
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return np.asarray(logits, np.float32)


def gaussians(values: Embeddings, words: Embeddings, *, rounds: int = 5) -> tuple[Embeddings, Embeddings, Vector]:
    """Return means, deviations (k, d) and shares (k,) of diagonal Gaussians, by EM from the words.

    Dempster, Laird and Rubin 1977. Deviations have a floor of a tenth of the overall one.
    """
    floor = 0.1 * values.std(axis=0) + 1e-6
    deviations = np.broadcast_to(values.std(axis=0) + 1e-6, words.shape).astype(np.float32)
    means, shares = words, np.full(len(words), 1 / len(words), np.float32)
    for _ in range(rounds):
        given = posteriors(values, means, deviations, shares)
        mass = np.maximum(given.sum(axis=0), 1e-3)[:, None]
        means = (given.T @ values) / mass
        variances = (given.T @ np.square(values)) / mass - means**2
        deviations = np.maximum(np.sqrt(np.maximum(variances, 0)), floor).astype(np.float32)
        shares = np.asarray(mass[:, 0] / mass.sum(), np.float32)
    return means, deviations, shares


def cells(positions: NDArray[np.float32], levels: int) -> list[NDArray[np.bool_]]:
    """Return one mask of the descriptors for each cell of a spatial pyramid: 1, then 2 x 2, then 4 x 4 and so on.

    ``positions`` (n, 2) in [0, 1]. Lazebnik, Schmid and Ponce 2006, "Beyond bags of features" (CVPR).
    """
    masks = []
    for level in range(levels):
        side = 2**level
        place = np.minimum((positions * side).astype(np.int64), side - 1)
        number = place[:, 1] * side + place[:, 0]
        masks += [number == cell for cell in range(side**2)]
    return masks


def _sums(values: Embeddings, assigned: NDArray[np.int64], k: int) -> Embeddings:
    member = (np.arange(k)[:, None] == assigned).astype(np.float32)
    return np.asarray(member @ values, np.float32)
