"""The catalogue on disk: one SQLite database (the truth) and index files derived from it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from wordsight.errors import BadInput, CatalogueError, EncoderMismatch
from wordsight.library import schema
from wordsight.library.blobs import pack as pack
from wordsight.library.blobs import unpack as unpack
from wordsight.library.connection import connect_reader, connect_writer, writer_lock
from wordsight.preference import catalogue_home as default_location
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric, RowIds

DATABASE = "catalogue.sqlite3"


def below(path: bytes) -> tuple[bytes, bytes]:
    """Return the bounds, inclusive and exclusive, between which the paths below ``path`` sort."""
    stem = path.rstrip(os.sep.encode())
    return stem + os.sep.encode(), stem + chr(ord(os.sep) + 1).encode()


def normal(path: Path | str) -> Path:
    """Return the absolute path without ``~`` and ``..``; links are kept as they are."""
    return Path(os.path.abspath(Path(path).expanduser()))


def as_text(path: Path | str) -> bytes:
    """Return a path as the bytes to bind in ``CAST(? AS TEXT)``: file names need not be valid UTF-8."""
    return os.fsencode(path)


@dataclass(frozen=True, slots=True)
class StoredEncoder:
    """An encoder as the catalogue knows it; ``regions`` names the layout of the regions that are wanted of pictures."""

    id: int
    name: str
    fingerprint: str
    dim: int
    metric: Metric
    regions: str | None = None


class Catalogue:
    """An open catalogue folder. Use as a context manager.

    Readers work at any time, also while another process writes (SQLite's write-ahead log). Writing happens inside
    ``writing()``, by one process at a time.
    """

    def __init__(self, location: Path, connection: sqlite3.Connection) -> None:
        self.location = location
        self.db = connection

    @classmethod
    def open(cls, location: Path | None = None, *, create: bool = False) -> Catalogue:
        """Open the catalogue in folder ``location``; ``create`` makes or migrates it, else it is opened read-only.

        Raises ``CatalogueError`` where there is none, or it is damaged, or of a newer wordsight.
        """
        location = (default_location() if location is None else location).absolute()
        file = location / DATABASE
        try:
            if create:
                location.mkdir(parents=True, exist_ok=True)
                return cls(location, connect_writer(file))
            version, connection = connect_reader(file) if file.is_file() else (0, None)
        except OSError as error:
            raise CatalogueError(f"cannot use {location} as a catalogue: {error}") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:  # what SQLite says of damage quotes damaged names
            raise CatalogueError(
                f"cannot use {file} as a catalogue: {error}. If it is damaged, move it away and index again: "
                "the photos are untouched"
            ) from error
        if connection is not None and version == schema.VERSION:
            return cls(location, connection)
        if connection is not None:
            connection.close()
        if version == 0:  # not there, or its maker was stopped before the first table
            raise CatalogueError(f"no catalogue at {location}: build one with `wordsight index FOLDER`")
        raise CatalogueError(f"the catalogue at {location} is of an older version: `wordsight index` migrates it")

    def __del__(self) -> None:
        with suppress(AttributeError, sqlite3.Error):  # half made, or left by a thread that is not the maker
            self.db.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write; raises ``CatalogueBusy`` when another process has it.

        SQLite errors inside (a full disk, say) become ``CatalogueError``; what was committed before stays.
        """
        with writer_lock(self.location):
            try:
                yield
            except sqlite3.Error as error:
                raise CatalogueError(
                    f"writing to {self.location} failed: {error}. What was indexed before is kept; "
                    "make room or fix the cause, and run the same command again"
                ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the catalogue throughout, whatever another process writes meanwhile; may be nested.

        SQLite errors inside (a damaged file, say) become ``CatalogueError``.
        """
        if self.db.in_transaction:
            yield
            return
        try:
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self._end_snapshot()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise CatalogueError(
                f"reading the catalogue at {self.location} failed: {error}. If it is damaged, move it away and index "
                "again: the photos are untouched"
            ) from error

    def renew(self) -> None:
        """Go on with the newest state, inside ``snapshot()``: for its first reader, before anything hangs on it."""
        if self.db.in_transaction:
            self._end_snapshot()
            self.db.execute("BEGIN")

    def _end_snapshot(self) -> None:
        if self.db.in_transaction:  # a disk that fails ends it, too
            self.db.execute("COMMIT")

    def state(self) -> tuple[int, int]:
        """Return numbers that differ when the catalogue may have changed, by this connection or another."""
        return int(self.db.execute("PRAGMA data_version").fetchone()[0]), self.db.total_changes

    @cached_property
    def identity(self) -> str:
        """A random name that no other catalogue has, also one made anew at the same place."""
        return str(self.db.execute("SELECT id FROM identity").fetchone()[0])

    def roots(self) -> list[Path]:
        """Return the folders that were indexed."""
        with self.snapshot():
            rows = self._sound(self.db.execute("SELECT path FROM roots ORDER BY path").fetchall(), str)
        return [Path(path) for (path,) in rows]

    def root_of(self, folder: Path) -> Path | None:
        """Return the indexed folder that is or contains ``folder``."""
        return next((root for root in self.roots() if folder.is_relative_to(root)), None)

    def add_root(self, path: Path) -> int:
        """Return the id of the indexed folder that is or contains ``path``, made where there is none.

        Indexed folders below a new one become part of it, so that each file belongs to one root.
        """
        home = self.root_of(path) or path
        self.db.execute("INSERT OR IGNORE INTO roots (path) VALUES (CAST(? AS TEXT))", [as_text(home)])
        row = self.db.execute("SELECT id FROM roots WHERE path = CAST(? AS TEXT)", [as_text(home)]).fetchone()
        for inner in self.roots():
            if inner != home and inner.is_relative_to(home):
                bound = [row[0], as_text(inner)]
                self.db.execute(
                    "UPDATE folders SET root_id = ? WHERE root_id = "
                    "(SELECT id FROM roots WHERE path = CAST(? AS TEXT))",
                    bound,
                )
                self.db.execute("DELETE FROM roots WHERE path = CAST(? AS TEXT)", bound[1:])
        return int(row[0])

    def encoders(self) -> list[StoredEncoder]:
        """Return the encoders the catalogue holds vectors of, oldest first."""
        with self.snapshot():
            rows = self.db.execute(
                "SELECT id, name, fingerprint, dim, metric, regions FROM encoders ORDER BY id"
            ).fetchall()
        rows = self._sound(rows, int, str, str, int, str, str | None)
        if unknown := {row[4] for row in rows} - {metric.value for metric in Metric}:
            raise CatalogueError(
                f"reading the catalogue at {self.location} failed: unknown metric {', '.join(unknown)}. Move it "
                "away and index again: the photos are untouched"
            )
        return [StoredEncoder(i, name, print_, dim, Metric(m), regions) for i, name, print_, dim, m, regions in rows]

    def _sound(self, rows: list[tuple[Any, ...]], *kinds: Any) -> list[tuple[Any, ...]]:
        """Return the rows if they hold what was written: damage may take what the tables' own rules demand."""
        for row in rows:
            if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
                raise CatalogueError(
                    f"reading the catalogue at {self.location} failed: {row} makes no sense. Move it away and index "
                    "again: the photos are untouched"
                )
        return rows

    def encoder_row(self, encoder: Encoder) -> StoredEncoder:
        """Return the catalogue's record of ``encoder``; raises ``EncoderMismatch`` when it holds only others."""
        stored = self.encoders()
        for row in stored:
            if row.fingerprint == encoder.fingerprint:
                return row
        if not stored:
            raise CatalogueError(f"the catalogue at {self.location} is empty: run `wordsight index FOLDER` first")
        held = " and ".join(f"{row.name} ({row.fingerprint})" for row in stored)
        others = [row.name for row in stored if row.name != encoder.name]
        instead = f"use --encoder {others[-1]}, or " if others else ""  # an older version cannot be had by its name
        raise EncoderMismatch(
            f"the catalogue holds vectors of {held}, but {encoder.name} ({encoder.fingerprint}) was asked for: "
            f"{instead}index for it beside them with `wordsight index FOLDER --encoder {encoder.name} --beside`, or go "
            f"over to it with `wordsight migrate --to {encoder.name}`"
        )

    def add_encoder(self, encoder: Encoder, *, beside: bool = False) -> StoredEncoder:
        """Return the record of ``encoder``, made where the catalogue is empty or ``beside`` asks for one more."""
        stored = self.encoders()
        if not any(row.fingerprint == encoder.fingerprint for row in stored):
            self._drop_idle_encoders()
            stored = self.encoders()
        if stored and not beside:
            return self.encoder_row(encoder)
        self.db.execute(
            "INSERT OR IGNORE INTO encoders (name, fingerprint, dim, metric, created_at) VALUES (?, ?, ?, ?, ?)",
            [encoder.name, encoder.fingerprint, encoder.dim, encoder.metric.value, now()],
        )
        return self.encoder_row(encoder)

    def _drop_idle_encoders(self) -> None:
        """Remove encoders without a vector, as a first run that was stopped at once leaves them, or ``forget``."""
        idle = "NOT IN (SELECT DISTINCT encoder_id FROM vectors)"
        self.db.execute(f"DELETE FROM removed WHERE encoder_id {idle}")
        self.db.execute(f"DELETE FROM removed_regions WHERE encoder_id {idle}")
        self.db.execute(f"DELETE FROM encoders WHERE id {idle}")

    def vectors_after(self, encoder: StoredEncoder, last: int) -> tuple[RowIds, Embeddings]:
        """Return ids and vectors, (n,) and (n, dim), of the vectors with an id above ``last``."""
        rows = self.db.execute(
            "SELECT id, vector FROM vectors WHERE encoder_id = ? AND id > ? ORDER BY id", [encoder.id, last]
        ).fetchall()
        ids = np.asarray([row[0] for row in rows], np.int64)
        return ids, unpack([row[1] for row in rows], encoder.dim)

    def removed(self, encoder: StoredEncoder) -> RowIds:
        """Return the ids of vectors that were removed and may still be in an index file."""
        rows = self.db.execute("SELECT vector_id FROM removed WHERE encoder_id = ? ORDER BY 1", [encoder.id])
        return np.asarray([row[0] for row in rows], np.int64)

    def vector_count(self, encoder: StoredEncoder) -> int:
        """Return how many pictures have a vector of ``encoder``."""
        row = self.db.execute("SELECT count(*) FROM vectors WHERE encoder_id = ?", [encoder.id]).fetchone()
        return int(row[0])

    def generation(self, encoder: StoredEncoder) -> str | None:
        """Return the name of the index files that hold the vectors of ``encoder``, but for later changes."""
        row = self.db.execute("SELECT generation FROM encoders WHERE id = ?", [encoder.id]).fetchone()
        return None if row is None else row[0]

    def adopt(self, encoder: StoredEncoder, generation: str) -> None:
        """Declare that the index files ``generation`` hold exactly the present vectors of ``encoder``."""
        with self.transaction():
            self.db.execute("UPDATE encoders SET generation = ? WHERE id = ?", [generation, encoder.id])
            self.db.execute("DELETE FROM removed WHERE encoder_id = ?", [encoder.id])
            self.db.execute("DELETE FROM removed_regions WHERE encoder_id = ?", [encoder.id])

    def forget(self, root: Path) -> None:
        """Remove the indexed folder ``root`` with all that is known of it; the photos are not touched."""
        root = normal(root)
        with self.transaction():
            done = self.db.execute("DELETE FROM roots WHERE path = CAST(? AS TEXT)", [as_text(root)])
            if not done.rowcount:
                known = ", ".join(map(str, self.roots())) or "none"
                raise BadInput(f"{root} is not an indexed folder; these are: {known}")
            self.drop_orphans()

    def drop_orphans(self) -> None:
        """Remove folders without files, and contents (with their vectors) that no file has."""
        self.db.execute("DELETE FROM folders WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.folder_id = folders.id)")
        self.db.execute(
            "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = contents.id)"
        )


def storable(mtime_ns: int) -> int:
    """Return a file's time as SQLite can hold it: file systems know years after 2262, 64 bits of nanoseconds do not."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))


def now() -> str:
    """Return the present local time to the second, with its distance from UTC."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
