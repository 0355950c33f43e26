"""Arrays that a thread uses again and again: fresh memory costs more than what is done in it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 1 << 24


class _Kept(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}


_kept = _Kept()


def scratch(name: str, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Return an array with any content, which is good until this thread asks for one of the same ``name`` again.

    The system hands out large arrays page by page and takes them back when they are freed, which can cost more than the
    arithmetic. Arrays of more than 16 MiB are not kept.
    """
    array = _kept.arrays.get(name)
    if array is None or array.shape != shape:
        array = np.empty(shape, kind)
        if array.nbytes <= _MOST_BYTES:
            _kept.arrays[name] = array
    return array
