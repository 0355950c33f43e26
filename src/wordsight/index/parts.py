"""Rows are worked on in parts, by threads that are kept: starting one takes as long as comparing 10,000 rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, pairwise
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")


def in_parts(compute: Callable[[Part], Made], parts: Sequence[Part]) -> list[Made]:
    """Return what ``compute`` makes of each of ``parts`` (at least one), at once; the calling thread takes the last."""
    *others, last = parts
    if not others:
        return [compute(last)]
    waiting = [_pool(len(others)).submit(compute, part) for part in others]
    made = compute(last)
    return [*(each.result() for each in waiting), made]


def evenly(rows: int, pieces: int) -> list[slice]:
    """Return ``pieces`` slices of ``rows`` rows, nearly of the same length."""
    edges = accumulate((rows // pieces + (place < rows % pieces) for place in range(pieces)), initial=0)
    return [slice(start, stop) for start, stop in pairwise(edges)]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="wordsight-index")


if hasattr(os, "register_at_fork"):  # a forked process has the pools, but none of their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
