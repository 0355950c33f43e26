"""Killed at any instant, out of room, read while written: nothing that was done is lost, and the next run goes on."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from wordsight.errors import CatalogueBusy, CatalogueError
from wordsight.library import Catalogue, Library, derived
from wordsight.library.catalogue import DATABASE
from wordsight.testing import COLOURS, ColourEncoder

PICTURES = 240
IN_FLIGHT = 2 * 3 * 4 + 4
"""Pictures that a run of two workers may have read but not recorded: three groups of four each, and one at work."""

# Indexes a folder and writes down, one byte each, the pictures that went through the encoder. Commits and folds happen
# far more often than they would, so that kills meet them.
CHILD = """
import os, sys, time
from pathlib import Path
from wordsight.library import Library, derived, sync
from wordsight.testing import ColourEncoder
photos, place, log, regions, most = sys.argv[1:]
import wordsight.library.regions
import wordsight.library.sync as sync
sync._COMMIT_FILES, derived._FEW, derived.GRAPH_FROM = 8, 20, 1
wordsight.library.regions.LEAST_SIDE = 4
out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Encoder(ColourEncoder):
    def encode_images(self, images):
        os.write(out, b"." * len(images))
        if os.fstat(out).st_size > int(most):
            time.sleep(1)
        return super().encode_images(images)
Library(Encoder(), Path(place)).sync(photos, workers=2, regions=regions == "True" or None)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    rng = random.Random(7)
    colours = list(COLOURS.values())
    for i in range(PICTURES):
        image = Image.new("RGB", (8, 8))
        image.putdata([rng.choice(colours) for _ in range(64)])
        file = root / f"{i % 7}" / f"{i:03}.png"
        file.parent.mkdir(exist_ok=True)
        image.save(file)
    return root


def start(
    photos: Path, place: Path, log: Path, *, regions: bool = False, quick: int = 1 << 30
) -> subprocess.Popen[bytes]:
    """Start a run; what it says goes to a file beside its log. After ``quick`` pictures a few take a second."""
    with log.with_suffix(".said").open("ab") as said:
        child = [sys.executable, "-c", CHILD, photos, place, log, str(regions), str(quick)]
        return subprocess.Popen(child, stderr=said)


def said(log: Path) -> str:
    return log.with_suffix(".said").read_text()


def content(place: Path) -> list[tuple]:
    """Everything that is known of the files, without the ids that depend on the order of work."""
    with Catalogue.open(place) as catalogue:
        return catalogue.db.execute(
            "SELECT d.path, f.name, f.bytes, f.mtime_ns, c.sha256, c.width, c.height, c.format, v.vector, r.boxes, "
            "r.vectors FROM files f JOIN folders d ON d.id = f.folder_id JOIN contents c ON c.id = f.content_id "
            "JOIN vectors v ON v.content_id = c.id LEFT JOIN regions r ON r.vector_id = v.id ORDER BY 1, 2"
        ).fetchall()


def answers(place: Path) -> list[list[tuple[str, float]]]:
    with Library(ColourEncoder(), place) as library:
        return [
            [(str(hit.path), hit.score) for hit in library.search(text, top=20).hits]
            for text in ("red", "blue + white", "green - black")
        ]


def check_sound(place: Path) -> int:
    """The database is intact, what it holds can be searched, and there is no vector without a file; count files."""
    with Catalogue.open(place) as catalogue:
        assert catalogue.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert catalogue.db.execute("PRAGMA foreign_key_check").fetchall() == []
        lost = (
            "SELECT count(*) FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = v.content_id)"
        )
        assert catalogue.db.execute(lost).fetchone() == (0,)
        files = catalogue.db.execute("SELECT count(*) FROM files").fetchone()[0]
        if not catalogue.encoders():
            return int(files)
    with Library(ColourEncoder(), place) as library:
        assert len(library.search("red", top=10**4).hits) == library.search("red").searched <= files
    return int(files)


@pytest.mark.parametrize("regions", [False, True])
def test_killed_at_any_instant(photos: Path, tmp_path: Path, request: pytest.FixtureRequest, regions: bool) -> None:
    """Many runs are killed at random; each is continued, by the next that is killed, until all is done, and anew."""
    calm, each = tmp_path / "calm", 6 if regions else 1
    assert start(photos, calm, tmp_path / "calm log", regions=regions).wait() == 0
    kills = 200 if request.config.getoption("--slow") else 15
    rng = random.Random(os.environ.get("WORDSIGHT_SEED", "3"))
    killed, rounds = 0, 0
    while killed < kills:
        place, log = tmp_path / f"catalogue {rounds}", tmp_path / f"log {rounds}"
        rounds += 1
        before, runs, finished = 0, 0, False
        while not finished:
            child = start(photos, place, log, regions=regions)
            if killed < kills:
                wait_for(child, place, log, rng, each)
                child.send_signal(signal.SIGKILL)
            finished = child.wait() == 0
            assert finished or child.returncode == -signal.SIGKILL, said(log)
            killed += not finished
            runs += 1
            if (place / DATABASE).exists() and (finished or has_tables(place)):
                files = check_sound(place)
                assert files >= before, "a file that was recorded is lost"
                before = files
        assert content(place) == content(calm)
        assert answers(place) == answers(calm)
        encoded = log.stat().st_size
        most = PICTURES + (runs - 1) * (8 + IN_FLIGHT)
        assert PICTURES * each <= encoded <= most * each, "known pictures were encoded again"
        assert len(list((place / "index/1").iterdir())) == 1, "index files of killed runs stay behind"


def wait_for(child: subprocess.Popen[bytes], place: Path, log: Path, rng: random.Random, each: int) -> None:
    """Wait for a random instant of the run: at its beginning, in its middle, or when it folds.

    ``each``: how often a picture goes through the encoder, with its parts.
    """
    stage = rng.choice(["start", "database", "middle", "middle", "middle", "end"])
    done = log.stat().st_size if log.exists() else 0
    goal = min(PICTURES * each - 1, done + rng.randrange(1, 90 * each))
    ready = {
        "start": lambda: True,
        "database": (place / DATABASE).exists,
        "middle": lambda: log.exists() and log.stat().st_size >= goal,
        "end": lambda: log.exists() and log.stat().st_size >= (PICTURES - 4) * each,
    }[stage]
    give_up = time.monotonic() + 60
    while child.poll() is None and not ready() and time.monotonic() < give_up:
        time.sleep(0.0005)
    time.sleep(rng.random() * (0.3 if stage == "start" else 0.02))


def has_tables(place: Path) -> bool:
    """Whether the run came so far as to make the tables: before, opening says that there is no catalogue."""
    with suppress(CatalogueError):
        Catalogue.open(place).db.close()
        return True
    with pytest.raises(CatalogueError, match=r"no catalogue|older version"):
        Catalogue.open(place)
    return False


@contextmanager
def tiny_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of that size; skipped where that is not allowed."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir()
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run([umount, folder], check=True)


@pytest.mark.parametrize("room", [16, 80, 130, 200])
def test_a_full_disk(photos: Path, tmp_path: Path, room: int) -> None:
    with tiny_disk(tmp_path / "disk", 1000) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes((1000 - room) * 1024))
        place = disk / "catalogue"
        with Library(ColourEncoder(), place) as library:
            with pytest.raises(CatalogueError, match=r"full|No space left|disk I/O"):
                library.sync(photos)
            ballast.unlink()
            library.sync(photos)
            assert library.status(photos).is_well
        assert check_sound(place) == PICTURES


def test_a_disk_that_fills_up_under_a_finished_catalogue(photos: Path, tmp_path: Path) -> None:
    """Nothing of what is known is lost, and searching goes on, although there is no room for a byte."""
    some = tmp_path / "some"
    shutil.copytree(photos / "1", some / "1")
    with tiny_disk(tmp_path / "disk", 1000) as disk:
        place = disk / "catalogue"
        with Library(ColourEncoder(), place) as library:
            library.sync(some)
            before = answers(place)
            shutil.copytree(photos / "2", some / "2")
            fill(disk / "ballast")
            with pytest.raises(CatalogueError):
                library.sync(some)
            known = before[0][0][0]
            assert known in [path for path, _ in answers(place)[0]]
            (disk / "ballast").unlink()
            library.sync(some)
            assert library.status(some).is_well


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))


def test_a_limit_on_the_size_of_files(photos: Path, tmp_path: Path) -> None:
    """Like a full disk, where none can be mounted: the system refuses to let files grow."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (220_000, {resource.RLIM_INFINITY}))\n"
        "import wordsight.library.sync as sync; sync._COMMIT_FILES = 8\n"
        "from wordsight.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "index", photos, "--encoder", "colours", "--catalog", tmp_path / "c", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "run the same command again" in done.stderr
    recorded = check_sound(tmp_path / "c")
    with Library(ColourEncoder(), tmp_path / "c") as library:
        report = library.sync(photos)
    assert report.unchanged == recorded > 0
    assert report.encoded == PICTURES - recorded


def test_reading_while_another_process_writes(photos: Path, tmp_path: Path) -> None:
    """Every answer belongs to one state: complete, in order, and never smaller than the one before."""
    place, last = tmp_path / "catalogue", 0
    child = start(photos, place, tmp_path / "log")
    seen, early = set(), set()
    with Library(ColourEncoder(), place) as library:
        while child.poll() is None:
            try:
                answer = library.search("red", top=10**4)
            except CatalogueError as error:
                early.add(str(error).removeprefix("the ").split(" at ")[0])
                continue
            assert len(answer.hits) == answer.searched >= last
            last = answer.searched
            seen.add(last)
        assert child.returncode == 0, said(tmp_path / "log")
        assert library.search("red").searched == PICTURES
    assert len(seen) > 2, "the reader met no state in between"
    assert early <= {"no catalogue", "catalogue"}, "before the first commit there is no catalogue, or an empty one"


def test_readers_during_folds(photos: Path, tmp_path: Path) -> None:
    """Index files are replaced and photos come and go, again and again, under readers."""
    place = tmp_path / "catalogue"
    some = tmp_path / "some"
    shutil.copytree(photos, some)
    with Library(ColourEncoder(), place) as library:
        library.sync(some)
    script = (
        "import shutil, sys; from pathlib import Path; from wordsight.library import Library, Catalogue, derived\n"
        "from wordsight.testing import ColourEncoder\n"
        "place, some, photos = map(Path, sys.argv[1:]); encoder = ColourEncoder()\n"
        "for turn in range(30):\n"
        "    part = some / str(turn % 7)\n"
        "    shutil.rmtree(part) if part.exists() else shutil.copytree(photos / part.name, part)\n"
        "    Library(encoder, place).sync(some, workers=1, allow_empty=True)\n"
        "    with Catalogue.open(place, create=True) as c, c.writing():\n"
        "        derived.fold(c, c.encoder_row(encoder), graph_from=1 if turn % 2 else None)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, place, some, photos])
    counts = set()
    while writer.poll() is None:
        with Library(ColourEncoder(), place) as library:
            for _ in range(3):
                answer = library.search("red", top=10**4)
                assert len(answer.hits) == answer.searched
                counts.add(answer.searched)
    assert writer.returncode == 0
    assert len(counts) > 3


def test_a_second_writer_is_told_by_exit_status_2(photos: Path, tmp_path: Path) -> None:
    place = tmp_path / "catalogue"
    command = [sys.executable, "-m", "wordsight", "index", photos, "--encoder", "colours", "--catalog", place]
    with Catalogue.open(place, create=True) as catalogue, catalogue.writing():
        done = subprocess.run(command, capture_output=True, text=True)
        with pytest.raises(CatalogueBusy):
            Library(ColourEncoder(), place).sync(photos)
    assert done.returncode == 2
    assert "another process is writing" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_control_c_keeps_what_was_done(photos: Path, tmp_path: Path) -> None:
    place, log = tmp_path / "catalogue", tmp_path / "log"
    # Slow after the first half: else it may have ended before the signal, on a busy machine.
    child = start(photos, place, log, quick=PICTURES // 2)
    while child.poll() is None and not (log.exists() and log.stat().st_size > PICTURES // 2):
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) != 0
    assert "KeyboardInterrupt" in said(log)
    assert check_sound(place) > PICTURES // 4
    with closing(sqlite3.connect(place / DATABASE)) as connection:
        (known,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    report = Library(ColourEncoder(), place).sync(photos)
    assert report.encoded == PICTURES - known
    assert log.stat().st_size - known <= IN_FLIGHT
    with Catalogue.open(place, create=True) as catalogue, catalogue.writing():
        derived.fold(catalogue, catalogue.encoder_row(ColourEncoder()))
    assert check_sound(place) == PICTURES
