"""Where the bytes of a hit's photo come from: its file, or what the store says that it read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from wordsight.images import read_bytes
from wordsight.library.hits import PhotoHit

if TYPE_CHECKING:
    from wordsight.library.searchable import Searchable

PhotoBytes: TypeAlias = Callable[[PhotoHit], bytes]
"""From a hit to the bytes of its photo; raises ``ImageError``."""


def from_file(hit: PhotoHit) -> bytes:
    """Return the file of a hit."""
    return read_bytes(hit.path)


def bytes_of(library: Searchable) -> PhotoBytes:
    """Return what reads the photos of a library or a store."""
    from wordsight.library import Library

    if isinstance(library, Library):
        return from_file
    from wordsight.scale.contents import Contents

    contents = Contents()
    return lambda hit: contents.read(str(hit.path), hit.sha256, hit.bytes)
