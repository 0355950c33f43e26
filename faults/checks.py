"""What must hold after any fault: the database is sound, nothing is lost or doubled, searches equal a fresh rebuild."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from wordsight.errors import CatalogueError
from wordsight.library import Catalogue, Library
from wordsight.library.catalogue import DATABASE
from wordsight.testing import COLOURS, ColourEncoder

PICTURES = 120
_ROOT = Path(__file__).parent.parent
_QUERIES = ("red", "blue + white", "green - black")
_CONTENT = (
    "SELECT d.path, f.name, f.bytes, f.skip_reason IS NULL, c.sha256, c.width, c.height, v.vector "
    "FROM files f JOIN folders d ON d.id = f.folder_id LEFT JOIN contents c ON c.id = f.content_id "
    "LEFT JOIN vectors v ON v.content_id = c.id ORDER BY 1, 2"
)


def make_photos(root: Path, count: int = PICTURES, *, suffix: str = "png") -> Path:
    """Write different small pictures into seven folders."""
    rng = random.Random(7)
    colours = list(COLOURS.values())
    for i in range(count):
        image = Image.new("RGB", (8, 8))
        image.putdata([rng.choice(colours) for _ in range(64)])
        file = root / f"{i % 7}" / f"{i:06}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)
    return root


def start(
    photos: Path, place: Path, *steps: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a run of child.py."""
    paths = os.pathsep.join([str(_ROOT / "src"), str(_ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "faults.child", str(photos), str(place), *steps],
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def content(place: Path) -> list[tuple[object, ...]]:
    """Return everything that is known of the files, but for ids, which depend on the order of work."""
    with Catalogue.open(place) as catalogue:
        return catalogue.db.execute(_CONTENT).fetchall()


def answers(place: Path, top: int = 50) -> list[list[tuple[str, float]]]:
    """Return what searches find."""
    with Library(ColourEncoder(), place) as library:
        return [[(str(hit.path), hit.score) for hit in library.search(text, top=top).hits] for text in _QUERIES]


def check_sound(place: Path, *, settled: bool = False) -> int | None:
    """Check what was left behind; return the number of files recorded, ``None`` where there is no catalogue yet.

    Until a sync has come to its end (``settled``), the vector of a picture whose file was overwritten stays: it may be
    found again under another name, and is not encoded anew then.
    """
    try:
        catalogue = Catalogue.open(place)
    except CatalogueError as error:
        if "no catalogue" in str(error) or "older version" in str(error):
            return None
        raise
    with catalogue:
        found = catalogue.db.execute("PRAGMA integrity_check").fetchall()
        assert found == [("ok",)], found
        assert catalogue.db.execute("PRAGMA foreign_key_check").fetchall() == []
        lost = (
            "SELECT count(*) FROM vectors v WHERE v.content_id NOT IN (SELECT content_id FROM files WHERE content_id)"
        )
        orphans = int(catalogue.db.execute(lost).fetchone()[0])
        assert not orphans or not settled, "vectors without a file"
        files = int(catalogue.db.execute("SELECT count(*) FROM files").fetchone()[0])
        if not catalogue.encoders():
            return files
    with Library(ColourEncoder(), place) as library:
        answer = library.search("red", top=10**6)
        assert len(answer.hits) <= files, "more is found than is there"
        assert answer.searched - orphans == len({hit.sha256 for hit in answer.hits}), (answer.searched, orphans)
        assert len({hit.path for hit in answer.hits}) == len(answer.hits), "a picture is found twice"
    return files


class Calm:
    """The catalogue of a folder that was indexed without any fault, to compare with."""

    def __init__(self, photos: Path, place: Path) -> None:
        self.photos = photos
        with Library(ColourEncoder(), place) as library:
            library.sync(photos)
        self.content = content(place)
        self.answers = answers(place)

    def check(self, place: Path) -> None:
        """Check a catalogue that went through a fault; then bring it up to date: it must equal this one."""
        check_sound(place)
        with Library(ColourEncoder(), place) as library:
            library.sync(self.photos)
            assert library.status(self.photos).is_well or any(not row[3] for row in self.content)
        self.equals(place)

    def equals(self, place: Path) -> None:
        """Check that a catalogue holds and finds the same."""
        check_sound(place, settled=True)
        assert content(place) == self.content, "rows differ from those of a fresh rebuild"
        assert answers(place) == self.answers, "searches differ from those of a fresh rebuild"
        assert (place / DATABASE).is_file()
