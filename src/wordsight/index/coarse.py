"""Exact search in two steps: 8-bit rows tell which rows cannot be among the best, and only the others are compared.

A row x is held as ``scale * code`` with an error of known length. By Cauchy and Schwarz, its dot product with a query
lies within ``error * |query|`` (and the like for the query's own rounding) of the product of the codes. So a row whose
upper bound is below the k-th best lower bound is not among the k best, whatever its true score: nothing is lost.
Half of the memory is read that the rows take in half precision, and more products fit into an instruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numkong
import numpy as np
from numpy.typing import NDArray

from wordsight.types import Embeddings

# Scores are sums of rounded products: they may differ by this from what the bound is about.
_SLACK = 1e-5
_CHUNK = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """``codes`` (n, dim) int8 times ``scales`` (n,) are the rows, but for ``errors``, of ``lengths``; all (n,)."""

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float16]) -> Coarse:
        """Return the coarse form of rows (n, dim)."""
        n = len(rows)
        codes = np.empty(rows.shape, np.int8)
        scales, errors, lengths = (np.empty(n, np.float32) for _ in range(3))
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            codes[part], scales[part], errors[part], lengths[part] = coded(np.asarray(rows[part], np.float32))
        return cls(codes, scales, errors, lengths)


def coded(
    rows: Embeddings,
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return rows in 8 bits, what each is to be multiplied by, the lengths of what is lost and of what is kept."""
    scales = (np.maximum(np.abs(rows).max(axis=1), np.finfo(np.float32).tiny * 127) / 127).astype(np.float32)
    codes = np.clip(np.rint(rows / scales[:, None]), -127, 127)
    kept = codes * scales[:, None]
    errors, lengths = (np.linalg.norm(each, axis=1).astype(np.float32) for each in (rows - kept, kept))
    return codes.astype(np.int8), scales, errors, lengths


def approximate(query: NDArray[np.float32], coarse: Coarse, part: slice) -> NDArray[np.float32]:
    """Return the products of a query (dim,) and the rows of ``part``, as the codes give them."""
    code, scale, _, _ = coded(query[None])
    dots = np.asarray(numkong.cdist(code, coarse.codes[part], "dot"))[0]
    return np.asarray(dots * (coarse.scales[part] * scale[0]), np.float32)


def candidates(
    query: NDArray[np.float32], coarse: Coarse, scores: NDArray[np.float32], k: int, places: NDArray[np.intp] | None
) -> NDArray[np.intp]:
    """Return the ascending places of all rows that can be among the ``k`` best, given ``approximate`` of all rows.

    ``places``: the rows that take part, ascending; ``None``: all.
    """
    _, _, error, _ = coded(query[None])
    own = float(np.linalg.norm(query)) + float(error[0])
    errors = coarse.errors if places is None else coarse.errors[places]
    lengths = coarse.lengths if places is None else coarse.lengths[places]
    taking = scores if places is None else scores[places]
    widest = float(errors.max()) * own + float(lengths.max()) * float(error[0]) + _SLACK
    sure = float(np.partition(taking, len(taking) - k)[len(taking) - k]) - widest
    found = np.flatnonzero(taking >= sure - widest)
    bounds = errors[found] * own + lengths[found] * error[0] + np.float32(_SLACK)
    # The k-th best lower bound among these is at least ``sure``; each row's own bound is narrower than the widest.
    lower = taking[found] - bounds
    if len(lower) > k:
        sure = max(sure, float(np.partition(lower, len(lower) - k)[len(lower) - k]))
    found = found[taking[found] + bounds >= sure]
    return np.asarray(found if places is None else places[found], np.intp)
