"""Index files derived from the catalogue: memory-mapped, never changed, rebuildable at any time.

``index/<encoder id>/<generation>/`` holds ``ids``, ``vectors`` and, for large catalogues, ``graph``; ``manifest.json``
tells their sizes. Generations have random names, and the database says which one holds: it changes its mind in the
transaction that forgets the removed vectors. So a reader, who sees one state of the database, gets the files of that
state or none; and files that belong to no state (of a run that was killed, or of a catalogue that is gone) are never
read. What the files lack is in the database, and searched exactly.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex
from wordsight.index.exact import positions
from wordsight.library.blobs import join
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.protocols import VectorIndex

GRAPH_FROM = 2_000_000
"""Rows from which a graph is built: an exact scan of a million takes some 50 ms, and no minutes to build."""

_FEW = 1_000
_SHARE = 20
_BATCH = 4_096
_TRIES = 3


def open_index(catalogue: Catalogue, encoder: StoredEncoder, *, threads: int = 1) -> VectorIndex:
    """Return the index over all vectors of ``encoder``: the files, with what changed since they were made on top.

    In a ``snapshot()`` this comes first: it goes on to the newest state when the files of an older one are gone.
    """
    with catalogue.snapshot():
        base = _open_base(catalogue, encoder, threads)
        held = _rows(base).ids
        ids, vectors = catalogue.vectors_after(encoder, int(held[-1]) if len(held) else 0)
        removed = held[positions(held, catalogue.removed(encoder))]
    if not len(ids) and not len(removed):
        return base
    added = ExactIndex(encoder.dim, encoder.metric, ids, vectors.astype(np.float16))
    return LayeredIndex(base, added, removed)


def fold_if_due(catalogue: Catalogue, encoder: StoredEncoder, *, graph_from: int | None = None) -> bool:
    """Fold when what changed since the last time is more than a twentieth of the whole; return whether it was."""
    base = _open_base(catalogue, encoder, 1)
    last = int(_rows(base).ids[-1]) if len(base) else 0
    added = catalogue.db.execute(
        "SELECT count(*) FROM vectors WHERE encoder_id = ? AND id > ?", [encoder.id, last]
    ).fetchone()[0]
    if added + len(catalogue.removed(encoder)) <= max(_FEW, len(base) // _SHARE):
        return False
    fold(catalogue, encoder, graph_from=graph_from)
    return True


def fold(catalogue: Catalogue, encoder: StoredEncoder, *, graph_from: int | None = None) -> None:
    """Write a new generation of the index files, in constant memory (but for a graph); call it inside ``writing()``.

    Raises ``CatalogueError`` when the files cannot be written; nothing of them is left behind then.
    """
    generation = os.urandom(8).hex()
    folder = _home(catalogue, encoder) / generation
    try:
        folder.mkdir(parents=True)
        _write(catalogue, encoder, folder, GRAPH_FROM if graph_from is None else graph_from)
    except (OSError, RuntimeError) as error:  # usearch says RuntimeError where a disk is full
        shutil.rmtree(folder, ignore_errors=True)
        raise CatalogueError(
            f"the index files in {folder.parent} cannot be written: {error}. All photos are recorded and search works "
            "without; make room or fix the cause, and run the same command again"
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    catalogue.adopt(encoder, generation)
    _drop_others(folder)


def _open_base(catalogue: Catalogue, encoder: StoredEncoder, threads: int) -> VectorIndex:
    """Open the present generation; damaged files count as none: all of it is in the database."""
    for _ in range(_TRIES):
        generation = catalogue.generation(encoder)
        if generation is None:
            break
        try:
            return _open(_home(catalogue, encoder) / generation, encoder, threads)
        except FileNotFoundError:  # a writer may just have put another in its place
            catalogue.renew()
        except (OSError, ValueError, CatalogueError):
            break
    return ExactIndex(encoder.dim, encoder.metric)


def _open(folder: Path, encoder: StoredEncoder, threads: int) -> VectorIndex:
    manifest = _manifest(folder)
    for name, size in manifest["bytes"].items():
        if (folder / name).stat().st_size != size:
            raise CatalogueError(f"{folder / name} is damaged")
    rows = _open_rows(folder, int(manifest["rows"]), encoder, threads)
    if "graph" not in manifest["bytes"]:
        return rows
    from wordsight.index.graph import GraphIndex

    return GraphIndex.open(folder / "graph", rows)


def _open_rows(folder: Path, count: int, encoder: StoredEncoder, threads: int) -> ExactIndex:
    if not count:
        return ExactIndex(encoder.dim, encoder.metric, threads=threads)
    ids = np.memmap(folder / "ids", "<i8", mode="r", shape=(count,))
    vectors = np.memmap(folder / "vectors", "<f2", mode="r", shape=(count, encoder.dim))
    if not (ids[1:] > ids[:-1]).all():
        raise CatalogueError(f"{folder / 'ids'} is damaged")
    return ExactIndex(encoder.dim, encoder.metric, np.asarray(ids), np.asarray(vectors), threads=threads)


def _write(catalogue: Catalogue, encoder: StoredEncoder, folder: Path, graph_from: int) -> None:
    count = _write_rows(catalogue, encoder, folder)
    if count >= graph_from:
        from wordsight.index.graph import GraphIndex

        GraphIndex.build(_open_rows(folder, count, encoder, 1)).save(folder / "graph")
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"rows": count, "bytes": sizes}))
    for path in (*folder.iterdir(), folder):
        _to_disk(path)


def _write_rows(catalogue: Catalogue, encoder: StoredEncoder, folder: Path) -> int:
    rows = catalogue.db.execute("SELECT id, vector FROM vectors WHERE encoder_id = ? ORDER BY id", [encoder.id])
    count = 0
    with (folder / "ids").open("wb") as ids, (folder / "vectors").open("wb") as vectors:
        while batch := rows.fetchmany(_BATCH):
            ids.write(np.asarray([row[0] for row in batch], "<i8").tobytes())
            vectors.write(join([row[1] for row in batch], encoder.dim))
            count += len(batch)
    return count


def _to_disk(path: Path) -> None:
    """Make sure of a file or folder before the database relies on it, also if the power fails."""
    if os.name == "nt":  # takes no folders, and files only when they are open for writing
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_others(folder: Path) -> None:
    """Remove other generations. Readers that have them open keep them; on Windows they go the next time."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)
        elif other != folder:
            other.unlink(missing_ok=True)


def _rows(index: VectorIndex) -> ExactIndex:
    rows = getattr(index, "rows", index)
    assert isinstance(rows, ExactIndex)
    return rows


def _home(catalogue: Catalogue, encoder: StoredEncoder) -> Path:
    return catalogue.location / "index" / str(encoder.id)


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest; raises ``ValueError`` where it is damaged and ``FileNotFoundError`` where there is none."""
    manifest = json.loads((folder / "manifest.json").read_text())
    try:
        sizes = {str(name): int(size) for name, size in manifest["bytes"].items()}
        return {"rows": int(manifest["rows"]), "bytes": sizes}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder} holds no manifest") from error
