"""From a catalogue to other places and back: content ids, addresses and the bits of the vectors stay what they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight import cli
from wordsight.library import Catalogue, Library

ROWS = (
    "SELECT d.path, f.name, f.bytes, f.mtime_ns, c.sha256, c.width, c.height, c.format, c.captured_at, c.camera, "
    "c.latitude, c.longitude, v.vector, f.skip_reason, f.skip_reader FROM files f JOIN folders d ON d.id = f.folder_id "
    "LEFT JOIN contents c ON c.id = f.content_id LEFT JOIN vectors v ON v.content_id = c.id ORDER BY d.path, f.name"
)


def rows(catalogue: Path) -> list[tuple[object, ...]]:
    with Catalogue.open(catalogue) as opened:
        return opened.db.execute(ROWS).fetchall()


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Run ``wordsight`` in this process; the catalogue is the test's own, by the environment."""
    monkeypatch.setenv("WORDSIGHT_ENCODER", "colours")

    def call(*arguments: str | Path, status: int = 0) -> SimpleNamespace:
        capfdbinary.readouterr()
        monkeypatch.setattr(sys, "argv", ["wordsight", *map(str, arguments)])
        got = cli.run()
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        assert got == status, err.decode()
        return SimpleNamespace(stdout=out, stderr=err)

    return call


@pytest.mark.parametrize("to", ["lance", "parquet", "npy"])
def test_there_and_back(photos: Path, tmp_path: Path, encoder, run, to: str) -> None:
    with Library(encoder) as library:
        library.sync(photos)
    out = tmp_path / {"lance": "out", "parquet": "out.parquet", "npy": "out-npy"}[to]
    assert b"14 photos exported" in run("export", out, "--to", to).stderr
    assert b"14 photos imported" in run("import", out, "--catalog", tmp_path / "back").stderr
    want, got = rows(tmp_path / "catalogue"), rows(tmp_path / "back")
    if to != "lance":  # files hold photos alone
        want = [row for row in want if row[4] is not None]
    assert got == want
    with Library(encoder, tmp_path / "back") as library:
        report = library.sync(photos)
        assert (report.encoded, report.added, report.moved) == (0, 0, 0)
        assert library.catalogue.roots() == [photos]


def test_from_store_to_store_and_files(photos: Path, tmp_path: Path, run) -> None:
    run("index", photos, "--store", tmp_path / "s", "--quiet")
    run("export", tmp_path / "t", "--store", tmp_path / "s")
    run("export", tmp_path / "npy", "--to", "npy", "--store", tmp_path / "t")
    run("import", tmp_path / "npy", "--store", tmp_path / "u")
    answers = [run("search", "red", "--store", tmp_path / name, "--json", "-t", "99").stdout for name in "su"]
    first, last = ([json.loads(line) for line in answer.splitlines()] for answer in answers)
    assert [(hit["path"], hit["sha256"], hit["score"]) for hit in first] == [
        (hit["path"], hit["sha256"], hit["score"]) for hit in last
    ]
    about = json.loads((tmp_path / "npy" / "about.json").read_text())
    vectors = np.load(tmp_path / "npy" / "vectors.npy")
    assert vectors.shape == (14, about["dim"])
    assert vectors.dtype == np.float16


def test_a_trec_run_of_many_queries(photos: Path, tmp_path: Path, run) -> None:
    run("index", photos, "--store", tmp_path / "s", "--quiet")
    run("index", photos, "--quiet")
    (tmp_path / "queries.tsv").write_text("q1\tred\nq2\tgreen + blue\n")
    answers = []
    for name, where in (("a", ("--store", tmp_path / "s")), ("b", ())):
        run("export", tmp_path / name, "--to", "trec", "--queries", tmp_path / "queries.tsv", "-t", "5", *where)
        answers.append((tmp_path / name).read_text())
    assert answers[0] == answers[1]
    lines = [line.split() for line in answers[0].splitlines()]
    assert [line[0] for line in lines] == ["q1"] * 5 + ["q2"] * 5
    assert [line[3] for line in lines] == [str(n) for n in (1, 2, 3, 4, 5)] * 2
    assert b"belong together" in run("export", tmp_path / "x", "--to", "trec", status=2).stderr


def test_addresses_in_a_storage_stay_out_of_a_catalogue_unless_they_are_here_too(
    photos: Path, tmp_path: Path, encoder, run
) -> None:
    import fsspec

    from wordsight.scale.job import fill
    from wordsight.scale.runners import LocalRunner

    memory = fsspec.filesystem("memory")
    for file in ("dated.jpg", "a copy.png"):
        memory.pipe(f"/moved/{file}", (photos / file).read_bytes())
    fill(str(tmp_path / "s"), ["memory://moved"], encoder, LocalRunner(encoder, 1))
    done = run("import", tmp_path / "s", "--catalog", tmp_path / "c")
    assert b"2 photos left out" in done.stderr
    run("import", tmp_path / "s", "--catalog", tmp_path / "c", "--moved", f"memory://moved={photos}")
    with Library(encoder, tmp_path / "c") as library:
        assert {hit.path for hit in library.search("red").hits} == {photos / "dated.jpg", photos / "a copy.png"}
    assert b"FROM=TO" in run("import", tmp_path / "s", "--moved", "x", status=2).stderr


def test_commands_say_what_is_wrong(photos: Path, tmp_path: Path, run) -> None:
    store = ("--store", tmp_path / "s")
    assert b"no store at" in run("search", "red", *store, status=2).stderr
    run("index", photos, *store, "--quiet")
    assert b"broken.jpg" in run("index", photos, *store, "--retry-skipped").stderr
    assert b"leave out --store" in run("index", photos, *store, "--beside", status=2).stderr
    assert b"expected a runner" in run("index", photos, *store, "--runner", "slurm", status=2).stderr
    assert b"add --store" in run("index", photos, "--runner", "ray", status=2).stderr
    assert b"leave out --fuse" in run("search", "red", *store, "--fuse", "mini", status=2).stderr
    assert b"belong to a catalogue" in run("search", "@saved", *store, status=2).stderr
    assert b"holds vectors of colours" in run("search", "red", *store, "--encoder", "mini", status=2).stderr
    assert b"no exported photos" in run("import", _damaged(tmp_path / "npy"), status=2).stderr
    told = json.loads(run("index", photos, *store, "--json").stdout)
    assert (told["added"], told["unchanged"], told["runner"]) == (0, 16, "local")
    status = json.loads(run("status", *store, "--json").stdout)
    assert (status["photos"], status["skipped"], status["encoder"]) == (14, 2, "colours")
    assert {Path(skip["path"]).name for skip in status["skips"]} == {"broken.jpg", "empty.png"}
    told = run("status", *store).stdout.decode()
    assert "14 photos" in told
    assert "empty.png: empty file" in told
    assert b"leave out the folder" in run("status", photos, *store, status=2).stderr
    assert json.loads(run("compact", tmp_path / "s", "--json").stdout)["photos"] == 14
    assert run("search", "red", *store, "--in", "s3://nowhere/else", status=1).stdout == b""
    liked = run("search", "red", *store, "--like", photos / "dated.jpg", "--paths", "-t", "2").stdout.splitlines()
    assert len(liked) == 2


def _damaged(folder: Path) -> Path:
    folder.mkdir()
    (folder / "vectors.npy").write_bytes(b"\x93NUMPY")
    (folder / "about.json").write_text("{}")
    return folder
