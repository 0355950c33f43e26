"""A catalogue's photos to a store and back: content ids (SHA-256), addresses and vectors stay as they are, bit by bit.

What a store does not hold stays behind: regions, notes, and the vectors of other encoders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from wordsight.images import PictureInfo
from wordsight.library import calibration, derived
from wordsight.library.catalogue import Catalogue, StoredEncoder, as_text, storable
from wordsight.protocols import Encoder
from wordsight.scale.rows import Collection, Header, Record
from wordsight.scale.storage import is_url
from wordsight.scale.store import Store

_TOGETHER = 4_096
_FOLDERS = "FROM files f JOIN folders d ON d.id = f.folder_id "


def of_catalogue(catalogue: Catalogue, stored: StoredEncoder) -> Collection:
    """Return the photos of a catalogue that have a vector; call it, and use it, inside ``catalogue.snapshot()``."""
    count = catalogue.db.execute(
        "SELECT count(*) FROM files f JOIN vectors v ON v.content_id = f.content_id AND v.encoder_id = ?", [stored.id]
    ).fetchone()[0]
    learned = calibration.load(catalogue, stored)
    if learned is not None:  # what belongs to the catalogue's own rows stays there
        learned = replace(learned, last=0, regions=0, region_mean=0.0, region_scale=1.0)
    header = Header(stored.name, stored.fingerprint, stored.dim, stored.metric, tuple(map(str, catalogue.roots())))
    return Collection(header, count, _photos(catalogue, stored), _skipped(catalogue), learned)


def of_store(store: Store) -> Collection:
    """Return the photos of a store."""
    return Collection(store.header, len(store), store.records(), store.skipped(), store.calibration())


def to_store(photos: Collection, url: str) -> None:
    """Write photos to a store, made where there is none; ``EncoderMismatch`` where it holds another encoder's."""
    store = Store.ensure(url, photos.header)
    store.check_fingerprint(photos.header)
    for batch in photos.photos:
        store.write(batch)
    store.write([], list(photos.skipped))
    store.optimize()
    if photos.learned is not None and store.calibration() is None:
        store.keep_calibration(photos.learned)


@dataclass(slots=True)
class Imported:
    """What an import did: photos written, and addresses left out because they are not of this machine."""

    photos: int = 0
    left_out: int = 0


def to_catalogue(
    photos: Collection, catalogue: Catalogue, encoder: Encoder, *, moved: Mapping[str, str] | None = None
) -> Imported:
    """Write photos to a catalogue; call it inside ``catalogue.writing()``.

    ``moved``: beginnings of addresses and what stands in their place here. Addresses that are URLs then are left out: a
    catalogue is of files of this machine. Raises ``EncoderMismatch`` where the vectors are another encoder's.
    """
    photos.header.check(encoder, "what is imported")
    moved = moved or {}
    result = Imported()
    with catalogue.transaction():
        stored = catalogue.add_encoder(encoder, beside=True)
    writer = _Writer(catalogue, stored, [_moved(root, moved) for root in photos.header.roots])
    for batch in photos.photos:
        with catalogue.transaction():
            for record in batch:
                address = _moved(record.address, moved)
                if is_url(address):
                    result.left_out += 1
                    continue
                writer.photo(replace(record, address=address))
                result.photos += 1
    with catalogue.transaction():
        for address, stamp, reason, reader in photos.skipped:
            if not is_url(address := _moved(address, moved)):
                writer.skip(address, stamp, reason, reader)
    derived.fold_if_due(catalogue, stored)
    calibration.calibrate_if_due(catalogue, stored, encoder)
    return result


class _Writer:
    """Writes to the tables that ``library.sync`` fills; the next sync finds nothing to do."""

    def __init__(self, catalogue: Catalogue, stored: StoredEncoder, roots: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._db = catalogue.db
        self._stored = stored
        self._roots = sorted((root for root in roots if not is_url(root)), key=len, reverse=True)
        self._folders: dict[str, int] = {}

    def photo(self, record: Record) -> None:
        """Write a photo: its content, its file, and the vector where the content has none yet."""
        info, sha256 = record.info, bytes.fromhex(record.sha256)
        captured = info.captured_at.isoformat(timespec="seconds") if info.captured_at else None
        told = [sha256, info.width, info.height, info.format.lower(), captured, info.camera]
        self._db.execute(
            "INSERT OR IGNORE INTO contents (sha256, width, height, format, captured_at, camera, latitude, longitude) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [*told, info.latitude, info.longitude],
        )
        (content,) = self._db.execute("SELECT id FROM contents WHERE sha256 = ?", [sha256]).fetchone()
        self._file(record.address, record.bytes, record.stamp, content, None, None)
        self._db.execute(
            "INSERT OR IGNORE INTO vectors (encoder_id, content_id, vector) VALUES (?, ?, ?)",
            [self._stored.id, content, record.vector.astype("<f2").tobytes()],
        )

    def skip(self, address: str, stamp: str, reason: str, reader: str) -> None:
        """Write a file that could not be read."""
        size = stamp.partition(":")[0]
        self._file(address, int(size) if size.isdigit() else 0, stamp, None, reason, reader or None)

    def _file(
        self, address: str, size: int, stamp: str, content: int | None, reason: str | None, reader: str | None
    ) -> None:
        folder, name = os.path.split(address)
        mtime = stamp.rpartition(":")[2]  # of another storage's stamp none: the next sync reads the file, and knows it
        values = [self._folder(folder), as_text(name), size, storable(int(mtime)) if mtime.isdigit() else 0]
        self._db.execute(
            "INSERT INTO files (folder_id, name, bytes, mtime_ns, content_id, skip_reason, skip_reader) "
            "VALUES (?, CAST(? AS TEXT), ?, ?, ?, ?, ?) ON CONFLICT (folder_id, name) DO UPDATE SET "
            "bytes = excluded.bytes, mtime_ns = excluded.mtime_ns, content_id = excluded.content_id, "
            "skip_reason = excluded.skip_reason, skip_reader = excluded.skip_reader",
            [*values, content, reason, reader],
        )

    def _folder(self, path: str) -> int:
        if path not in self._folders:
            here = Path(path)
            known = next((Path(root) for root in self._roots if here.is_relative_to(root)), None)
            root = self._catalogue.add_root(self._catalogue.root_of(here) or known or here)
            bound = [root, as_text(path)]
            self._db.execute("INSERT OR IGNORE INTO folders (root_id, path) VALUES (?, CAST(? AS TEXT))", bound)
            found = self._db.execute("SELECT id FROM folders WHERE path = CAST(? AS TEXT)", bound[1:]).fetchone()
            self._folders[path] = int(found[0])
        return self._folders[path]


def _photos(catalogue: Catalogue, stored: StoredEncoder) -> Iterator[list[Record]]:
    rows = catalogue.db.execute(
        "SELECT d.path, f.name, f.bytes, f.mtime_ns, c.sha256, c.width, c.height, c.format, c.captured_at, c.camera, "
        f"c.latitude, c.longitude, v.vector {_FOLDERS} JOIN contents c ON c.id = f.content_id "
        "JOIN vectors v ON v.content_id = c.id AND v.encoder_id = ? ORDER BY f.id",
        [stored.id],
    )
    while batch := rows.fetchmany(_TOGETHER):
        yield [_record(*row) for row in batch]


def _skipped(catalogue: Catalogue) -> Iterator[tuple[str, str, str, str]]:
    rows = catalogue.db.execute(
        f"SELECT d.path, f.name, f.bytes, f.mtime_ns, f.skip_reason, f.skip_reader {_FOLDERS} "
        "WHERE f.content_id IS NULL"
    )
    for folder, name, size, mtime, reason, reader in rows:
        yield os.path.join(folder, name), f"{size}:{mtime}", reason, reader or ""  # noqa: PTH118  # speed


def _moved(address: str, moved: Mapping[str, str]) -> str:
    for start, instead in moved.items():
        stem = start.rstrip("/")
        if address == stem or address.startswith(f"{stem}/"):
            return instead.rstrip("/") + address[len(stem) :]
    return address


def _record(
    folder: str,
    name: str,
    size: int,
    mtime: int,
    sha256: bytes,
    width: int,
    height: int,
    kind: str,
    captured: str | None,
    camera: str | None,
    latitude: float | None,
    longitude: float | None,
    vector: bytes,
) -> Record:
    when = datetime.fromisoformat(captured) if captured else None
    info = PictureInfo(width, height, kind, when, camera, latitude, longitude)
    address = os.path.join(folder, name)  # noqa: PTH118  # speed
    return Record(address, sha256.hex(), size, f"{size}:{mtime}", info, np.frombuffer(vector, "<f2"))
