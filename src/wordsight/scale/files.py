"""Photos with their vectors as files of other programs: Parquet, or NumPy's arrays beside JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.errors import BadInput
from wordsight.images import PictureInfo
from wordsight.index.lance_table import pa
from wordsight.scale.rows import Collection, Header, Record, photo_rows, photo_schema, records

_TOGETHER = 4_096
VECTORS = "vectors.npy"
"""The file by which an exported folder is known."""

_ABOUT, _PHOTOS = "about.json", "photos.jsonl"


def write_parquet(photos: Collection, file: Path) -> None:
    """Write photos to one file, which appears complete or not at all."""
    import pyarrow.parquet

    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with pyarrow.parquet.ParquetWriter(draft, photo_schema(photos.header), compression="zstd") as writer:
            for batch in photos.photos:
                writer.write_table(photo_rows(batch, photos.header))
        draft.replace(file)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"cannot write {file}: {error}") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def read_parquet(file: Path) -> Collection:
    """Return the photos of a file; raises ``BadInput`` for a file that is none of ours."""
    import pyarrow.parquet

    try:
        opened = pyarrow.parquet.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{file} cannot be read as Parquet: {error}") from error
    header = Header.read(opened.schema_arrow.metadata, str(file))
    photos = (records(batch, header.dim) for batch in opened.iter_batches(_TOGETHER))
    return Collection(header, opened.metadata.num_rows, photos)


def write_npy(photos: Collection, folder: Path) -> None:
    """Write n photos to a folder: ``vectors.npy`` (n, dim) float16, a line of JSON each, and the header.

    The header comes last: without it the folder is nobody's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _ABOUT).unlink(missing_ok=True)
        place = 0
        with (folder / _PHOTOS).open("w", encoding="utf-8") as lines, (folder / VECTORS).open("wb") as stream:
            shape = {"descr": "<f2", "fortran_order": False, "shape": (photos.count, photos.header.dim)}
            np.lib.format.write_array_header_2_0(stream, shape)
            for batch in photos.photos:
                for record in batch:
                    stream.write(record.vector.astype("<f2").tobytes())
                    lines.write(json.dumps(_members(record)) + "\n")
                place += len(batch)
        if place != photos.count:
            raise BadInput(f"the photos changed while they were exported ({place} of {photos.count}): run it again")
        (folder / _ABOUT).write_text(json.dumps(photos.header.as_dict()) + "\n")
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error}") from error


def read_npy(folder: Path) -> Collection:
    """Return the photos of a folder; raises ``BadInput`` for a folder that is none of ours."""
    try:
        told = {b"wordsight": json.dumps({"format": 1, **json.loads((folder / _ABOUT).read_text())}).encode()}
        vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{folder} holds no exported photos: {error}") from error
    header = Header.read(told, str(folder))
    if vectors.dtype != np.float16 or vectors.ndim != 2 or vectors.shape[1] != header.dim:
        raise BadInput(f"{folder / VECTORS} is {vectors.dtype} {vectors.shape}: expected float16 (n, {header.dim})")
    return Collection(header, len(vectors), _npy_batches(folder, vectors))


def _npy_batches(folder: Path, vectors: np.ndarray) -> Iterator[list[Record]]:
    batch: list[Record] = []
    number = -1
    with (folder / _PHOTOS).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number >= len(vectors):
                break
            batch.append(_record(json.loads(line), np.asarray(vectors[number]), f"{folder / _PHOTOS}:{number + 1}"))
            if len(batch) == _TOGETHER:
                yield batch
                batch = []
    if number + 1 != len(vectors):
        raise BadInput(f"{folder} is damaged: it has {len(vectors)} vectors and another number of photos")
    yield batch


def _members(record: Record) -> dict[str, Any]:
    members = {name: getattr(record, name) for name in ("address", "sha256", "bytes", "stamp")} | asdict(record.info)
    captured = record.info.captured_at
    return members | {"captured_at": None if captured is None else captured.isoformat(timespec="seconds")}


def _record(members: dict[str, Any], vector: np.ndarray, place: str) -> Record:
    try:
        told = {name: members[name] for name in PictureInfo.__dataclass_fields__}
        told["captured_at"] = None if told["captured_at"] is None else datetime.fromisoformat(told["captured_at"])
        address, sha256, stamp = (str(members[name]) for name in ("address", "sha256", "stamp"))
        return Record(address, sha256, int(members["bytes"]), stamp, PictureInfo(**told), vector)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{place} is no photo: {error!r}") from error
