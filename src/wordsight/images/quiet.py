"""Silence for the time of a decoding: what Pillow and libtiff would say on the side is already in the result."""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from PIL import _imaging

_here = threading.local()

# Pillow logs errors about damaged TIFFs, which Python prints where nobody set up logging. Whoever did still gets them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class _OnlyHere(type):
    """Makes every warning a subclass while, and only while, this thread is inside ``quiet``."""

    def __subclasscheck__(cls, subclass: type) -> bool:
        return getattr(_here, "depth", 0) > 0


class _WhileQuiet(Warning, metaclass=_OnlyHere):
    """The category of the one filter this module installs."""


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore Python warnings of this thread.

    ``warnings.catch_warnings`` swaps a list that all threads share: two decoding threads would undo each other, and a
    warning turned into an error would fail a readable picture. Here one filter stays installed for good and asks, at
    each warning, which thread it comes from.
    """
    filters = warnings.filters
    if not filters or filters[0][2] is not _WhileQuiet:  # first use, or somebody reset the filters
        warnings.simplefilter("ignore", _WhileQuiet)
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1


@cache
def silence_libtiff() -> None:
    """Stop libtiff from writing about damaged files to the C level's stderr, where no Python code can catch it."""
    with suppress(OSError, AttributeError, TypeError):  # built into Pillow on some systems: then it stays as it is
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            install = getattr(library, name)
            install.argtypes, install.restype = [ctypes.c_void_p], ctypes.c_void_p
            install(None)
