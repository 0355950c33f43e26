"""Index files derived from the catalogue: memory-mapped, never changed, rebuildable at any time.

``index/<encoder id>/<generation>/`` holds ``ids``, ``vectors`` and, for large catalogues, ``lists_*`` (or a ``graph``);
``manifest.json`` tells their sizes. Where pictures have regions, ``region_ids``, ``region_vectors`` and so on are the
same for those. Generations have random names, and the database says which one holds: it changes its mind in the
transaction that forgets the removed vectors. So a reader, who sees one state of the database, gets the files of that
state or none; and files that belong to no state (of a run that was killed, or of a catalogue that is gone) are never
read. What the files lack is in the database, and searched exactly.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex, RegionIndex
from wordsight.index.coarse import Coarse
from wordsight.index.exact import positions
from wordsight.index.regions import MOST_REGIONS
from wordsight.library import region_table
from wordsight.library.blobs import join
from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.protocols import ScannableIndex
from wordsight.types import Metric, RowIds

GRAPH_FROM = 2_000_000
"""Rows from which an approximate index is built: an exact scan of a million takes some 20 ms on two cores."""
LISTS_FROM = 500_000
"""Rows from which that is inverted lists: they are built in one pass."""

COARSE_FROM = 50_000
"""Rows from which the index files hold the rows in 8 bits, too: half as many bytes again, and half as many to read."""

_COARSE = ("scales", "errors", "lengths")
_REGIONS = "region_"
_FEW = 1_000
_SHARE = 20
_BATCH = 4_096
_TRIES = 3


def open_index(catalogue: Catalogue, encoder: StoredEncoder, *, threads: int = 1) -> ScannableIndex:
    """Return the index over all vectors of ``encoder``: the files, with what changed since they were made on top.

    In a ``snapshot()`` this comes first: it goes on to the newest state when the files of an older one are gone.
    """
    with catalogue.snapshot():
        return _whole(catalogue, encoder, _open_base(catalogue, encoder, threads))


def open_with_regions(catalogue: Catalogue, encoder: StoredEncoder, *, threads: int = 1) -> RegionIndex:
    """Return the index over the vectors of ``encoder`` and of the regions, like ``open_index``."""
    with catalogue.snapshot():
        base = _open_base(catalogue, encoder, threads)
        whole = _whole(catalogue, encoder, base)
        held = _rows(base.regions).ids
        ids, vectors = region_table.rows_at_once(catalogue, encoder, after=base.last_region)
        gone = np.isin(held // MOST_REGIONS, region_table.removed(catalogue, encoder))
    regions = _layered(base.regions, ids, vectors, held[gone])
    is_graph = not (isinstance(base.whole, ExactIndex) and isinstance(base.regions, ExactIndex))
    return RegionIndex(whole, regions, propose=is_graph)


def _whole(catalogue: Catalogue, encoder: StoredEncoder, base: _Base) -> ScannableIndex:
    held = _rows(base.whole).ids
    ids, vectors = catalogue.vectors_after(encoder, int(held[-1]) if len(held) else 0)
    removed = held[positions(held, catalogue.removed(encoder))]
    return _layered(base.whole, ids, vectors.astype(np.float16), removed)


def _layered(base: ScannableIndex, ids: RowIds, vectors: NDArray[np.float16], removed: RowIds) -> ScannableIndex:
    if not len(ids) and not len(removed):
        return base
    return LayeredIndex(base, ExactIndex(base.dim, base.metric, ids, vectors), removed)


def fold_if_due(catalogue: Catalogue, encoder: StoredEncoder, *, graph_from: int | None = None) -> bool:
    """Fold when what changed since the last time is more than a twentieth of the whole; return whether it was."""
    base = _open_base(catalogue, encoder, 1)
    last = int(_rows(base.whole).ids[-1]) if len(base.whole) else 0
    added = catalogue.db.execute(
        "SELECT count(*) FROM vectors WHERE encoder_id = ? AND id > ?", [encoder.id, last]
    ).fetchone()[0]
    changed = max(
        added + len(catalogue.removed(encoder)), region_table.changes(catalogue, encoder, after=base.last_region)
    )
    if changed <= max(_FEW, len(base.whole) // _SHARE):
        return False
    fold(catalogue, encoder, graph_from=graph_from)
    return True


def fold(catalogue: Catalogue, encoder: StoredEncoder, *, graph_from: int | None = None) -> None:
    """Write a new generation of the index files, in constant memory (but for a graph); call it inside ``writing()``.

    Raises ``CatalogueError`` when the files cannot be written; nothing of them is left behind then.
    """
    generation = os.urandom(8).hex()
    folder = home(catalogue, encoder) / generation
    try:
        folder.mkdir(parents=True)
        _write(catalogue, encoder, folder, GRAPH_FROM if graph_from is None else graph_from)
        for above in folder.relative_to(catalogue.location).parents:
            _to_disk(catalogue.location / above)
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


@dataclass(frozen=True, slots=True)
class _Base:
    """An open generation; ``last_region`` is the id of the newest row of the table of regions that it holds."""

    whole: ScannableIndex
    regions: ScannableIndex
    last_region: int


def _open_base(catalogue: Catalogue, encoder: StoredEncoder, threads: int) -> _Base:
    """Open the present generation; damaged files count as none: all of it is in the database."""
    for _ in range(_TRIES):
        generation = catalogue.generation(encoder)
        if generation is None:
            break
        try:
            return _open(home(catalogue, encoder) / generation, encoder, threads)
        except FileNotFoundError:  # a writer may just have put another in its place
            catalogue.renew()
        except (OSError, ValueError, CatalogueError):
            break
    return _Base(ExactIndex(encoder.dim, encoder.metric), ExactIndex(encoder.dim, encoder.metric), 0)


def _open(folder: Path, encoder: StoredEncoder, threads: int) -> _Base:
    manifest = _manifest(folder)
    for name, size in manifest["bytes"].items():
        if (folder / name).stat().st_size != size:
            raise CatalogueError(f"{folder / name} is damaged")
    return _Base(
        _open_part(folder, "", manifest, encoder, threads),
        _open_part(folder, _REGIONS, manifest, encoder, threads),
        manifest["last_region"],
    )


def _open_part(
    folder: Path, part: str, manifest: dict[str, Any], encoder: StoredEncoder, threads: int
) -> ScannableIndex:
    rows = _open_rows(folder, part, manifest[f"{part}rows"], encoder, threads)
    if f"{part}lists_order.npy" in manifest["bytes"]:
        from wordsight.index.lists import ListIndex

        return ListIndex.open(folder, part, rows)
    if f"{part}graph" not in manifest["bytes"]:
        return rows
    from wordsight.index.graph import GraphIndex

    return GraphIndex.open(folder / f"{part}graph", rows)


def _open_rows(folder: Path, part: str, count: int, encoder: StoredEncoder, threads: int) -> ExactIndex:
    if not count:
        return ExactIndex(encoder.dim, encoder.metric, threads=threads)
    ids = np.memmap(folder / f"{part}ids", "<i8", mode="r", shape=(count,))
    vectors = np.memmap(folder / f"{part}vectors", "<f2", mode="r", shape=(count, encoder.dim))
    if not (ids[1:] > ids[:-1]).all():
        raise CatalogueError(f"{folder / part}ids is damaged")
    coarse = None
    if (folder / f"{part}codes").is_file():
        kinds = {name: np.memmap(folder / f"{part}{name}", "<f4", mode="r", shape=(count,)) for name in _COARSE}
        codes = np.memmap(folder / f"{part}codes", "i1", mode="r", shape=(count, encoder.dim))
        coarse = Coarse(np.asarray(codes), **{name: np.asarray(kind) for name, kind in kinds.items()})
    return ExactIndex(encoder.dim, encoder.metric, np.asarray(ids), np.asarray(vectors), threads=threads, coarse=coarse)


def _write(catalogue: Catalogue, encoder: StoredEncoder, folder: Path, graph_from: int) -> None:
    manifest: dict[str, Any] = {"last_region": region_table.last(catalogue, encoder)}
    parts = {"": _vector_rows(catalogue, encoder)}
    if manifest["last_region"]:
        parts[_REGIONS] = region_table.rows(catalogue, encoder)
    for part, batches in parts.items():
        count = manifest[f"{part}rows"] = _write_rows(batches, folder, part)
        if count >= max(graph_from, LISTS_FROM):
            from wordsight.index.lists import ListIndex

            ListIndex(_open_rows(folder, part, count, encoder, 1)).save(folder, part)
        elif count >= graph_from:
            from wordsight.index.graph import GraphIndex

            GraphIndex.build(_open_rows(folder, part, count, encoder, 1)).save(folder / f"{part}graph")
        elif count >= COARSE_FROM and not part and encoder.metric is Metric.COSINE:
            _write_coarse(_open_rows(folder, part, count, encoder, 1), folder)
    manifest["bytes"] = {file.name: file.stat().st_size for file in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for path in (*folder.iterdir(), folder):
        _to_disk(path)


def _vector_rows(catalogue: Catalogue, encoder: StoredEncoder) -> Iterator[tuple[RowIds, bytes]]:
    rows = catalogue.db.execute("SELECT id, vector FROM vectors WHERE encoder_id = ? ORDER BY id", [encoder.id])
    while batch := rows.fetchmany(_BATCH):
        yield np.asarray([row[0] for row in batch], np.int64), join([row[1] for row in batch], encoder.dim)


def _write_rows(batches: Iterator[tuple[RowIds, bytes]], folder: Path, part: str) -> int:
    count = 0
    with (folder / f"{part}ids").open("wb") as ids, (folder / f"{part}vectors").open("wb") as vectors:
        for some, block in batches:
            ids.write(some.astype("<i8").tobytes())
            vectors.write(block)
            count += len(some)
    return count


def _write_coarse(rows: ExactIndex, folder: Path) -> None:
    """Write the rows in 8 bits, some at a time. Of regions nobody asks for the best few, so they have none."""
    with ExitStack() as open_files:
        files = {name: open_files.enter_context((folder / name).open("wb")) for name in ("codes", *_COARSE)}
        for start in range(0, len(rows), _BATCH):
            some = Coarse.of(rows.vectors[start : start + _BATCH])
            for name, file in files.items():
                file.write(np.ascontiguousarray(getattr(some, name)).tobytes())


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


def _rows(index: ScannableIndex) -> ExactIndex:
    rows = getattr(index, "rows", index)
    assert isinstance(rows, ExactIndex)
    return rows


def home(catalogue: Catalogue, encoder: StoredEncoder) -> Path:
    """Return the folder of all index files of ``encoder``."""
    return catalogue.location / "index" / str(encoder.id)


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest; raises ``ValueError`` where it is damaged and ``FileNotFoundError`` where there is none."""
    text = (folder / "manifest.json").read_text()
    try:
        manifest = json.loads(text)
        sizes = {str(name): int(size) for name, size in manifest["bytes"].items()}
        numbers = {name: int(manifest.get(name, 0)) for name in (f"{_REGIONS}rows", "last_region")}
        return {"rows": int(manifest["rows"]), "bytes": sizes, **numbers}
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{folder} holds no manifest") from error
