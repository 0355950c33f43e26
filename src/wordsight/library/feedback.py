"""Relevance feedback: a query moved towards photos that were right and away from those that were not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.library.query_vectors import term_vector
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric, Term

ALPHA, BETA, GAMMA = 1.0, 0.75, 0.15
"""Weights of the query, of the mean of what is right, and of the mean of what is not."""


def rocchio(
    query: NDArray[np.float32],
    liked: Embeddings,
    disliked: Embeddings,
    *,
    metric: Metric = Metric.COSINE,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
) -> NDArray[np.float32]:
    """Return alpha * query + beta * mean(liked) - gamma * mean(disliked), (dim,).

    With the cosine it is scaled to unit length; with a Euclidean metric the weights are scaled to sum to one, so that
    points give a point among them. ``liked`` (n, dim) and ``disliked`` (m, dim) may be empty, and so may the query be:
    all zeros say nothing and weigh nothing. Raises ``BadInput`` where nothing is left.
    Sources: Rocchio 1971, "Relevance feedback in information retrieval"; the weights are those that Manning, Raghavan &
    Schütze 2008, "Introduction to Information Retrieval", section 9.1.1, call reasonable.
    """
    if min(alpha, beta, gamma) < 0:
        raise BadInput(f"expected weights of at least 0, got {alpha}, {beta} and {gamma}")
    parts = [(alpha, query[None] if query.any() else query[None][:0]), (beta, liked), (-gamma, disliked)]
    used = [(weight, rows) for weight, rows in parts if len(rows) and weight]
    total = np.zeros(len(query), np.float64)
    for weight, rows in used:
        total += weight * rows.mean(axis=0, dtype=np.float64)
    scale = float(np.linalg.norm(total)) if metric is Metric.COSINE else sum(weight for weight, _ in used)
    if scale < 1e-6:
        raise BadInput("nothing is left to look for: mark a photo that is right, or unmark one that is wrong")
    return np.asarray(total / scale, np.float32)


def refined(
    encoder: Encoder,
    query: NDArray[np.float32],
    liked: Sequence[Term],
    disliked: Sequence[Term],
    content_vector: Callable[[str], Embeddings],
) -> NDArray[np.float32]:
    """Return the query's vector moved by ``rocchio`` to and from pictures; ``content_vector`` as for ``query_vector``.

    Raises what these raise.
    """

    def rows(terms: Sequence[Term]) -> Embeddings:
        none = np.empty((0, encoder.dim), np.float32)
        return np.concatenate([none, *(term_vector(encoder, term, content_vector) for term in terms)])

    return rocchio(query, rows(liked), rows(disliked), metric=encoder.metric)
