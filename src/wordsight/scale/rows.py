"""The tables of a store, and photos as their rows.

File names need not be valid UTF-8, but a table's texts must be: bytes that are not are written as characters of the
last private plane of Unicode, which no other text uses, and read back as what they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import EncoderMismatch, StoreError
from wordsight.images import PictureInfo
from wordsight.index.lance import column, matrix
from wordsight.index.lance_table import key_field, pa, vector_field
from wordsight.library.calibration import Calibration
from wordsight.protocols import Encoder
from wordsight.scale.items import item_id
from wordsight.types import Metric

FORMAT = 1
_HEADER = b"wordsight"
_TO_PRIVATE = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_FROM_PRIVATE = {private: escaped for escaped, private in _TO_PRIVATE.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """Whose vectors these are. ``roots``: the indexed folders of the catalogue that they come from."""

    encoder: str
    fingerprint: str
    dim: int
    metric: Metric
    roots: tuple[str, ...] = ()

    @classmethod
    def of(cls, encoder: Encoder, roots: Sequence[str] = ()) -> Header:
        """Return the header of what ``encoder`` makes."""
        return cls(encoder.name, encoder.fingerprint, encoder.dim, encoder.metric, tuple(roots))

    @classmethod
    def read(cls, metadata: dict[bytes, bytes] | None, place: str) -> Header:
        """Return what ``noted`` wrote; raises ``StoreError`` naming ``place`` where there is nothing of the kind."""
        try:
            told = json.loads((metadata or {})[_HEADER])
            version = int(told["format"])
            if version > FORMAT:
                raise StoreError(f"{place} has format {version}, and this wordsight reads up to {FORMAT}: update it")
            metric = Metric(told["metric"])
            return cls(told["encoder"], told["fingerprint"], int(told["dim"]), metric, tuple(told["roots"]))
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(f"{place} is no store of wordsight's: its description is missing or damaged") from error

    def noted(self) -> dict[bytes, bytes]:
        """Return the header as a table keeps it."""
        return {_HEADER: json.dumps({"format": FORMAT, **self.as_dict()}).encode()}

    def as_dict(self) -> dict[str, Any]:
        """Return the header as members of a JSON object."""
        members = {name: getattr(self, name) for name in ("encoder", "fingerprint", "dim")}
        return members | {"metric": self.metric.value, "roots": list(self.roots)}

    def check(self, encoder: Encoder, place: str) -> None:
        """Raise ``EncoderMismatch`` unless these are the vectors of ``encoder``."""
        if encoder.fingerprint != self.fingerprint:
            raise EncoderMismatch(
                f"{place} holds vectors of {self.encoder} ({self.fingerprint}), but {encoder.name} "
                f"({encoder.fingerprint}) was asked for: use --encoder {self.encoder}, or another --store"
            )


@dataclass(frozen=True, slots=True)
class Record:
    """A photo as a store holds it; ``vector`` (dim,) float16, ``info`` as the decoder told it."""

    address: str
    sha256: str
    bytes: int
    stamp: str
    info: PictureInfo
    vector: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Collection:
    """Photos on their way from one place to another: ``count`` of them, some at a time, whose they are and more.

    ``skipped``: (address, stamp, reason, reader) of what could not be read. ``learned``: what match estimates are made
    from, where that is known.
    """

    header: Header
    count: int
    photos: Iterable[list[Record]]
    skipped: Iterable[tuple[str, str, str, str]] = ()
    learned: Calibration | None = None


def photo_schema(header: Header) -> pa.Schema:
    """Return the columns of the table of photos, one row an address."""
    required = [("path", pa.string()), ("sha256", pa.string()), ("bytes", pa.int64()), ("stamp", pa.string())]
    required += [("width", pa.int32()), ("height", pa.int32()), ("format", pa.string())]
    optional = [("captured_at", pa.string()), ("camera", pa.string())]
    optional += [("latitude", pa.float64()), ("longitude", pa.float64())]
    fields = [key_field(), *(pa.field(name, kind, nullable=False) for name, kind in required)]
    fields += [pa.field(name, kind) for name, kind in optional]
    return pa.schema([*fields, vector_field(header.dim)], metadata=header.noted())


PROBLEMS = pa.schema(
    [
        key_field(),
        *(pa.field(name, pa.string(), nullable=False) for name in ("path", "stamp", "reason", "reader")),
    ]
)
"""The table of what could not be read. ``reader`` is empty where trying again may help, else what tried."""


def photo_rows(records: Iterable[Record], header: Header) -> pa.Table:
    """Return records as rows; of several with one address the last counts."""
    rows = list({record.address: record for record in records}.values())
    infos = [row.info for row in rows]
    columns: dict[str, Any] = {
        "id": [item_id(row.address) for row in rows],
        "path": [to_text(row.address) for row in rows],
        **{name: [getattr(row, name) for row in rows] for name in ("sha256", "bytes", "stamp")},
        **{name: [getattr(info, name) for info in infos] for name in ("width", "height", "latitude", "longitude")},
        "format": [info.format.lower() for info in infos],
        "captured_at": [info.captured_at and info.captured_at.replace(microsecond=0).isoformat() for info in infos],
        "camera": [None if info.camera is None else to_text(info.camera) for info in infos],
    }
    schema = photo_schema(header)
    vectors = column(np.stack([row.vector for row in rows]) if rows else np.empty((0, header.dim), np.float16))
    columns = {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
    return pa.table([(columns | {"vector": vectors})[name] for name in schema.names], schema=schema)


def records(rows: pa.Table | pa.RecordBatch, dim: int) -> list[Record]:
    """Return rows as records."""
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    vectors = matrix(table["vector"], dim)
    return [
        Record(from_text(row["path"]), row["sha256"], row["bytes"], row["stamp"], _info(row), vector)
        for row, vector in zip(table.drop_columns(["vector"]).to_pylist(), vectors, strict=True)
    ]


def problem_rows(problems: Iterable[tuple[str, str, str, str]]) -> pa.Table:
    """Return (address, stamp, reason, reader) as rows; of several with one address the last counts."""
    last = {one[0]: one for one in problems}
    rows = [(item_id(address), *map(to_text, (address, *rest))) for address, *rest in last.values()]
    columns = [[row[place] for row in rows] for place in range(len(PROBLEMS))]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, PROBLEMS, strict=True)], schema=PROBLEMS
    )


def to_text(name: str) -> str:
    """Return a name as a table takes it."""
    return name if name.isascii() else name.translate(_TO_PRIVATE).encode("utf-8", "replace").decode()


def from_text(text: str) -> str:
    """Return the name that a table holds as ``text``."""
    return text if text.isascii() else text.translate(_FROM_PRIVATE)


def _info(row: dict[str, Any]) -> PictureInfo:
    captured = datetime.fromisoformat(row["captured_at"]) if row["captured_at"] else None
    camera = None if row["camera"] is None else from_text(row["camera"])
    sized = row["width"], row["height"], row["format"]
    return PictureInfo(*sized, captured, camera, row["latitude"], row["longitude"])
