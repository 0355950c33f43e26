"""A large read-only index, and what changed since it was made."""

from __future__ import annotations

import numpy as np

from wordsight.index.exact import ExactIndex, best
from wordsight.protocols import ScannableIndex
from wordsight.types import Embeddings, Neighbours, RowIds, Scores


class LayeredIndex:
    """Answers from ``base`` without the rows removed since, and exactly from the rows added since."""

    def __init__(self, base: ScannableIndex, added: ExactIndex | None = None, removed: RowIds | None = None) -> None:
        self.dim = base.dim
        self.metric = base.metric
        self._base = base
        self._added = ExactIndex(base.dim, base.metric) if added is None else added
        # Not np.unique: it loads masked arrays, a tenth of what a search from the command line takes to start.
        self._removed: RowIds = np.asarray(sorted(set() if removed is None else set(removed.tolist())), np.int64)

    def __len__(self) -> int:
        return len(self._base) - len(self._removed) + len(self._added)

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows; an id that is there already is replaced."""
        self._hide(np.asarray(ids, np.int64))
        self._added.add(ids, vectors)

    def remove(self, ids: RowIds) -> None:
        """Remove rows; unknown ids are ignored."""
        self._hide(np.asarray(ids, np.int64))
        self._added.remove(ids)

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, rows allowed)`` closest rows of each query, best first, ties by id."""
        # A removed row takes one place of the base's answer at most: asking for that many more suffices.
        if len(queries) == 0:  # the width of the answer is that of one query's
            one = self.search(np.zeros((1, self.dim), np.float32), k, allowed)
            return Neighbours(one.ids[:0], one.scores[:0])
        base = self._base.search(queries, k + len(self._removed), allowed)
        added = self._added.search(queries, k, allowed)
        ids = np.concatenate([base.ids, added.ids], axis=1)
        scores = np.concatenate([base.scores, added.scores], axis=1)
        keep = ~np.isin(ids, self._removed)
        keep[:, base.ids.shape[1] :] = True
        width = min(k, int(keep.sum(axis=1).min()))
        rows = [best(i[m], s[m][None], width) for i, s, m in zip(ids, scores, keep, strict=True)]
        return Neighbours(np.concatenate([r.ids for r in rows]), np.concatenate([r.scores for r in rows]))

    def scan(self, queries: Embeddings, allowed: RowIds | None = None) -> tuple[RowIds, Scores]:
        """Return the ids of all rows allowed, (n,), and their scores, (m, n): the base's rows, then the added ones."""
        ids, scores = self._base.scan(queries, allowed)
        if len(self._removed):
            keep = ~np.isin(ids, self._removed)
            ids, scores = ids[keep], scores[:, keep]
        more, more_scores = self._added.scan(queries, allowed)
        return np.concatenate([ids, more]), np.concatenate([scores, more_scores], axis=1)

    def _hide(self, ids: RowIds) -> None:
        in_base = self._base.search(np.zeros((1, self.dim), np.float32), len(ids), ids).ids[0] if len(ids) else ids
        self._removed = np.union1d(self._removed, in_base)
