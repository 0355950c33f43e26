"""Pictures ranked by the whole and by their best region, from the rows of two indexes.

A region's row id is that of its picture times ``MOST_REGIONS``, plus its number: so a picture's regions follow one
another in an index, and filters on pictures are filters on regions. A picture without regions keeps its plain score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordsight.index.exact import best
from wordsight.protocols import ScannableIndex
from wordsight.types import Embeddings, Neighbours, RowIds

MOST_REGIONS = 32
"""Regions a picture can have."""

WEIGHT = 0.5
"""Share of the best region in a picture's score; measured in benchmarks/results/regions.json."""

# With a filter that keeps more pictures than this share, all regions are scanned and the others passed over.
_GATHER_BELOW = 0.25
# Pictures that each graph is asked for, as a multiple of the hits wanted, and at least.
_PROPOSED = 4
_LEAST_PROPOSED = 200


def blend(whole: NDArray[np.float32], region: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the score of pictures with these scores of the whole and of the best region; a worse region is ignored."""
    return np.asarray(whole + WEIGHT * np.maximum(region - whole, 0), np.float32)


def blend_all(
    whole: NDArray[np.float32], regions: NDArray[np.float32], counts: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return ``blend`` of the n rows of ``whole`` and the best of each one's ``counts`` rows among ``regions``."""
    some = counts > 0
    fused = np.array(whole, np.float32)
    if some.any():
        starts = (np.cumsum(counts) - counts)[some]
        fused[some] = blend(fused[some], np.maximum.reduceat(regions, starts, axis=0))
    return fused


class RegionIndex:
    """Searches pictures by ``blend``; ids are those of the pictures in ``whole``.

    ``regions`` holds rows as the module says. ``propose``: the two indexes are large and sub-linear; they propose
    candidates, and only these are scored.
    """

    def __init__(self, whole: ScannableIndex, regions: ScannableIndex, *, propose: bool = False) -> None:
        self.dim = whole.dim
        self.metric = whole.metric
        self.whole = whole
        self._regions = regions
        self._propose = propose

    def __len__(self) -> int:
        return len(self.whole)

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, pictures allowed)`` best pictures of each query, best first, ties by id.

        All queries get as many; with ``propose``, these are the best that the indexes find.
        """
        rows = [self._one(query[None], k, allowed) for query in np.asarray(queries, np.float32)]
        width = min((row.ids.shape[1] for row in rows), default=min(k, len(self)))
        empty = Neighbours(np.empty((0, width), np.int64), np.empty((0, width), np.float32))
        parts = [empty, *rows]
        return Neighbours(
            np.concatenate([part.ids[:, :width] for part in parts]),
            np.concatenate([part.scores[:, :width] for part in parts]),
        )

    def _one(self, query: Embeddings, k: int, allowed: RowIds | None) -> Neighbours:
        if self._propose:
            allowed = self._candidates(query, max(_PROPOSED * k, _LEAST_PROPOSED), allowed)
        ids, scores = self.whole.scan(query, allowed)
        few = allowed is not None and len(allowed) < _GATHER_BELOW * len(self)
        rows, of_rows = self._regions.scan(query, _rows_of(allowed) if few and allowed is not None else None)
        if len(rows) and len(ids):
            pictures = rows // MOST_REGIONS
            starts = np.flatnonzero(np.diff(pictures, prepend=-1))
            places, known = _places(ids, pictures[starts])
            regions = np.maximum.reduceat(of_rows[0], starts)[known]
            scores[0, places] = blend(scores[0, places], regions)
        return best(ids, scores, k)

    def _candidates(self, query: Embeddings, count: int, allowed: RowIds | None) -> RowIds:
        """Return the pictures closest as a whole, and those of the closest regions."""
        wholes = self.whole.search(query, count, allowed).ids[0]
        rows = self._regions.search(query, count, None if allowed is None else _rows_of(allowed)).ids[0]
        return np.asarray(np.union1d(wholes, rows // MOST_REGIONS), np.int64)


def _rows_of(pictures: RowIds) -> RowIds:
    """Return the ids that the pictures' regions can have, whether they are there or not."""
    return np.asarray((pictures[:, None] * MOST_REGIONS + np.arange(MOST_REGIONS)).reshape(-1), np.int64)


def _places(ids: RowIds, wanted: RowIds) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where in ``ids`` the wanted ones stand, and a mask of those that do."""
    order = None if (ids[1:] > ids[:-1]).all() else np.argsort(ids)
    ordered = ids if order is None else ids[order]
    places = np.minimum(np.searchsorted(ordered, wanted), len(ids) - 1)
    known = ordered[places] == wanted
    places = places[known]
    return places if order is None else order[places], known
