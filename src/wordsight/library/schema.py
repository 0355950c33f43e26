"""The catalogue's tables, and the steps from each version to the next.

``folders`` are directories that hold pictures, ``files`` the pictures in them: either with a content, or skipped with
a reason. ``contents`` are pictures by what is in them (SHA-256 of the file's bytes), so that a moved or copied file is
the same content and is not encoded again. ``vectors`` belong to a content and an encoder. A vector's id is never used
twice, and ``removed`` remembers the ids of vectors that are gone: so an index file that was made at some time stays
right, together with the vectors of higher id and without the removed ones.

``regions`` holds the vectors of parts of a picture beside the one of the whole, all parts in one row; with
``removed_regions`` it follows changes as ``vectors`` does. ``encoders.regions`` names the layout that is wanted.
"""

from __future__ import annotations

import sqlite3

from wordsight.errors import CatalogueError, CatalogueVersionError

APPLICATION_ID = 0x77736774  # "wsgt": tells the file from other SQLite databases

_VERSION_1 = """
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(16))));
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, synced_at TEXT);
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
    path TEXT NOT NULL UNIQUE
);
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    format TEXT NOT NULL,
    captured_at TEXT,
    camera TEXT,
    latitude REAL,
    longitude REAL
);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    folder_id INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content_id INTEGER REFERENCES contents,
    skip_reason TEXT,
    skip_reader TEXT,
    UNIQUE (folder_id, name),
    CHECK ((content_id IS NULL) = (skip_reason IS NOT NULL))
);
CREATE INDEX files_by_content ON files (content_id);
CREATE TABLE encoders (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    dim INTEGER NOT NULL,
    metric TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder_id INTEGER NOT NULL REFERENCES encoders ON DELETE CASCADE,
    content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
    vector BLOB NOT NULL,
    UNIQUE (content_id, encoder_id)
);
CREATE INDEX vectors_by_encoder ON vectors (encoder_id, id);
CREATE TABLE removed (
    encoder_id INTEGER NOT NULL,
    vector_id INTEGER NOT NULL,
    PRIMARY KEY (encoder_id, vector_id)
) WITHOUT ROWID;
CREATE TRIGGER remember_removed AFTER DELETE ON vectors
    BEGIN INSERT INTO removed VALUES (OLD.encoder_id, OLD.id); END;
CREATE TABLE calibrations (
    encoder_id INTEGER PRIMARY KEY REFERENCES encoders ON DELETE CASCADE,
    made_at TEXT NOT NULL,
    images INTEGER NOT NULL,
    payload BLOB NOT NULL
);
"""

_VERSION_2 = """
ALTER TABLE encoders ADD COLUMN generation TEXT;
"""  # names the index files that belong to this state of ``vectors`` and ``removed``; NULL: none

_VERSION_3 = """
ALTER TABLE encoders ADD COLUMN regions TEXT;
CREATE TABLE regions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder_id INTEGER NOT NULL REFERENCES encoders ON DELETE CASCADE,
    vector_id INTEGER NOT NULL UNIQUE REFERENCES vectors ON DELETE CASCADE,
    layout TEXT NOT NULL,
    boxes BLOB NOT NULL,
    vectors BLOB NOT NULL
);
CREATE INDEX regions_by_encoder ON regions (encoder_id, id);
CREATE TABLE removed_regions (
    encoder_id INTEGER NOT NULL,
    vector_id INTEGER NOT NULL,
    PRIMARY KEY (encoder_id, vector_id)
) WITHOUT ROWID;
CREATE TRIGGER remember_removed_regions AFTER DELETE ON regions
    BEGIN INSERT OR IGNORE INTO removed_regions VALUES (OLD.encoder_id, OLD.vector_id); END;
"""  # regions: the layout wanted, NULL: none; boxes: left, top, right, bottom of each part, little-endian 65535ths

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3)
"""Step i leads from version i to version i + 1. Never edit a released step: add one."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring an empty or older database to the newest version, each step in a transaction of its own.

    Raises ``CatalogueVersionError`` for a newer one and ``CatalogueError`` for a database of another program.
    """
    version = check(connection, len(migrations))
    for step in range(version, len(migrations)):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;{migrations[step]};PRAGMA user_version = {step + 1};"
                f"PRAGMA application_id = {APPLICATION_ID};COMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check(connection: sqlite3.Connection, newest: int = VERSION) -> int:
    """Return the version of a database; raises like ``migrate``."""
    connection.execute("BEGIN")  # one state: another process may be making the tables
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
    if application != APPLICATION_ID and (application or tables):
        raise CatalogueError("this SQLite database belongs to another program; choose another --catalog")
    if version > newest:
        raise CatalogueVersionError(
            f"the catalogue has version {version}, and this wordsight reads up to {newest}: update wordsight"
        )
    return version
