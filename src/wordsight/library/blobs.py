"""Vectors as the catalogue stores them: little-endian float16, one blob each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wordsight.errors import CatalogueError
from wordsight.types import Embeddings


def pack(vectors: Embeddings) -> list[bytes]:
    """Return each row as the bytes that the catalogue stores: little-endian float16."""
    return [row.tobytes() for row in np.asarray(vectors).astype("<f2")]


def join(blobs: Iterable[bytes], dim: int) -> bytes:
    """Return stored rows as one block of float16; raises ``CatalogueError`` when it is not ``dim`` for each."""
    rows = list(blobs)
    block = b"".join(rows)
    if len(block) != 2 * dim * len(rows):
        raise CatalogueError("the catalogue holds damaged vectors: move it away and index again")
    return block


def unpack(blobs: Iterable[bytes], dim: int) -> Embeddings:
    """Return stored rows as (n, dim) float32; raises like ``join``."""
    return np.frombuffer(join(blobs, dim), "<f2").reshape(-1, dim).astype(np.float32)
