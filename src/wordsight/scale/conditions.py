"""Filters as a condition that Lance applies while it searches: SQL on the columns of the table of photos."""

from __future__ import annotations

import os
from pathlib import Path

from wordsight.library.filters import Filters, formats, to_second
from wordsight.scale.rows import to_text


def condition(filters: Filters) -> str | None:
    """Return the condition, or ``None`` where every photo passes. It means what ``Filters.where`` means."""
    parts = []
    if filters.since is not None:
        parts.append(f"captured_at >= {quoted(to_second(filters.since))}")
    if filters.until is not None:
        parts.append(f"captured_at < {quoted(to_second(filters.until))}")
    if filters.under:
        parts.append(" OR ".join(_below(folder) for folder in filters.under))
    if filters.camera is not None:
        parts.append(f"strpos(lower(camera), lower({quoted(filters.camera)})) > 0")
    if filters.types:
        names = sorted({name for kind in filters.types for name in formats(kind)})
        parts.append(f"format IN ({', '.join(map(quoted, names))})")
    if filters.min_bytes is not None:
        parts.append(f"bytes >= {filters.min_bytes}")
    if filters.max_bytes is not None:
        parts.append(f"bytes <= {filters.max_bytes}")
    if filters.min_side is not None:
        parts.append(f"width >= {filters.min_side} AND height >= {filters.min_side}")
    return " AND ".join(f"({part})" for part in parts) or None


def _below(folder: Path) -> str:
    """Return the condition that a photo lies below the folder: as a range, for which "%" and "_" are letters."""
    separator = "/" if "://" in str(folder) else os.sep
    stem = str(folder).rstrip(separator)
    return f"path >= {quoted(stem + separator)} AND path < {quoted(stem + chr(ord(separator) + 1))}"


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + to_text(text).replace("'", "''") + "'"
