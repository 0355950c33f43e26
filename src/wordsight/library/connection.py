"""Opening the catalogue's database: for writing, for reading, on read-only media; and the writer's lock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wordsight.errors import CatalogueBusy, CatalogueError
from wordsight.library import schema

_PATIENCE = 30.0
_NO_PLACE_FOR_SHARED_MEMORY = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)


def connect_writer(file: Path) -> sqlite3.Connection:
    """Open for writing; made or migrated where need be. Raises what ``schema.migrate`` and ``writer_lock`` raise."""
    connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)
    try:
        with writer_lock(file.parent):
            schema.check(connection)  # before anything is changed: it may be another program's
            connection.execute("PRAGMA journal_mode = WAL")
            # A commit a second at most: to wait for the disk each time costs nothing, and a power cut loses a second.
            connection.execute("PRAGMA synchronous = FULL")
            schema.migrate(connection)
        return _prepared(connection)
    except BaseException:
        connection.close()
        raise


def connect_reader(file: Path) -> tuple[int, sqlite3.Connection]:
    """Open read-only; return the schema's version, too. Raises what ``schema.check`` raises.

    SQLite's log needs a place for shared memory beside the database. On a read-only medium, or a full disk, there is
    none: a database without a log is then opened as immutable, one with a log as a copy in the temporary folder.
    """
    log = file.with_name(file.name + "-wal")
    has_log = log.is_file() and log.stat().st_size > 0
    if has_log or os.access(file.parent, os.W_OK):
        try:
            return _open(f"{file.as_uri()}?mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NO_PLACE_FOR_SHARED_MEMORY:
                raise
    if not has_log:
        return _open(f"{file.as_uri()}?immutable=1")
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="wordsight-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, file.name)
        for source in (file, log):
            shutil.copyfile(source, copy.with_name(source.name))
        return _open(copy.as_uri())  # an open file outlives its name


@contextmanager
def writer_lock(location: Path) -> Iterator[None]:
    """Hold the right to write to the catalogue in folder ``location``; the system frees it if the process dies."""
    from filelock import FileLock, Timeout  # here: a search waits for nothing it does not need

    lock = FileLock(location / "writer.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CatalogueBusy(
            f"another process is writing to the catalogue at {location}: wait for it to end, then run this again "
            "(searching works meanwhile)"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise CatalogueError(f"cannot write to the catalogue at {location}: {error}") from error
    try:
        yield
    finally:
        lock.release()


def _open(uri: str) -> tuple[int, sqlite3.Connection]:
    connection = sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA mmap_size = 268435456")
        return schema.check(connection), _prepared(connection)
    except BaseException:
        connection.close()
        raise


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.text_factory = _decode
    return connection


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
