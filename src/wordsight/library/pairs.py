"""Pairs of vectors that are close, among many: every pair where that is quick, else those that lie in one cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.types import Embeddings

EXACT = 20_000
"""Vectors up to which all pairs are looked at: some seconds."""

_BLOCK = 512
_PIVOTS_FOR = 100  # vectors: one pivot for so many
_CELLS = 4  # of each vector: pairs are missed that share none
_MOST = 20_000_000  # pairs


def close_pairs(
    vectors: Embeddings, threshold: float, *, exact: int = EXACT
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return places of two rows and their cosine, (p,) each, for pairs of unit rows (n, d) of at least ``threshold``.

    Beyond ``exact`` rows a pair is seen only where both are among the nearest of one pivot, a row drawn at random; a
    pair may come several times. Raises ``BadInput`` where so many are close that groups of them would tell nothing.
    """
    blocks = _all_blocks(vectors) if len(vectors) <= exact else _cell_blocks(vectors)
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]] = []
    count = 0
    for rows, columns, scores in blocks:
        close = np.flatnonzero(scores.ravel() >= threshold)
        first, second = rows[close // len(columns)], columns[close % len(columns)]
        later = second > first
        count += int(later.sum())
        if count > _MOST:
            raise BadInput(f"millions of pairs are alike from {threshold:.2f} on: ask for a higher threshold")
        found.append((first[later], second[later], scores.ravel()[close[later]]))
    if not found:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32)
    firsts, seconds, cosines = zip(*found, strict=True)
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(cosines)


def components(count: int, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of ``count`` places the lowest that it is linked with, directly or through others: (count,)."""
    label = np.arange(count)
    while True:
        lowest = np.minimum(label[first], label[second])
        linked = label.copy()
        np.minimum.at(linked, first, lowest)
        np.minimum.at(linked, second, lowest)
        linked = linked[linked]
        if np.array_equal(linked, label):
            return label
        label = linked


_Block = tuple[NDArray[np.intp], NDArray[np.intp], Embeddings]


def _all_blocks(vectors: Embeddings) -> Iterator[_Block]:
    places = np.arange(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield places[rows], places[start:], vectors[rows] @ vectors[start:].T


def _cell_blocks(vectors: Embeddings) -> Iterator[_Block]:
    rng = np.random.default_rng(0)
    pivots = vectors[rng.choice(len(vectors), max(_CELLS, len(vectors) // _PIVOTS_FOR), replace=False)]
    nearest = np.concatenate(
        [
            np.argpartition(vectors[start : start + _BLOCK] @ -pivots.T, _CELLS - 1, axis=1)[:, :_CELLS]
            for start in range(0, len(vectors), _BLOCK)
        ]
    )
    cells = nearest.ravel()
    order = np.argsort(cells, kind="stable")
    bounds = np.searchsorted(cells[order], np.arange(len(pivots) + 1))
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        places = order[low:high] // _CELLS
        for start in range(0, len(places), 4 * _BLOCK):  # one event can fill a cell
            rows = places[start : start + 4 * _BLOCK]
            yield rows, places[start:], vectors[rows] @ vectors[places[start:]].T
