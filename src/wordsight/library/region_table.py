"""The catalogue's table of regions: one row for each picture that has them, written and read as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wordsight.index.regions import MOST_REGIONS
from wordsight.library.blobs import join, pack
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.library.regions import Regions, pack_boxes
from wordsight.types import RowIds

HAS_ALL = (
    "v.id IS NOT NULL AND (?1 IS NULL OR EXISTS (SELECT 1 FROM regions r WHERE r.vector_id = v.id AND r.layout = ?1))"
)
"""SQL condition that the vector ``v`` is there, and its regions of the layout ``?1`` unless that is NULL."""

_BATCH = 1_024


def want(db: sqlite3.Connection, encoder: StoredEncoder, layout: str | None) -> StoredEncoder:
    """Record which regions ``encoder`` shall have of each picture; ``None`` removes all there are."""
    db.execute("UPDATE encoders SET regions = ? WHERE id = ?", [layout, encoder.id])
    if layout is None:
        db.execute("DELETE FROM regions WHERE encoder_id = ?", [encoder.id])
    return replace(encoder, regions=layout)


def write(db: sqlite3.Connection, encoder: StoredEncoder, content_id: int, regions: Regions) -> None:
    """Store the regions of a content that has a vector, in place of those it had."""
    row = db.execute("SELECT id FROM vectors WHERE content_id = ? AND encoder_id = ?", [content_id, encoder.id])
    vector_id = row.fetchone()[0]
    db.execute("DELETE FROM regions WHERE vector_id = ?", [vector_id])
    db.execute(
        "INSERT INTO regions (encoder_id, vector_id, layout, boxes, vectors) VALUES (?, ?, ?, ?, ?)",
        [encoder.id, vector_id, encoder.regions, pack_boxes(regions.boxes), b"".join(pack(regions.vectors))],
    )


def rows(catalogue: Catalogue, encoder: StoredEncoder, *, after: int | None = None) -> Iterator[tuple[RowIds, bytes]]:
    """Yield batches of ascending row ids (see ``index.regions``) and their vectors' bytes.

    ``after``: only of what was stored later than the table's row of this id.
    """
    if after is None:  # in this order without sorting
        source = "vectors v CROSS JOIN regions r ON r.vector_id = v.id WHERE v.encoder_id = ? ORDER BY v.id"
    else:
        source = "regions r WHERE r.encoder_id = ? AND r.id > ? ORDER BY r.vector_id"
    bound = [encoder.id] if after is None else [encoder.id, after]
    found = catalogue.db.execute(f"SELECT r.vector_id, r.boxes, r.vectors FROM {source}", bound)
    while batch := found.fetchmany(_BATCH):
        ids = [picture * MOST_REGIONS + number for picture, boxes, _ in batch for number in range(len(boxes) // 8)]
        yield np.asarray(ids, np.int64), join((row[2] for row in batch), encoder.dim, len(ids))


def rows_at_once(
    catalogue: Catalogue, encoder: StoredEncoder, *, after: int | None = None
) -> tuple[RowIds, NDArray[np.float16]]:
    """Return what ``rows`` yields: the ids (n,) and the vectors (n, dim)."""
    parts = list(rows(catalogue, encoder, after=after))
    ids = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    return ids, np.frombuffer(b"".join(part[1] for part in parts), "<f2").reshape(-1, encoder.dim)


def count(catalogue: Catalogue, encoder: StoredEncoder) -> int:
    """Return how many pictures have their regions stored."""
    row = catalogue.db.execute("SELECT count(*) FROM regions WHERE encoder_id = ?", [encoder.id])
    return int(row.fetchone()[0])


def last(catalogue: Catalogue, encoder: StoredEncoder) -> int:
    """Return the id of the table's newest row; 0 where there is none."""
    row = catalogue.db.execute("SELECT coalesce(max(id), 0) FROM regions WHERE encoder_id = ?", [encoder.id])
    return int(row.fetchone()[0])


def changes(catalogue: Catalogue, encoder: StoredEncoder, after: int) -> int:
    """Return how many pictures got or lost regions since the table's row of this id was the newest."""
    row = catalogue.db.execute(
        "SELECT (SELECT count(*) FROM regions WHERE encoder_id = ?1 AND id > ?2) + "
        "(SELECT count(*) FROM removed_regions WHERE encoder_id = ?1)",
        [encoder.id, after],
    )
    return int(row.fetchone()[0])


def removed(catalogue: Catalogue, encoder: StoredEncoder) -> RowIds:
    """Return the ids of pictures whose regions in the index files are no longer right."""
    found = catalogue.db.execute("SELECT vector_id FROM removed_regions WHERE encoder_id = ? ORDER BY 1", [encoder.id])
    return np.asarray([row[0] for row in found], np.int64)
