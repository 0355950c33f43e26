"""Vectors as the catalogue stores them: little-endian float16, one blob each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wordsight.errors import CatalogueError
from wordsight.types import Embeddings


def pack(vectors: Embeddings) -> list[bytes]:
    """Return each row as the bytes that the catalogue stores: little-endian float16."""
    return [row.tobytes() for row in np.asarray(vectors).astype("<f2")]


def join(blobs: Iterable[bytes], dim: int, count: int | None = None) -> bytes:
    """Return stored rows as one block of float16; raises ``CatalogueError`` when it is not ``dim`` for each.

    ``count``: how many rows there are where a blob may hold several.
    """
    rows = list(blobs)
    block = b"".join(rows)
    if len(block) != 2 * dim * (len(rows) if count is None else count):
        raise CatalogueError("the catalogue holds damaged vectors: move it away and index again")
    return block


def unpack(blobs: Iterable[bytes], dim: int, count: int | None = None) -> Embeddings:
    """Return stored rows as (n, dim) float32; ``count`` and errors as in ``join``."""
    return np.frombuffer(join(blobs, dim, count), "<f2").reshape(-1, dim).astype(np.float32)
