"""The catalogue follows its folder: every kind of change, interruptions, odd names, two processes."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from pathlib import Path

import pytest

from wordsight.errors import BadInput, CatalogueBusy, EncoderMismatch
from wordsight.library import Catalogue, Library, SyncReport
from wordsight.library import sync as sync_module  # noqa: F401
from wordsight.testing import ColourEncoder, colour_image


class CountingEncoder(ColourEncoder):
    """Counts the pictures that were encoded."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode_images(self, images):
        self.encoded += len(images)
        return super().encode_images(images)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("red", "green", "holiday/blue", "holiday/2021/yellow"):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        colour_image(file.stem).save(file)
    return root


@pytest.fixture
def library() -> Library:
    return Library(CountingEncoder())


def counts(report: SyncReport) -> dict[str, int]:
    names = ("unchanged", "added", "changed", "moved", "removed", "skipped", "encoded")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def found(library: Library, text: str, **options) -> list[str]:
    return [hit.path.name for hit in library.search(text, **options).hits]


def test_first_index_then_nothing_to_do(library: Library, photos: Path) -> None:
    assert counts(library.sync(photos)) == {"added": 4, "encoded": 4}
    assert counts(library.sync(photos)) == {"unchanged": 4}
    assert library.encoder.encoded == 4
    answer = library.search("red", top=2)
    assert [(hit.rank, hit.path, round(hit.score, 3)) for hit in answer.hits] == [
        (1, photos / "red.png", 1.0),
        (2, photos / "green.png", 0.0),  # ties in path order
    ]
    assert library.status(photos).is_well


def test_unchanged_files_are_not_opened(library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.sync(photos)
    opened = []
    plain_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: opened.append(self) or plain_open(self, *a, **k))
    library.sync(photos)
    assert [path for path in opened if path.is_relative_to(photos)] == []


def test_new_changed_and_deleted(library: Library, photos: Path) -> None:
    library.sync(photos)
    colour_image("cyan").save(photos / "cyan.png")
    colour_image("magenta").save(photos / "red.png")
    (photos / "green.png").unlink()
    health = library.status(photos)
    assert (health.indexed, health.new, health.changed, health.missing) == (2, 1, 1, 1)
    assert not health.is_well
    assert counts(library.sync(photos)) == {"unchanged": 2, "added": 1, "changed": 1, "removed": 1, "encoded": 2}
    assert found(library, "cyan", top=1) == ["cyan.png"]
    assert found(library, "magenta", top=1) == ["red.png"]
    assert "green.png" not in found(library, "green", top=9)


def test_moved_renamed_and_copied_files_are_not_encoded_again(library: Library, photos: Path) -> None:
    library.sync(photos)
    (photos / "new").mkdir()
    (photos / "red.png").rename(photos / "new/crimson.png")
    shutil.copy(photos / "green.png", photos / "new/green copy.png")
    health = library.status(photos)
    assert (health.moved, health.new, health.missing) == (1, 1, 0)
    assert counts(library.sync(photos)) == {"unchanged": 3, "moved": 1, "added": 1}
    assert library.encoder.encoded == 4
    assert found(library, "red", top=1) == ["crimson.png"]
    assert found(library, "green", top=2) == ["green.png", "green copy.png"]


def test_copies_within_one_run_are_encoded_once(library: Library, photos: Path) -> None:
    for i in range(30):
        shutil.copy(photos / "red.png", photos / f"red {i}.png")
    assert counts(library.sync(photos)) == {"added": 34, "encoded": 4}


def test_a_deleted_folder(library: Library, photos: Path) -> None:
    library.sync(photos)
    shutil.rmtree(photos / "holiday")
    assert counts(library.sync(photos)) == {"unchanged": 2, "removed": 2}
    assert found(library, "blue", top=9) == ["green.png", "red.png"]


def test_bad_files_are_skipped_with_a_reason_and_not_tried_again(library: Library, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (photos / "empty.png").touch()
    said = []
    report = library.sync(photos, progress=lambda state: said.append(state.latest))
    assert counts(report) == {"added": 4, "encoded": 4, "skipped": 2}
    assert {path.name for path, reason in filter(None, said) if reason} == {"broken.jpg", "empty.png"}
    assert counts(library.sync(photos)) == {"unchanged": 6}
    health = library.status(photos)
    assert health.is_well
    assert health.skip_count == 2
    assert {path.name for path, _ in health.skipped} == {"broken.jpg", "empty.png"}
    assert counts(library.sync(photos, retry_skipped=True)) == {"unchanged": 4, "skipped": 2}
    colour_image("black").save(photos / "broken.jpg")  # mended
    assert counts(library.sync(photos)) == {"unchanged": 5, "changed": 1, "encoded": 1}


def test_copies_of_an_unreadable_file_are_all_recorded(library: Library, photos: Path) -> None:
    for i in range(9):
        (photos / f"broken {i}.jpg").write_bytes(b"the same nonsense")
    assert counts(library.sync(photos)) == {"added": 4, "encoded": 4, "skipped": 9}
    assert library.status(photos).skip_count == 9


def test_interrupted_run_continues(library: Library, photos: Path) -> None:
    for i in range(40):
        colour_image("red", "blue", size=40 + i).save(photos / f"{i}.png")

    def interrupt(state) -> None:
        if state.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.sync(photos, progress=interrupt)
    done = library.encoder.encoded
    report = library.sync(photos)
    assert report.unchanged >= 19
    assert report.unchanged + report.added == 44
    assert library.encoder.encoded - done == report.encoded <= 25
    assert library.status(photos).is_well


def test_an_unmounted_disk_deletes_nothing(library: Library, photos: Path) -> None:
    library.sync(photos)
    away = photos.with_name("away")
    photos.rename(away)
    with pytest.raises(BadInput, match="not a folder"):
        library.sync(photos)
    assert library.status(photos).problems
    photos.mkdir()
    with pytest.raises(BadInput, match="mounted"):
        library.sync(photos)
    assert len(found(library, "red")) == 4
    assert counts(library.sync(photos, allow_empty=True)) == {"removed": 4}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_keeps_what_is_known(library: Library, photos: Path) -> None:
    library.sync(photos)
    (photos / "holiday").chmod(0)
    try:
        report = library.sync(photos)
    finally:
        (photos / "holiday").chmod(0o755)
    assert report.problems
    assert report.removed == 0


def test_file_names_that_are_not_utf8(library: Library, photos: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 \xff.png")
    try:
        colour_image("white").save(photos / odd)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    assert counts(library.sync(photos)) == {"added": 5, "encoded": 5}
    assert found(library, "white", top=1) == [odd]
    assert counts(library.sync(photos)) == {"unchanged": 5}
    assert library.status(photos).is_well


def test_a_second_writer_is_told_politely(library: Library, photos: Path) -> None:
    library.sync(photos)
    with Catalogue.open(create=True) as other, other.writing():
        with pytest.raises(CatalogueBusy, match="wait for it to end"):
            Library(ColourEncoder()).sync(photos)
        assert found(Library(ColourEncoder()), "red", top=1) == ["red.png"]  # readers do not wait


def test_a_folder_inside_an_indexed_one_is_synced_alone(library: Library, photos: Path) -> None:
    library.sync(photos)
    (photos / "red.png").unlink()
    colour_image("cyan").save(photos / "holiday/2021/cyan.png")
    (photos / "holiday/blue.png").unlink()
    assert counts(library.sync(photos / "holiday")) == {"unchanged": 1, "added": 1, "removed": 1, "encoded": 1}
    assert library.catalogue.roots() == [photos]
    assert library.status(photos).missing == 1


def test_a_folder_around_an_indexed_one_takes_it_in(library: Library, photos: Path) -> None:
    library.sync(photos / "holiday")
    assert counts(library.sync(photos)) == {"unchanged": 2, "added": 2, "encoded": 2}
    assert library.catalogue.roots() == [photos]
    assert library.status(photos).is_well


def test_names_that_sort_around_the_separator_are_told_apart(library: Library, photos: Path) -> None:
    for beside in ("holiday-2", "holiday.old", "holiday0"):
        (photos / beside).mkdir()
        colour_image("white", "black", size=len(beside) * 8).save(photos / beside / "x.png")
    library.sync(photos)
    shutil.rmtree(photos / "holiday/2021")
    assert counts(library.sync(photos / "holiday")) == {"unchanged": 1, "removed": 1}
    assert library.search("red", within=[photos / "holiday"], top=99).searched == 1


class OtherEncoder(ColourEncoder):
    name = "other"
    fingerprint = "other-1"


def test_another_encoder_is_an_error_or_goes_beside(library: Library, photos: Path) -> None:
    library.sync(photos)
    other = Library(OtherEncoder())
    for act in (lambda: other.sync(photos), lambda: other.search("red"), lambda: other.status(photos)):
        with pytest.raises(EncoderMismatch) as caught:
            act()
        for word in ("colours (colours-1)", "other (other-1)", "--beside"):
            assert word in str(caught.value)
    report = other.sync(photos, beside=True)
    assert counts(report) == {"encoded": 4}
    assert found(other, "red", top=1) == found(library, "red", top=1) == ["red.png"]
    colour_image("cyan").save(photos / "cyan.png")
    library.sync(photos)
    assert other.status(photos).unencoded == 1
    assert found(other, "cyan", top=9).count("cyan.png") == 0


def test_forget(library: Library, photos: Path) -> None:
    library.sync(photos / "holiday")
    colour_image("red").save(photos.parent / "red.png")
    with Catalogue.open(create=True) as catalogue, catalogue.writing():
        catalogue.forget(photos / "holiday")
        with pytest.raises(BadInput, match="not an indexed folder"):
            catalogue.forget(photos / "holiday")
        assert catalogue.db.execute("SELECT count(*) FROM contents").fetchone() == (0,)


def test_photo_folders_are_never_written_to(library: Library, photos: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    library.sync(photos)
    library.search("red")
    library.status(photos)
    assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before


class EachWaits(ColourEncoder):
    """Every second call ends only when the next has begun."""

    def __init__(self, calls: int) -> None:
        self.calls = itertools.count()
        self.begun = [threading.Event() for _ in range(calls)]
        self.in_time = True

    def encode_images(self, images):
        call = next(self.calls)
        self.begun[call].set()
        if call % 2 and self.in_time:
            self.in_time = self.begun[call + 1].wait(10)
        return super().encode_images(images)


def test_no_worker_stands_still_while_another_encodes(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(44):
        colour_image("red", size=20 + number).save(root / f"{number}.png")
    encoder = EachWaits(11)
    assert Library(encoder).sync(root, workers=2).encoded == 44
    assert encoder.in_time
