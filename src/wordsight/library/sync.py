"""Make the catalogue follow a photo folder: new, changed, moved, copied and deleted files.

The folder is first compared with the catalogue by name, size and time, without opening a file. What is new or changed
is then read once: hashed, and, where the content is not known yet, decoded and encoded. Threads do that; the calling
thread alone writes, in transactions of a second or so. Killed at any instant, the catalogue stays readable, and the
next run goes on: a file is done when its content has a vector, and nothing else is remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wordsight import images
from wordsight.errors import BadInput
from wordsight.library import region_table
from wordsight.library.catalogue import Catalogue, StoredEncoder, as_text, below, normal, now, pack, storable
from wordsight.library.pipeline import Done, Job, Known, Need, encode_files, reader_version
from wordsight.library.region_table import HAS_ALL
from wordsight.library.regions import LAYOUT
from wordsight.library.report import Progress, SyncReport
from wordsight.machine import cores
from wordsight.protocols import MANY, Encoder, TunableEncoder

_COMMIT_SECONDS = 1.0
_COMMIT_FILES = 512


def sync(
    catalogue: Catalogue,
    root: Path,
    encoder: Encoder,
    *,
    workers: int | None = None,
    beside: bool = False,
    regions: bool | None = None,
    retry_skipped: bool = False,
    allow_empty: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> SyncReport:
    """Bring what the catalogue knows of ``root`` up to date for ``encoder``; call it inside ``catalogue.writing()``.

    ``workers`` threads decode and encode (default: the cores this process may use). ``regions``: from now on store
    regions of each picture, too, or, if false, remove them all; by default it stays as it was. ``retry_skipped`` reads
    files again that could not be read before. A folder inside an indexed one is brought up to date alone; one around
    others takes them in. Raises ``BadInput`` when ``root`` is no folder, or holds no picture although the catalogue
    knows some (a disk that is not mounted?) and not ``allow_empty``; ``EncoderMismatch`` when the catalogue belongs to
    another encoder and not ``beside``.
    """
    started = time.monotonic()
    root = normal(root)
    if not root.is_dir():
        raise BadInput(f"{root} is not a folder: expected a folder of photos")
    with catalogue.transaction():
        root_id = catalogue.add_root(root)
        stored = catalogue.add_encoder(encoder, beside=beside)
        wanted = LAYOUT if (stored.regions is not None if regions is None else regions) else None
        stored = region_table.want(catalogue.db, stored, wanted)
    run = _Run(catalogue, root, root_id, stored, allow_empty=allow_empty, retry_skipped=retry_skipped)
    run.compare()
    run.work_off(encoder, workers or cores(), progress)
    run.finish()
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    """One sync. Its lists live in temporary tables, so that memory does not grow with the folder."""

    def __init__(
        self,
        catalogue: Catalogue,
        root: Path,
        root_id: int,
        stored: StoredEncoder,
        *,
        allow_empty: bool,
        retry_skipped: bool,
    ) -> None:
        self.report = SyncReport()
        self._catalogue = catalogue
        self._db = catalogue.db
        self._root = root
        self._root_id = root_id
        self._encoder = stored
        self._allow_empty = allow_empty
        self._retry_skipped = retry_skipped

    def compare(self) -> None:
        """Fill ``todo`` with files to read and ``gone`` with files that are no longer there."""
        self._db.executescript(
            "DROP TABLE IF EXISTS temp.todo; DROP TABLE IF EXISTS temp.gone; DROP TABLE IF EXISTS temp.seen;"
            "CREATE TEMP TABLE todo (folder_id INTEGER, name TEXT, known TEXT);"
            "CREATE TEMP TABLE gone (file_id INTEGER PRIMARY KEY, content_id INTEGER);"
            "CREATE TEMP TABLE seen (folder_id INTEGER PRIMARY KEY);"
        )
        with self._catalogue.transaction():
            found = sum(self._compare_folder(folder) for folder in images.walk(self._root))
            self._db.execute(
                "INSERT INTO gone SELECT f.id, f.content_id FROM files f JOIN folders d ON d.id = f.folder_id "
                "WHERE (d.path = CAST(? AS TEXT) OR (d.path >= CAST(? AS TEXT) AND d.path < CAST(? AS TEXT))) "
                "AND d.id NOT IN (SELECT folder_id FROM seen)",
                [as_text(self._root), *below(as_text(self._root))],
            )
            missing = self._db.execute("SELECT count(*) FROM gone").fetchone()[0]
            if missing and not found and not self._allow_empty:
                raise BadInput(
                    f"{self._root} holds no picture, but the catalogue knows {missing} there: is the disk mounted? "
                    "If they are really gone, say --allow-empty"
                )

    def _compare_folder(self, folder: images.Folder) -> int:
        """Compare one directory with what is known of it; return how many pictures it holds."""
        path = as_text(folder.path)
        known = self._db.execute("SELECT id FROM folders WHERE path = CAST(? AS TEXT)", [path]).fetchone()
        if folder.problem:
            self.report.problems.append(f"{folder.path}: {folder.problem}")
            self._db.execute(  # what lies below cannot be seen either: leave it as it is
                "INSERT OR IGNORE INTO seen SELECT id FROM folders WHERE path = CAST(?1 AS TEXT) "
                "OR (path >= CAST(?2 AS TEXT) AND path < CAST(?3 AS TEXT))",
                [path, *below(path)],
            )
            return 0
        if known is None:
            if not folder.files:
                return 0
            self._db.execute("INSERT INTO folders (root_id, path) VALUES (?, CAST(? AS TEXT))", [self._root_id, path])
            known = self._db.execute("SELECT last_insert_rowid()").fetchone()
        folder_id = known[0]
        self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", [folder_id])
        here = self._known_files(folder_id)
        for file in folder.files:
            row = here.pop(file.name, None)
            if row is not None and row.state(file) is Known.SAME and row.finished:
                self.report.unchanged += 1
                continue
            self._db.execute(
                "INSERT INTO todo VALUES (?, CAST(? AS TEXT), ?)",
                [folder_id, as_text(file.name), (Known.NO if row is None else row.state(file)).value],
            )
        self._db.executemany("INSERT INTO gone VALUES (?, ?)", ((row.id, row.content_id) for row in here.values()))
        return len(folder.files)

    def _known_files(self, folder_id: int) -> dict[str, _KnownFile]:
        rows = self._db.execute(
            f"SELECT f.name, f.id, f.bytes, f.mtime_ns, f.content_id, {HAS_ALL}, f.skip_reader FROM files f "
            "LEFT JOIN vectors v ON v.content_id = f.content_id AND v.encoder_id = ?2 WHERE f.folder_id = ?3",
            [self._encoder.regions, self._encoder.id, folder_id],
        )
        known = {}
        for name, file_id, size, mtime_ns, content_id, has_all, reader in rows:
            skipped_for_good = reader == reader_version() and not self._retry_skipped
            known[name] = _KnownFile(file_id, size, mtime_ns, content_id, bool(has_all) or skipped_for_good)
        return known

    def work_off(self, encoder: Encoder, workers: int, progress: Callable[[Progress], None]) -> None:
        """Read, encode and record everything in ``todo``."""
        total = self._db.execute("SELECT count(*) FROM todo").fetchone()[0]
        progress(Progress(0, total, 0, 0))
        if total >= MANY and isinstance(encoder, TunableEncoder):
            encoder.tune()
        done, pending, last_commit = 0, 0, time.monotonic()
        results = encode_files(self._jobs(), encoder, self._needs, workers)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for result in results:
                self._record(result)
                done += 1
                pending += 1
                skipped = (result.path, result.problem) if result.problem else None
                progress(Progress(done, total, self.report.encoded, self.report.skipped, skipped))
                if pending >= _COMMIT_FILES or time.monotonic() - last_commit > _COMMIT_SECONDS:
                    self._db.execute("COMMIT")
                    self._db.execute("BEGIN IMMEDIATE")
                    pending, last_commit = 0, time.monotonic()
        except BaseException:
            results.close()
            if self._db.in_transaction:
                self._db.execute("COMMIT")  # an interrupt loses nothing that was done
            raise
        self._db.execute("COMMIT")

    def _jobs(self) -> Iterator[Job]:
        """Yield what is to be read, a page at a time: a cursor left open would see its own table change."""
        last = 0
        while True:
            page = self._db.execute(
                "SELECT t.rowid, t.folder_id, d.path, t.name, t.known FROM todo t "
                "JOIN folders d ON d.id = t.folder_id WHERE t.rowid > ? ORDER BY t.rowid LIMIT 256",
                [last],
            ).fetchall()
            if not page:
                return
            for rowid, folder_id, path, name, known in page:
                last = rowid
                yield Job(folder_id, Path(path) / name, Known(known))

    def _needs(self, sha256: bytes) -> Need:
        """Return what the content lacks. Called by the thread that owns the connection."""
        row = self._db.execute(
            f"SELECT {HAS_ALL} FROM contents c JOIN vectors v ON v.content_id = c.id AND v.encoder_id = ?2 "
            "WHERE c.sha256 = ?3",
            [self._encoder.regions, self._encoder.id, sha256],
        ).fetchone()
        if row is not None:
            return Need.NOTHING if row[0] else Need.REGIONS
        return Need.VECTOR if self._encoder.regions is None else Need.VECTOR | Need.REGIONS

    def _record(self, result: Done) -> None:
        if result.problem is not None:
            self._record_skip(result, result.problem)
            return
        content = self._db.execute("SELECT id FROM contents WHERE sha256 = ?", [result.sha256]).fetchone()
        if result.info is not None:
            content = content or self._add_content(result)
        # An interrupt may come between any two statements, and what was done is kept: the vectors come last, so that
        # none is without a file, and a file is not done before it has them.
        self._write_file(result, content[0], None)
        self.report.encoded += result.vector is not None or result.regions is not None
        if result.vector is not None:
            self._db.execute(
                "INSERT INTO vectors (encoder_id, content_id, vector) VALUES (?, ?, ?)",
                [self._encoder.id, content[0], pack(result.vector[None])[0]],
            )
        if result.regions is not None:
            region_table.write(self._db, self._encoder, content[0], result.regions)

    def _add_content(self, result: Done) -> tuple[int]:
        info = result.info
        assert info is not None
        captured = info.captured_at.replace(microsecond=0).isoformat() if info.captured_at else None
        cursor = self._db.execute(
            "INSERT INTO contents (sha256, width, height, format, captured_at, camera, latitude, longitude) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                result.sha256,
                info.width,
                info.height,
                info.format.lower(),
                captured,
                info.camera,
                info.latitude,
                info.longitude,
            ],
        )
        return (int(cursor.lastrowid or 0),)

    def _record_skip(self, result: Done, reason: str) -> None:
        if result.vanished:  # deleted between listing and reading
            self._db.execute(
                "INSERT OR IGNORE INTO gone SELECT id, content_id FROM files "
                "WHERE folder_id = ? AND name = CAST(? AS TEXT)",
                [result.job.folder_id, as_text(result.path.name)],
            )
            return
        self.report.skipped += 1
        self._write_file(result, None, reason)

    def _write_file(self, result: Done, content_id: int | None, reason: str | None) -> None:
        if content_id is not None:
            self.report.added += result.job.known is Known.NO
            self.report.changed += result.job.known is Known.CHANGED
        self._db.execute(
            "INSERT INTO files (folder_id, name, bytes, mtime_ns, content_id, skip_reason, skip_reader) "
            "VALUES (?, CAST(? AS TEXT), ?, ?, ?, ?, ?) ON CONFLICT (folder_id, name) DO UPDATE SET "
            "bytes = excluded.bytes, mtime_ns = excluded.mtime_ns, content_id = excluded.content_id, "
            "skip_reason = excluded.skip_reason, skip_reader = excluded.skip_reader",
            [
                result.job.folder_id,
                as_text(result.path.name),
                result.bytes,
                storable(result.mtime_ns),
                content_id,
                reason,
                reader_version() if reason and not result.passing else None,
            ],
        )

    def finish(self) -> None:
        """Tell moved files from deleted ones, drop what is gone, and note that the folder is up to date."""
        with self._catalogue.transaction():
            self.report.moved = self._db.execute(  # of each content, as many as are both gone here and new there
                "SELECT coalesce(sum(min(gone_files, new_files)), 0) FROM "
                "(SELECT content_id, count(*) AS gone_files FROM gone GROUP BY content_id) JOIN "
                "(SELECT f.content_id, count(*) AS new_files FROM todo t JOIN files f "
                "ON f.folder_id = t.folder_id AND f.name = t.name WHERE t.known = ? GROUP BY f.content_id) "
                "USING (content_id)",
                [Known.NO.value],
            ).fetchone()[0]
            gone = self._db.execute("DELETE FROM files WHERE id IN (SELECT file_id FROM gone)").rowcount
            self.report.removed = gone - self.report.moved
            self.report.added -= self.report.moved
            self._catalogue.drop_orphans()
            self._db.execute(
                "UPDATE roots SET synced_at = ? WHERE id = ? AND path = CAST(? AS TEXT)",
                [now(), self._root_id, as_text(self._root)],
            )


@dataclass(frozen=True, slots=True)
class _KnownFile:
    id: int
    bytes: int
    mtime_ns: int
    content_id: int | None
    finished: bool

    def state(self, file: images.FileStat) -> Known:
        same = (self.bytes, self.mtime_ns) == (file.size, storable(file.mtime_ns))
        return Known.SAME if same else Known.CHANGED
