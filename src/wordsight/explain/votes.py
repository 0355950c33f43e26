"""Which visual words of a picture spoke for the text, and where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight.explain.method import Maps
from wordsight.explain.objective import Objective
from wordsight.protocols import Image, VotingEncoder, WordVotes

_CELLS = 16  # along the longer side of a map
_BLUR = 1.0  # standard deviation in cells: a descriptor describes its surroundings


class Votes:
    """A word's vote is what the objective loses without it; its descriptors carry it to their places.

    Sivic and Zisserman 2003, "Video Google" (ICCV), show the matching words in the same way.
    """

    name = "votes"
    stride: int | None = 1

    def __init__(self, encoder: VotingEncoder) -> None:
        self._encoder = encoder

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> NDArray[np.float32]:
        whole = objective.values(self._encoder.encode_images([view]))
        scale = _CELLS / max(view.size)
        shape = (max(1, round(view.height * scale)), max(1, round(view.width * scale)))
        total = np.zeros((whole.shape[1], *shape), np.float32)
        for seen in self._encoder.word_votes(view):
            votes = whole - objective.values(seen.without)
            total += _placed(seen, votes, shape)
        return np.maximum(total, 0)


def _placed(seen: WordVotes, votes: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return (m, h, w): each word's (k, m) votes, shared among the places of its descriptors."""
    given = seen.shares / np.maximum(seen.shares.sum(axis=0), 1e-12)
    across, down = (_nearness(seen.positions[:, axis], shape[1 - axis]) for axis in (0, 1))
    return np.asarray(np.einsum("nm,nh,nw->mhw", given @ votes, down, across, optimize=True), np.float32)


def _nearness(positions: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Return (n, cells): a Gauss bell around each position, which sums to 1."""
    bell = np.exp(-0.5 * np.square((positions[:, None] * cells - 0.5 - np.arange(cells)) / _BLUR))
    return np.asarray(bell / bell.sum(axis=1, keepdims=True), np.float32)
