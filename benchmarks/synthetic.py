"""Catalogues of any size without photos: rows are written in bulk through the catalogue's own tables, then folded."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from wordsight.library import calibration, derived, region_table
from wordsight.library.catalogue import Catalogue, StoredEncoder, pack
from wordsight.library.regions import LAYOUT, Regions, layout
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

ROOT = "/photos"
PER_FOLDER = 1_000
_CHUNK = 20_000
_NO_GRAPH = 2**62  # rows
_SIZE = (4000, 3000)


def random_vectors(dim: int, *, seed: int = 0) -> Callable[[int], Embeddings]:
    """Return a function that draws so many random unit vectors: the same ones on every run."""
    rng = np.random.default_rng(seed)

    def draw(count: int) -> Embeddings:
        rows = rng.standard_normal((count, dim), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    return draw


def make(
    location: Path,
    encoder: Encoder,
    rows: int,
    *,
    graph: bool = False,
    regions: bool = False,
    draw: Callable[[int], Embeddings] | None = None,
    label: str = "random",
) -> float:
    """Make a catalogue of ``rows`` pictures, 1,000 to a folder below ``/photos``, unless it is there already.

    ``draw`` gives the next so many unit vectors; ``label`` names what it draws. ``graph``: with an HNSW graph;
    ``regions``: with the regions of ordinary photos, drawn alike.
    Returns the seconds that folding its index files took (and building the graph).
    """
    key = [rows, graph, regions, label, encoder.fingerprint]
    mark = location / "made.json"
    if mark.is_file() and (made := json.loads(mark.read_text()))["key"] == key:
        return float(made["fold_s"])
    shutil.rmtree(location, ignore_errors=True)
    draw = draw or random_vectors(encoder.dim)
    with Catalogue.open(location, create=True) as catalogue, catalogue.writing():
        stored = catalogue.add_encoder(encoder)
        _fill(catalogue, stored, rows, draw)
        if regions:
            stored = _fill_regions(catalogue, stored, rows, draw)
        start = time.perf_counter()
        derived.fold(catalogue, stored, graph_from=0 if graph else _NO_GRAPH)
        seconds = time.perf_counter() - start
        calibration.calibrate_if_due(catalogue, stored, encoder)
        catalogue.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    mark.write_text(json.dumps({"key": key, "fold_s": seconds}))
    return seconds


def add_folder(catalogue: Catalogue, path: str) -> int:
    """Record a folder below ``/photos`` (which becomes an indexed folder) and return its id."""
    catalogue.db.execute("INSERT OR IGNORE INTO roots (path, synced_at) VALUES (?, '2024-01-01T00:00:00')", [ROOT])
    (root,) = catalogue.db.execute("SELECT id FROM roots WHERE path = ?", [ROOT]).fetchone()
    cursor = catalogue.db.execute("INSERT INTO folders (root_id, path) VALUES (?, ?)", [root, path])
    return int(cursor.lastrowid or 0)


def add_rows(
    catalogue: Catalogue, stored: StoredEncoder, folder: int, numbers: range, vectors: Iterable[bytes]
) -> None:
    """Record the pictures ``numbers`` in one folder, with their packed vectors."""
    db = catalogue.db
    db.executemany(
        "INSERT INTO contents (id, sha256, width, height, format, captured_at, camera) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((i, i.to_bytes(32, "big"), *_SIZE, "jpeg", _date(i), f"Camera {i % 7}") for i in numbers),
    )
    db.executemany(
        "INSERT INTO files (folder_id, name, bytes, mtime_ns, content_id) VALUES (?, ?, ?, ?, ?)",
        ((folder, f"photo-{i:07d}.jpg", 2_500_000 + i, i, i) for i in numbers),
    )
    db.executemany(
        "INSERT INTO vectors (encoder_id, content_id, vector) VALUES (?, ?, ?)",
        zip(_always(stored.id), numbers, vectors, strict=False),
    )


def _fill(catalogue: Catalogue, stored: StoredEncoder, rows: int, draw: Callable[[int], Embeddings]) -> None:
    for first in range(1, rows + 1, _CHUNK):
        with catalogue.transaction():
            numbers = range(first, min(rows + 1, first + _CHUNK))
            blobs = pack(draw(len(numbers)))
            for start in range(0, len(numbers), PER_FOLDER):
                part = numbers[start : start + PER_FOLDER]
                folder = add_folder(catalogue, f"{ROOT}/{part[0] // PER_FOLDER:05d}")
                add_rows(catalogue, stored, folder, part, blobs[start : start + PER_FOLDER])


def _fill_regions(
    catalogue: Catalogue, stored: StoredEncoder, rows: int, draw: Callable[[int], Embeddings]
) -> StoredEncoder:
    stored = region_table.want(catalogue.db, stored, LAYOUT)
    boxes = layout(*_SIZE)
    for first in range(1, rows + 1, PER_FOLDER):
        with catalogue.transaction():
            for number in range(first, min(rows + 1, first + PER_FOLDER)):
                region_table.write(catalogue.db, stored, number, Regions(boxes, draw(len(boxes))))
    return stored


def _date(number: int) -> str:
    return f"{2005 + number % 20}-{1 + number % 12:02d}-{1 + number % 28:02d}T12:00:00"


def _always(value: int) -> Iterator[int]:
    while True:
        yield value
