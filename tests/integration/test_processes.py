"""The command line as a real process: what it prints where, its exit status, and that photos are only read."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wordsight.testing import colour_image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("red", "green", "trip/blue", "trip/red blue"):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        colour_image(*file.stem.split()).save(file)
    return root


def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run ``wordsight``; the catalogue is the test's own, by the environment."""
    environment = os.environ | {"WORDSIGHT_ENCODER": "colours", "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-m", "wordsight", *arguments], capture_output=True, env=environment)
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def snapshot(root: Path) -> dict[Path, tuple[int, int, bytes]]:
    stats = {path: path.stat() for path in (root, *root.rglob("*"))}
    return {
        path: (stat.st_mtime_ns, stat.st_mode, path.read_bytes() if path.is_file() else b"")
        for path, stat in stats.items()
    }


def test_from_index_to_forget(photos: Path, tmp_path: Path) -> None:
    before = snapshot(photos)
    done = run("index", photos)
    assert done.stdout == b""
    assert b"4 added, 0 unchanged" in done.stderr
    assert b"nothing new, 4 unchanged" in run("index", photos).stderr
    done = run("search", "red", "--paths", "-t", "2")
    assert done.stdout.decode().splitlines() == [str(photos / "red.png"), str(photos / "trip/red blue.png")]
    assert done.stderr == b""
    done = run("status", photos)
    assert b"up to date" in done.stdout
    assert done.stderr == b""
    done = run("forget", photos)
    assert done.stdout == b""
    assert b"forgot" in done.stderr
    assert b"not an indexed folder" in run("forget", photos, status=2).stderr
    assert b"is not indexed" in run("search", "red", "--in", photos, status=2).stderr
    assert snapshot(photos) == before
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "catalogue", "cache"}
    # What is remembered of an encoder, nothing of the photos.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["background"]


def test_every_format(photos: Path) -> None:
    run("index", photos, "-q")
    best = str(photos / "trip/red blue.png")
    query = ("search", "red + blue", "-t", "1")
    (hit,) = (json.loads(line) for line in run(*query, "--json").stdout.splitlines())
    assert (hit["path"], hit["rank"], round(hit["score"], 2)) == (best, 1, 1.0)
    (row,) = csv.DictReader(io.StringIO(run(*query, "--csv").stdout.decode(), newline=""))
    assert (row["path"], row["rank"]) == (best, "1")
    assert run(*query, "--paths").stdout == os.fsencode(best) + b"\n"
    assert run(*query, "-0").stdout == os.fsencode(best) + b"\0"
    assert run(*query, "--trec").stdout.split()[:2] == [b"1", b"Q0"]
    assert run(*query, "--all").stdout.decode().rstrip("\n").split("\t")[1] == best
    refused = run(*query, "--json", "--csv", status=2)
    assert b"choose one output format" in refused.stderr
    assert refused.stdout == b""


def test_exit_status_of_a_search(photos: Path) -> None:
    none = run("search", "red", status=2)
    assert b"wordsight index" in none.stderr
    assert none.stdout == b""
    run("index", photos, "-q")
    assert run("search", "red", "--under", photos / "trip", "--all").returncode == 0
    empty = run("search", "red", "--type", "gif", status=1)
    assert b"no photo passes the filters" in empty.stderr
    assert empty.stdout == b""
    assert b"^" in run("search", "red - red", status=2).stderr


def test_exit_status_of_status(photos: Path) -> None:
    assert b"no catalogue" in run("status", status=2).stderr
    run("index", photos, "-q")
    assert run("status").stdout.startswith(os.fsencode(photos))
    colour_image("cyan").save(photos / "cyan.png")
    (photos / "green.png").unlink()
    done = run("status", "--json", status=1)
    health = json.loads(done.stdout)
    assert (health["new"], health["missing"], health["indexed"], health["well"]) == (1, 1, 3, False)
    run("index", photos, "-q")
    run("status")


def test_skipped_files_are_told_on_stderr_and_by_status(photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"broken")
    done = run("index", photos)
    assert done.stdout == b""
    assert done.stderr.count(b"broken.jpg") == 1
    assert b"1 skipped" in done.stderr
    assert b"broken.jpg" in run("status").stdout
    done = run("index", photos, "--json", "--retry-skipped", "-q")
    assert json.loads(done.stdout)["skipped"] == 1


def test_an_unmounted_disk_deletes_nothing(photos: Path) -> None:
    run("index", photos, "-q")
    photos.rename(photos.with_name("away"))
    photos.mkdir()
    assert b"is the disk mounted" in run("index", photos, status=2).stderr
    assert run("search", "red", "--paths").stdout.count(b"\n") == 4
    run("index", photos, "--allow-empty", "-q")
    run("search", "red", status=1)


def test_names_that_are_no_text(photos: Path) -> None:
    """File names are bytes: they come out as they are, and none breaks the output."""
    odd = [b"caf\xe9.png", b"two\nlines.png"]
    try:
        for i, name in enumerate(odd):
            colour_image("white", size=9 + i).save(photos / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    run("index", photos)
    found = run("search", "white", "-0", "-t", "2").stdout.split(b"\0")[:-1]
    assert sorted(path.rpartition(b"/")[2] for path in found) == sorted(odd)
    assert run("search", "white", "--json", "-t", "2").stdout.count(b"\n") == 2


def test_a_damaged_catalogue_is_one_line_on_stderr(photos: Path, tmp_path: Path) -> None:
    run("index", photos, "-q")
    file = tmp_path / "catalogue/catalogue.sqlite3"
    file.write_bytes(file.read_bytes()[:4096] + b"\xa5" * (file.stat().st_size - 4096))
    for command in (["search", "red"], ["status"], ["index", photos], ["forget", photos], ["recall"]):
        assert run(*command, status=2).stderr.startswith(b"wordsight: ")


def test_no_file_is_opened_when_nothing_has_changed(photos: Path) -> None:
    """Told by the interpreter itself, for every way in which a file can be opened."""
    run("index", photos, "-q")
    watch = (
        "import sys; from pathlib import Path; opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(args[0]) if event == 'open' else None)\n"
        "from wordsight.library import Library; from wordsight.testing import ColourEncoder\n"
        "assert Library(ColourEncoder()).sync(sys.argv[1]).unchanged == 4\n"
        "print([path for path in opened if str(path).startswith(sys.argv[1])])"
    )
    done = subprocess.run([sys.executable, "-c", watch, photos], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_version_and_help_need_no_command() -> None:
    for words, said in (
        (["--version"], "wordsight "),
        (["--help"], "search"),
        (["search", "--help"], "--matches-only"),
    ):
        done = subprocess.run([sys.executable, "-m", "wordsight", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
