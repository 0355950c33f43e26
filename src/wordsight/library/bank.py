"""Vectors of the background queries, remembered: a large text tower in torch takes a minute for them."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from wordsight.library import background
from wordsight.machine import cache_home, cores, write_whole
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

_TEXTS = (*background.THINGS, *background.NONSENSE)


def encode_bank(encoder: Encoder) -> Embeddings:
    """Return the vectors of the background queries, (texts, dim): remembered ones, else encoded on all cores."""
    place = _place(encoder)
    known = _read(place, (len(_TEXTS), encoder.dim))
    if known is not None:
        return known
    size = -(-len(_TEXTS) // cores())
    with ThreadPoolExecutor() as pool:
        parts = pool.map(encoder.encode_texts, [_TEXTS[i : i + size] for i in range(0, len(_TEXTS), size)])
        made = np.concatenate(list(parts))
    stream = io.BytesIO()
    np.save(stream, made)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        write_whole(place, stream.getvalue())
    return made


def _place(encoder: Encoder) -> Path:
    """Return the file, named by what its content depends on."""
    digest = hashlib.sha256("\0".join([encoder.name, encoder.fingerprint, *_TEXTS]).encode()).hexdigest()
    return cache_home() / "background" / f"{digest[:16]}.npy"


def _read(place: Path, shape: tuple[int, int]) -> Embeddings | None:
    try:
        found = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 and np.isfinite(found).all() else None
