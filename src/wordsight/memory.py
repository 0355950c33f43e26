"""How the system's allocator treats large arrays."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_LARGE = 31 << 20
"""Just below the largest size that glibc learns to keep, 32 MiB."""


@lru_cache(maxsize=1)
def keep_large_arrays() -> None:
    """Have the process keep memory that is freed, up to some 60 MB, instead of returning it to the system at once.

    Decoding and statistics make and drop arrays of about a megabyte all the time. Fresh pages for each of them cost a
    quarter of decoding, and more than a statistic's arithmetic, and threads wait for each other to get them. glibc
    keeps what is no larger than the largest array that was freed before (mallopt(3), M_MMAP_THRESHOLD): one that is
    never touched, so no page of it exists, is enough. Other allocators lose nothing by it.
    """
    np.empty(_LARGE, np.uint8)
