"""A folder that changes at random, against a plain model of it: the catalogue always equals the folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PIL import Image

from wordsight.library import Catalogue, Filters, Library, derived
from wordsight.testing import COLOURS, ColourEncoder

FOLDERS = ("", "a", "a/b", "a-b", "%_")
NAMES = ("x.png", "y.png", "z\n.png", "caf\udce9.png")
PLACES = st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES))
PICTURES = st.lists(st.sampled_from(sorted(COLOURS)), min_size=1, max_size=4).map(tuple)


class CountingEncoder(ColourEncoder):
    """Remembers how often each picture was encoded."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode_images(self, images):
        self.encoded += len(images)
        return super().encode_images(images)


def draw(colours: tuple[str, ...]) -> Image.Image:
    image = Image.new("RGB", (8, 4))
    for i in range(8):
        image.paste(COLOURS[colours[i * len(colours) // 8]], (i, 0, i + 1, 4))
    return image


def brute_force(pictures: dict[Path, tuple[str, ...]], text: str) -> list[tuple[float, str]]:
    """Score every file by itself, in the precision the catalogue keeps, and sort."""
    encoder = ColourEncoder()
    query = encoder.encode_texts([text])[0].astype(np.float16).astype(np.float64)
    rows = encoder.encode_images([draw(colours) for colours in pictures.values()]).astype(np.float16)
    scores = rows.astype(np.float64) @ query
    return sorted((-round(float(score), 5), str(path)) for path, score in zip(pictures, scores, strict=True))


class ChangingFolder(RuleBasedStateMachine):
    """``files`` is the model: path -> colours, or ``None`` for a file that is no picture."""

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.root = self.home / "photos"
        self.root.mkdir()
        self.encoder = CountingEncoder()
        self.files: dict[Path, tuple[str, ...] | None] = {}
        self.indexed: dict[Path, tuple[str, ...] | None] = {}
        self.clock = 1_600_000_000
        self.place = self.home / "catalogue"
        self.library = Library(self.encoder, self.place)
        self.is_indexed = False

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.home)

    def path(self, place: tuple[str, str]) -> Path:
        folder, name = place
        return self.root / folder / name

    def stamp(self, path: Path) -> None:
        """Give each change a time of its own: two within one tick of the system's clock could not be told apart."""
        self.clock += 1
        os.utime(path, (self.clock, self.clock))

    @rule(place=PLACES, colours=PICTURES)
    def add_change_or_mend(self, place: tuple[str, str], colours: tuple[str, ...]) -> None:
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(colours).save(path)
        self.stamp(path)
        self.files[path] = colours

    @rule(place=PLACES, junk=st.sampled_from([b"", b"\x89PNG\r\n\x1a\nnot really", b"text"]))
    def corrupt(self, place: tuple[str, str], junk: bytes) -> None:
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(junk)
        self.stamp(path)
        self.files[path] = None

    @rule(place=PLACES, to=PLACES)
    def move(self, place: tuple[str, str], to: tuple[str, str]) -> None:
        source, target = self.path(place), self.path(to)
        if source in self.files:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            self.files[target] = self.files.pop(source)

    @rule(place=PLACES, to=PLACES)
    def copy(self, place: tuple[str, str], to: tuple[str, str]) -> None:
        source, target = self.path(place), self.path(to)
        if source in self.files and source != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            self.stamp(target)
            self.files[target] = self.files[source]

    @rule(place=PLACES)
    def delete(self, place: tuple[str, str]) -> None:
        if self.files.pop(self.path(place), 0) != 0:
            self.path(place).unlink()

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def delete_folder(self, folder: str) -> None:
        gone = self.root / folder
        shutil.rmtree(gone, ignore_errors=True)
        self.files = {path: what for path, what in self.files.items() if not path.is_relative_to(gone)}

    @rule()
    def index(self) -> None:
        known = self.known_contents()
        fresh = {digest(path) for path, what in self.files.items() if what is not None} - known
        before = self.encoder.encoded
        report = self.library.sync(self.root, workers=2, allow_empty=True)
        assert self.encoder.encoded - before == report.encoded == len(fresh), "nothing known is encoded again"
        assert min(report.unchanged, report.added, report.changed, report.moved, report.removed) >= 0
        new = self.files.keys() - self.indexed.keys()
        gone = self.indexed.keys() - self.files.keys()
        assert report.removed + report.moved == len(gone)
        assert report.added + report.moved == sum(self.files[path] is not None for path in new)
        self.indexed, self.is_indexed = dict(self.files), True
        self.check_equal()

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def index_a_part(self, folder: str) -> None:
        part = self.root / folder
        if self.is_indexed and part.is_dir():
            self.library.sync(part, workers=1, allow_empty=True)
            self.indexed = {p: w for p, w in self.indexed.items() if not p.is_relative_to(part)}
            self.indexed |= {p: w for p, w in self.files.items() if p.is_relative_to(part)}
            self.check_equal()

    @rule(graph=st.booleans())
    def fold(self, graph: bool) -> None:
        if self.is_indexed:
            with Catalogue.open(self.place, create=True) as catalogue, catalogue.writing():
                derived.fold(catalogue, catalogue.encoder_row(self.encoder), graph_from=1 if graph else None)

    @rule(text=st.sampled_from(["red", "blue and white", "cyan", "nothing"]), top=st.integers(1, 9))
    def search(self, text: str, top: int) -> None:
        if self.is_indexed:
            self.check_search(text, top, {p: w for p, w in self.indexed.items() if w is not None}, Filters())

    @rule(folder=st.sampled_from(FOLDERS), limit=st.integers(70, 110), top=st.integers(1, 9))
    def search_with_filters(self, folder: str, limit: int, top: int) -> None:
        """Sizes and folders are taken from the disk: only what has not changed since can be compared."""
        if self.is_indexed and self.files == self.indexed:
            under = self.root / folder
            passing = {
                path: what
                for path, what in self.indexed.items()
                if what is not None and path.is_relative_to(under) and path.stat().st_size <= limit
            }
            self.check_search("green", top, passing, Filters(under=(under,), max_bytes=limit))

    def check_search(self, text: str, top: int, pictures: dict[Path, tuple[str, ...]], filters: Filters) -> None:
        answer = self.library.search(text, top=top, filters=filters)
        want = brute_force(pictures, text)[:top]
        assert [-score for score, _ in want] == [round(hit.score, 5) + 0.0 for hit in answer.hits]
        assert [path for _, path in want] == [str(hit.path) for hit in answer.hits]
        assert [hit.rank for hit in answer.hits] == list(range(1, len(want) + 1))

    @invariant()
    def nothing_is_searched_that_was_not_indexed(self) -> None:
        if getattr(self, "is_indexed", False):
            pictures = {draw(what).tobytes() for what in self.indexed.values() if what is not None}
            assert self.library.search("red").searched == len(pictures)

    def known_contents(self) -> set[bytes]:
        if not self.is_indexed:
            return set()
        with Catalogue.open(self.place) as catalogue:
            rows = catalogue.db.execute("SELECT sha256 FROM contents JOIN vectors ON content_id = contents.id")
            return {row[0] for row in rows}

    def check_equal(self) -> None:
        with Catalogue.open(self.place) as catalogue:
            rows = catalogue.db.execute(
                "SELECT d.path, f.name, f.content_id IS NOT NULL, v.id IS NOT NULL FROM files f "
                "JOIN folders d ON d.id = f.folder_id LEFT JOIN vectors v ON v.content_id = f.content_id"
            ).fetchall()
            orphans = catalogue.db.execute(
                "SELECT (SELECT count(*) FROM contents c "
                "WHERE NOT EXISTS (SELECT 1 FROM files WHERE content_id = c.id)), "
                "(SELECT count(*) FROM folders WHERE id NOT IN (SELECT folder_id FROM files))"
            ).fetchone()
        want = {str(path): (what is not None, what is not None) for path, what in self.indexed.items()}
        assert {str(Path(d) / n): (bool(c), bool(v)) for d, n, c, v in rows} == want
        assert len(rows) == len(want)
        assert orphans == (0, 0)


def digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


TestChangingFolder = ChangingFolder.TestCase
TestChangingFolder.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
