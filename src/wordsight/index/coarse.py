"""Exact search in two steps: 8-bit rows tell which rows cannot be among the best, and only the others are compared.

A row x is held as ``scale * code`` with an error of known length. By Cauchy and Schwarz, its dot product with a query
lies within ``error * |query|`` (and the like for the query's own rounding) of the product of the codes. So a row whose
upper bound is below the k-th best lower bound is not among the k best, whatever its true score: nothing is lost.
Half of the memory is read that the rows take in half precision, and more products fit into an instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numkong
import numpy as np
from numpy.typing import NDArray

from wordsight.types import Embeddings

# Rows at a time: what is computed of them stays in a core's cache until it is compared.
_CHUNK = 16_384
# What adding up one product of two float32 numbers may lose of it.
_ROUNDING = 2.0**-24


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


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """``places`` of rows, ascending, ``upper`` bounds of their scores, and at most k ``sure`` ones: the best lower."""

    places: NDArray[np.intp]
    upper: NDArray[np.float32]
    sure: NDArray[np.float32]


def coded(
    rows: Embeddings,
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return rows in 8 bits, what each is to be multiplied by, the lengths of what is lost and of what is kept."""
    scales = (np.maximum(np.abs(rows).max(axis=1), np.finfo(np.float32).tiny * 127) / 127).astype(np.float32)
    codes = np.clip(np.rint(rows / scales[:, None]), -127, 127)
    kept = codes * scales[:, None]
    errors, lengths = (np.linalg.norm(each, axis=1).astype(np.float32) for each in (rows - kept, kept))
    return codes.astype(np.int8), scales, errors, lengths


def bounded(
    query: NDArray[np.float32], coarse: Coarse
) -> Callable[[slice], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return what tells of at most ``_CHUNK`` rows their products with ``query`` (dim,) and how far off each may be.

    What it returned is overwritten by its next call.
    """
    code, scale, error, _ = coded(query[None])
    own, dim = np.float32(np.linalg.norm(query)), coarse.codes.shape[1]
    # Scores are sums of rounded products, too, which may be off by this share of both lengths.
    lost = np.float32(error[0] + own * dim * _ROUNDING)
    room = np.empty((1, _CHUNK), np.float32)

    def bounds(part: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        dots = room[:, : part.stop - part.start]
        numkong.cdist(code, coarse.codes[part], "dot", out=dots)
        scores = dots[0]
        scores *= coarse.scales[part]
        scores *= scale[0]
        return scores, coarse.errors[part] * own + coarse.lengths[part] * lost

    return bounds


def shortlist(
    query: NDArray[np.float32], coarse: Coarse, k: int, part: slice, mask: NDArray[np.bool_] | None
) -> Shortlist:
    """Return all rows of ``part`` that can be among its ``k`` best by their products with ``query`` (dim,).

    ``mask`` (n,): the rows that take part; ``None``: all.
    """
    bounds = bounded(query, coarse)
    sure, threshold = np.empty(0, np.float32), np.float32(-np.inf)
    places, uppers = [np.empty(0, np.intp)], [np.empty(0, np.float32)]
    for start in range(part.start, part.stop, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, part.stop))
        scores, off = bounds(chunk)
        upper = scores + off
        found = np.flatnonzero(upper >= threshold if mask is None else mask[chunk] & (upper >= threshold))
        if not len(found):
            continue
        sure = largest(np.concatenate([sure, scores[found] - off[found]]), k)
        if len(sure) == k:
            threshold = sure.min()
            found = found[upper[found] >= threshold]
        places.append(start + found)
        uppers.append(upper[found])
    return Shortlist(np.concatenate(places), np.concatenate(uppers), sure)


def united(parts: list[Shortlist], k: int) -> NDArray[np.intp]:
    """Return the ascending places of all rows that can be among the ``k`` best of ``parts``, one after the other."""
    sure = largest(np.concatenate([each.sure for each in parts]), k)
    threshold = sure.min() if len(sure) == k else -np.inf
    return np.concatenate([each.places[each.upper >= threshold] for each in parts])


def largest(values: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return the ``k`` largest values, or all, in any order."""
    return values if len(values) <= k else np.partition(values, len(values) - k)[len(values) - k :]
