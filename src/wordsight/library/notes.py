"""What people say about their photos: recent and saved queries, and marks of what is right.

It lies beside the catalogue in a database of its own, so that it can be written while a sync writes the catalogue, and
is kept when the catalogue is built anew. Photos are named by the SHA-256 of their content.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wordsight.errors import BadInput, CatalogueError
from wordsight.library.records import docid
from wordsight.types import Qrels

FILE = "notes.sqlite3"

_RECENT = 200
_PATIENCE = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS recent (q TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS saved (name TEXT PRIMARY KEY, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (
    query TEXT NOT NULL, sha256 TEXT NOT NULL, grade INTEGER NOT NULL, PRIMARY KEY (query, sha256)
);
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether a photo is right (grade 1) or wrong (0) for a query."""

    query: str
    sha256: str
    grade: int


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query with a name, and photos it is moved towards and away from, by SHA-256."""

    name: str
    q: str = ""
    encoder: str | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()


class Notes:
    """The notes beside the catalogue in folder ``location``. May be used from several threads and processes."""

    def __init__(self, location: Path) -> None:
        self._file = location / FILE

    def recent(self, prefix: str = "", *, most: int = 10) -> list[str]:
        """Return the last queries that begin so, the latest first; letter case does not count."""
        with self._reading() as db:
            rows = db.execute("SELECT q FROM recent ORDER BY number DESC").fetchall()
        wanted = prefix.casefold()
        return [q for (q,) in rows if isinstance(q, str) and q.casefold().startswith(wanted)][:most]

    def remember(self, q: str) -> None:
        """Note a query as the latest; 200 are kept."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO recent VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM recent)) "
                "ON CONFLICT (q) DO UPDATE SET number = excluded.number",
                [_bindable(q)],
            )
            db.execute("DELETE FROM recent WHERE number <= (SELECT max(number) FROM recent) - ?", [_RECENT])

    def forget_recent(self) -> None:
        """Forget what was asked."""
        with self._writing() as db:
            db.execute("DELETE FROM recent")

    def saved(self) -> list[SavedQuery]:
        """Return the saved queries by name."""
        with self._reading() as db:
            rows = db.execute("SELECT name, payload FROM saved ORDER BY name").fetchall()
        return [_saved(name, payload) for name, payload in rows]

    def find(self, name: str) -> SavedQuery:
        """Return the saved query of that name; raises ``BadInput``."""
        known = {query.name: query for query in self.saved()}
        if name not in known:
            names = ", ".join(f"@{one}" for one in known) or "none"
            raise BadInput(f"no query is saved as @{name}; saved are: {names}")
        return known[name]

    def save(self, query: SavedQuery) -> None:
        """Keep a query under its name, in place of one that has it."""
        payload = {
            "q": _bindable(query.q),
            "encoder": query.encoder,
            "liked": query.liked,
            "disliked": query.disliked,
        }
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO saved VALUES (?, ?)", [_bindable(query.name), json.dumps(payload)])

    def drop(self, name: str) -> None:
        """Remove a saved query; raises ``BadInput`` for a name of none."""
        self.find(name)
        with self._writing() as db:
            db.execute("DELETE FROM saved WHERE name = ?", [_bindable(name)])

    def marks(self, query: str | None = None) -> list[Mark]:
        """Return the marks, of one query or of all, by query and content."""
        where, values = ("", []) if query is None else ("WHERE query = ?", [_bindable(query)])
        with self._reading() as db:
            rows = db.execute(
                f"SELECT query, sha256, grade FROM marks {where} ORDER BY query, sha256", values
            ).fetchall()
        return [Mark(*row) for row in rows]

    def mark(self, mark: Mark) -> None:
        """Note a mark, in place of an earlier one of the same photo and query."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", [_bindable(mark.query), mark.sha256, mark.grade]
            )

    def unmark(self, query: str, sha256: str | None = None) -> None:
        """Remove a mark, or all of a query."""
        with self._writing() as db:
            one, values = ("", []) if sha256 is None else ("AND sha256 = ?", [sha256])
            db.execute(f"DELETE FROM marks WHERE query = ? {one}", [_bindable(query), *values])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._file.is_file():
            with self._opened() as db:
                yield db
        else:  # nothing was noted yet, and perhaps there is no catalogue either
            db = sqlite3.connect(":memory:")
            try:
                db.executescript(_TABLES)
                yield db
            finally:
                db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if not self._file.parent.is_dir():
            raise CatalogueError(f"no catalogue at {self._file.parent}: build one with `wordsight index FOLDER`")
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._file, timeout=_PATIENCE, isolation_level=None)
            try:
                db.executescript(_TABLES)
                yield db
            finally:
                db.close()
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes damaged names
            raise CatalogueError(f"cannot use {self._file}: {error}. If it is damaged, move it away") from error


def qrels(paths: Callable[[str], Sequence[Path]], marks: Sequence[Mark]) -> tuple[Qrels, dict[str, str]]:
    """Return marks as what is right, with the ids of ``wordsight search --trec``, and id -> query.

    ``paths``: from the SHA-256 of a content to the files that hold it. Queries are numbered from 1 in the order of
    ``marks``. A content counts for each file that holds it; marks of photos that are gone are left out.
    """
    numbers: dict[str, str] = {}
    grades: dict[str, dict[str, int]] = {}
    for mark in marks:
        number = numbers.setdefault(mark.query, str(len(numbers) + 1))
        for path in paths(mark.sha256):
            grades.setdefault(number, {})[docid(path)] = mark.grade
    return Qrels(grades, {}), {number: query for query, number in numbers.items()}


def _saved(name: str, payload: str) -> SavedQuery:
    """Return a saved query; raises ``CatalogueError`` where its payload is not what ``save`` writes."""
    try:
        members = json.loads(payload)
        q, encoder, liked, disliked = (members[key] for key in ("q", "encoder", "liked", "disliked"))
        sound = isinstance(name, str) and isinstance(q, str) and isinstance(encoder, str | None)
        if not sound or not all(isinstance(digest, str) for digest in (*liked, *disliked)):
            raise ValueError("it holds other kinds of values")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CatalogueError(
            f"the saved query {name!r} is damaged: {error!r}; move {FILE} of the catalogue away"
        ) from error
    return SavedQuery(name, q, encoder, tuple(liked), tuple(disliked))


def _bindable(text: str) -> str:
    """Return the text as SQLite takes it: halves of characters are replaced."""
    return text.encode("utf-8", "replace").decode()
