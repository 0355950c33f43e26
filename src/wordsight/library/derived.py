"""Index files derived from the catalogue: memory-mapped, replaced atomically, rebuildable at any time.

``index/<encoder id>/`` holds ``manifest.json``, which names the files of one generation: ``ids-N.npy``,
``vectors-N.npy`` and, for large catalogues, ``graph-N.usearch``. A reader that opened a generation keeps it, whatever a
writer does: files are never changed, the manifest is replaced in one step, and old files are unlinked afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.protocols import VectorIndex
from wordsight.types import RowIds

GRAPH_FROM = 1_000_000
"""Rows from which a graph is built: below, an exact scan answers in well under 100 ms."""

_FEW = 1_000
_SHARE = 20
_BATCH = 4_096


def open_index(catalogue: Catalogue, encoder: StoredEncoder, *, threads: int = 1) -> VectorIndex:
    """Return the index over all vectors of ``encoder``: the files, with what changed since they were made on top."""
    base = _open_base(catalogue, encoder, threads)
    last = int(_rows(base).ids[-1]) if len(base) else 0
    ids, vectors = catalogue.vectors_after(encoder, last)
    removed = catalogue.removed(encoder)
    removed = removed[np.isin(removed, _rows(base).ids)] if len(removed) else removed
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
    """Write a new generation of the index files from the catalogue, in constant memory (but for a graph)."""
    folder = _folder(catalogue, encoder)
    folder.mkdir(parents=True, exist_ok=True)
    generation = 1 + int(_manifest(folder).get("generation", 0))
    removed = catalogue.removed(encoder)
    count = catalogue.vector_count(encoder)
    names: dict[str, Any] = {"generation": generation, "catalogue": catalogue.identity, "rows": count}
    names |= {"ids": f"ids-{generation}.npy", "vectors": f"vectors-{generation}.npy", "graph": None}
    try:
        _write_rows(catalogue, encoder, folder / names["ids"], folder / names["vectors"], count)
        if count >= (GRAPH_FROM if graph_from is None else graph_from):
            from wordsight.index.graph import GraphIndex

            names["graph"] = f"graph-{generation}.usearch"
            GraphIndex.build(_open_rows(folder, names, encoder, 1)).save(folder / names["graph"])
        temporary = folder / "manifest.json.new"
        temporary.write_text(json.dumps(names))
        temporary.replace(folder / "manifest.json")
    except OSError as error:
        raise CatalogueError(f"the index files in {folder} cannot be written: {error}; search works without") from error
    _drop_others(folder, names)
    if len(removed):
        with catalogue.transaction():
            catalogue.db.executemany(
                "DELETE FROM removed WHERE encoder_id = ? AND vector_id = ?",
                ((encoder.id, int(vector)) for vector in removed),
            )


def describe(catalogue: Catalogue, encoder: StoredEncoder) -> dict[str, Any]:
    """Return what the index files hold: generation, rows, whether there is a graph, bytes on disk."""
    folder = _folder(catalogue, encoder)
    manifest = _manifest(folder)
    size = sum(file.stat().st_size for file in folder.glob("*")) if folder.is_dir() else 0
    return {"rows": manifest.get("rows", 0), "graph": bool(manifest.get("graph")), "bytes": size}


def discard(catalogue: Catalogue) -> None:
    """Remove all index files; searching goes on from the database alone until they are folded again."""
    shutil.rmtree(catalogue.location / "index", ignore_errors=True)


def _open_base(catalogue: Catalogue, encoder: StoredEncoder, threads: int) -> VectorIndex:
    """Open the newest generation; damaged or foreign files count as none: all of it is in the database."""
    folder = _folder(catalogue, encoder)
    for _ in range(3):  # a writer may replace the generation between reading the manifest and opening its files
        manifest = _manifest(folder)
        if manifest.get("catalogue") != catalogue.identity:
            break
        try:
            rows = _open_rows(folder, manifest, encoder, threads)
            if not manifest.get("graph"):
                return rows
            from wordsight.index.graph import GraphIndex

            return GraphIndex.open(folder / manifest["graph"], rows)
        except (OSError, ValueError, CatalogueError):
            continue
    return ExactIndex(encoder.dim, encoder.metric)


def _open_rows(folder: Path, manifest: dict[str, Any], encoder: StoredEncoder, threads: int) -> ExactIndex:
    ids: RowIds = np.load(folder / manifest["ids"], mmap_mode="r", allow_pickle=False)
    vectors: NDArray[np.float16] = np.load(folder / manifest["vectors"], mmap_mode="r", allow_pickle=False)
    if vectors.shape != (len(ids), encoder.dim) or len(ids) != manifest["rows"] or vectors.dtype != np.float16:
        raise CatalogueError(f"the index files in {folder} do not fit together")
    return ExactIndex(encoder.dim, encoder.metric, ids, vectors, threads=threads)


def _write_rows(catalogue: Catalogue, encoder: StoredEncoder, ids: Path, vectors: Path, count: int) -> None:
    rows = catalogue.db.execute(
        "SELECT id, vector FROM vectors WHERE encoder_id = ? ORDER BY id LIMIT ?", [encoder.id, count]
    )
    with ids.open("wb") as id_file, vectors.open("wb") as vector_file:
        _write_header(id_file, "<i8", (count,))
        _write_header(vector_file, "<f2", (count, encoder.dim))
        while batch := rows.fetchmany(_BATCH):
            id_file.write(np.asarray([row[0] for row in batch], "<i8").tobytes())
            vector_file.write(b"".join(row[1] for row in batch))
        for file in (id_file, vector_file):
            file.flush()
            os.fsync(file.fileno())


def _write_header(file: Any, dtype: str, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


def _drop_others(folder: Path, manifest: dict[str, Any]) -> None:
    keep = {"manifest.json", manifest["ids"], manifest["vectors"], manifest["graph"]}
    for file in folder.iterdir():
        if file.name not in keep:
            file.unlink(missing_ok=True)


def _rows(index: VectorIndex) -> ExactIndex:
    rows = getattr(index, "rows", index)
    assert isinstance(rows, ExactIndex)
    return rows


def _folder(catalogue: Catalogue, encoder: StoredEncoder) -> Path:
    return catalogue.location / "index" / str(encoder.id)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
