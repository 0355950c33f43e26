"""`status`: every number, told from the folder without changing anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wordsight.library import Health, Library
from wordsight.testing import ColourEncoder, colour_image

NUMBERS = ("indexed", "new", "changed", "moved", "missing", "unencoded", "skip_count")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("red", "green", "a/blue", "a/b/white"):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        colour_image(file.stem).save(file)
    return root


@pytest.fixture
def library(photos: Path) -> Library:
    library = Library(ColourEncoder())
    library.sync(photos)
    return library


def numbers(health: Health) -> dict[str, int]:
    return {name: getattr(health, name) for name in NUMBERS if getattr(health, name)}


def test_all_is_well(library: Library, photos: Path) -> None:
    for folder in (photos, photos / "a", photos / "a" / ".." / "a"):
        health = library.status(folder)
        assert health.root == photos
        assert numbers(health) == {"indexed": 4}
        assert health.is_well
        assert health.synced_at


def test_each_number(library: Library, photos: Path) -> None:
    colour_image("cyan").save(photos / "new.png")
    colour_image("magenta", "red").save(photos / "red.png")
    os.utime(photos / "red.png", (1, 1))
    (photos / "green.png").unlink()
    (photos / "a/blue.png").rename(photos / "azure.png")
    health = library.status(photos)
    assert numbers(health) == {"indexed": 1, "new": 1, "changed": 1, "missing": 1, "moved": 1}
    assert not health.is_well
    library.sync(photos)
    (photos / "broken.png").write_bytes(b"broken")
    library.sync(photos)
    health = library.status(photos)
    assert numbers(health) == {"indexed": 4, "skip_count": 1}
    assert health.is_well
    assert [path.name for path, _ in health.skipped] == ["broken.png"]


def test_each_missing_file_accounts_for_one_moved_file(library: Library, photos: Path) -> None:
    for name in ("x", "y"):
        shutil.copy2(photos / "red.png", photos / f"{name}.png")
    (photos / "red.png").unlink()
    assert numbers(library.status(photos)) == {"indexed": 3, "moved": 1, "new": 1}
    report = library.sync(photos)
    assert (report.moved, report.added, report.removed, report.encoded) == (1, 1, 0, 0)
    for name in ("x", "y"):
        (photos / f"{name}.png").unlink()
    colour_image("red").save(photos / "z.png")
    report = library.sync(photos)
    assert (report.moved, report.added, report.removed, report.encoded) == (1, 0, 1, 0)


def test_a_file_of_the_same_size_and_time_is_moved_only_with_the_same_content(library: Library, photos: Path) -> None:
    (photos / "red.png").unlink()
    size = (photos / "green.png").stat().st_size
    (photos / "other.png").write_bytes(b"x" * size)
    (photos / "green.png").rename(photos / "moved.png")
    os.utime(photos / "other.png", ns=(0, (photos / "moved.png").stat().st_mtime_ns))
    assert numbers(library.status(photos)) == {"indexed": 2, "moved": 1, "new": 1, "missing": 1}


def test_a_deleted_folder_and_one_that_is_not_there(library: Library, photos: Path) -> None:
    shutil.rmtree(photos / "a")
    assert numbers(library.status(photos)) == {"indexed": 2, "missing": 2}
    shutil.rmtree(photos)
    health = library.status(photos)
    assert "is the disk mounted" in health.problems[0]
    assert numbers(health) == {}
    assert not health.is_well


def test_another_encoder_beside(library: Library, photos: Path) -> None:
    class Other(ColourEncoder):
        name = "other"
        fingerprint = "other-1"

    with Library(Other()) as other:
        other.sync(photos / "a", beside=True)
        assert numbers(other.status(photos)) == {"indexed": 2, "unencoded": 2}
        other.sync(photos)
        assert other.status(photos).is_well


@pytest.mark.parametrize("seconds", [-(10**6), 0, 2**31, 2**33, 10**10])
def test_odd_times(library: Library, photos: Path, seconds: int) -> None:
    """Before 1970, and beyond the year 2262, where nanoseconds do not fit in 64 bits."""
    try:
        os.utime(photos / "red.png", (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this system has no such time")
    library.sync(photos)
    health = library.status(photos)
    assert numbers(health) == {"indexed": 4}
    assert health.is_well
    report = library.sync(photos)
    assert report.unchanged == 4


def test_names_of_every_kind(library: Library, photos: Path) -> None:
    odd = [
        "%.png",
        "_.png",
        "a'b\"c.png",
        "new\nline.png",
        " .png",
        "\u00e9.png",
        "e\u0301.png",
        os.fsdecode(b"\xff\xfe.png"),
    ]
    (photos / "100%_a\n").mkdir()
    for i, name in enumerate(odd):
        try:
            colour_image("black", size=8 + i).save(photos / "100%_a\n" / name)
        except OSError:
            pytest.skip("this file system takes only UTF-8 names")
    report = library.sync(photos)
    assert (report.added, report.encoded) == (len(odd), len(odd))
    assert library.sync(photos).unchanged == 4 + len(odd)
    assert library.status(photos).is_well
    found = library.search("black", top=len(odd), within=[photos / "100%_a\n"])
    assert sorted(hit.path.name for hit in found.hits) == sorted(odd)
    shutil.rmtree(photos / "100%_a\n")
    assert library.sync(photos).removed == len(odd)
