"""From one encoder to another: searches change over only when all photos are done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wordsight.cli.app import build
from wordsight.library import Library
from wordsight.library.catalogue import Catalogue
from wordsight.preference import preferred
from wordsight.registry import load_encoder
from wordsight.testing import ColourEncoder, colour_image


def run(*words: object):  # type: ignore[no-untyped-def]
    texts = [str(word) for word in words]
    return CliRunner().invoke(build(texts), texts)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        colour_image(name, size=48).save(folder / f"{name}.png")
    assert run("index", folder, "--quiet").exit_code == 0
    return folder


def hits(folder: Path) -> list[str]:
    found = run("search", "green", "--json", "--all")
    assert found.exit_code == 0, found.output
    return [Path(json.loads(line)["path"]).name for line in found.stdout.splitlines()]


def test_the_new_encoder_is_the_default_when_all_is_done(photos: Path, tmp_path: Path) -> None:
    home = tmp_path / "catalogue"
    assert preferred() == "mini"
    done = run("migrate", "--to", "colours")
    assert done.exit_code == 0, done.output
    assert "3 photos encoded; searches use colours now" in done.stderr
    assert preferred(home) == "colours"
    assert hits(photos)[0] == "green.png"
    with Catalogue.open(home) as catalogue:
        assert [row.name for row in catalogue.encoders()] == ["mini", "colours"]
    colour_image("white", size=48).save(photos / "white.png")
    assert run("index", photos, "--quiet").exit_code == 0  # for the new default
    with Catalogue.open(home) as catalogue:
        counts = {row.name: catalogue.vector_count(row) for row in catalogue.encoders()}
    assert counts == {"mini": 3, "colours": 4}


def test_old_vectors_are_dropped_when_asked(photos: Path, tmp_path: Path) -> None:
    home = tmp_path / "catalogue"
    with Library(load_encoder("mini"), home) as library:
        library.sync(photos, regions=True)
    done = run("migrate", "--to", "colours", "--drop-old")
    assert done.exit_code == 0, done.output
    assert "vectors of mini removed" in done.stderr
    with Catalogue.open(home) as catalogue:
        (row,) = catalogue.encoders()
        assert row.name == "colours"
        assert row.regions is not None  # as the old one had them
        for table in ("vectors", "regions", "removed", "removed_regions", "calibrations"):
            others = catalogue.db.execute(f"SELECT count(*) FROM {table} WHERE encoder_id != ?", [row.id]).fetchone()
            assert others == (0,), table
    assert hits(photos)[0] == "green.png"
    assert run("status").exit_code == 0
    assert run("search", "red", "--encoder", "mini").exception is not None


def test_photos_that_cannot_be_reached_keep_the_old_one(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other disk"
    other.mkdir()
    colour_image("yellow", size=48).save(other / "yellow.png")
    assert run("index", other, "--quiet").exit_code == 0
    other.rename(tmp_path / "unplugged")
    done = run("migrate", "--to", "colours", "--drop-old")
    assert done.exit_code == 1
    assert "1 are left, so searches use the old encoder" in done.stderr
    assert str(other) in done.stderr
    assert preferred() == "mini"
    assert len(hits(photos)) == 4
    (tmp_path / "unplugged").rename(other)
    done = run("migrate", "--to", "colours", "--drop-old")  # continues: three are there
    assert done.exit_code == 0, done.output
    assert "1 photos encoded; searches use colours now" in done.stderr


def test_one_folder_of_several(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    colour_image("yellow", size=48).save(other / "yellow.png")
    assert run("index", other, "--quiet").exit_code == 0
    assert run("migrate", other, "--to", "colours").exit_code == 1
    assert preferred() == "mini"
    assert run("migrate", photos, "--to", "colours").exit_code == 0
    assert preferred() == "colours"
    unknown = run("migrate", tmp_path, "--to", "mini")
    assert "is not indexed" in str(unknown.exception)


def test_an_interrupted_migration_is_continued(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = ColourEncoder.encode_images

    def interrupted(self, images):  # type: ignore[no-untyped-def]
        seen.append(len(images))
        raise KeyboardInterrupt

    monkeypatch.setattr(ColourEncoder, "encode_images", interrupted)
    assert run("migrate", "--to", "colours").exit_code != 0
    assert seen
    assert preferred() == "mini"
    assert len(hits(photos)) == 3
    monkeypatch.setattr(ColourEncoder, "encode_images", real)
    assert run("migrate", "--to", "colours").exit_code == 0
    assert preferred() == "colours"


def test_in_the_background(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wordsight", "migrate", "--to", "colours", "--background"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "migrate.log" in done.stderr
    log = tmp_path / "catalogue" / "migrate.log"
    for _ in range(300):
        if "searches use colours now" in log.read_text():
            break
        time.sleep(0.1)
    assert preferred() == "colours"


def test_nothing_to_migrate() -> None:
    assert "no catalogue" in str(run("migrate", "--to", "colours").exception)
