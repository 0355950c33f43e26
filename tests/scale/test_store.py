"""A store filled on threads: what it holds, how it is searched, and what happens to it when things go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from faults.cluster import check, picture
from wordsight.errors import BadInput, EncoderMismatch, StoreError
from wordsight.library import Filters, Library
from wordsight.scale.items import Known, Outcome
from wordsight.scale.job import fill
from wordsight.scale.rows import Header, from_text, to_text
from wordsight.scale.runners import LocalRunner
from wordsight.scale.search import StoreLibrary
from wordsight.scale.store import Store
from wordsight.testing import COLOURS, ColourEncoder, colour_image

ROOT = Path(__file__).parents[2]


def filled(photos: Path, url: Path, encoder: ColourEncoder, **options):
    return fill(str(url), [str(photos)], encoder, LocalRunner(encoder, 2), **options)


def test_every_photo_once_and_every_other_file_with_its_reason(photos: Path, tmp_path: Path, encoder) -> None:
    report = filled(photos, tmp_path / "s", encoder)
    assert (report.added, report.skipped, report.unchanged) == (14, 2, 0)
    store = Store.open(str(tmp_path / "s"))
    held = sorted(record.address for batch in store.records() for record in batch)
    listed = sorted(str(p) for p in photos.rglob("*") if p.is_file() and p.name not in ("broken.jpg", "empty.png"))
    assert held == listed
    skipped = {Path(address).name: reason for address, _, reason, _ in store.skipped()}
    assert skipped.keys() == {"broken.jpg", "empty.png"}
    assert skipped["empty.png"] == "empty file"
    again = filled(photos, tmp_path / "s", encoder)
    assert (again.added, again.skipped, again.unchanged) == (0, 0, 16)
    retried = filled(photos, tmp_path / "s", encoder, retry_skipped=True)
    assert (retried.added, retried.skipped, retried.unchanged) == (0, 2, 14)


def test_known_content_is_not_encoded_again_and_changed_files_are_replaced(photos: Path, tmp_path, encoder) -> None:
    filled(photos, tmp_path / "s", encoder)
    (photos / "dated.jpg").rename(photos / "moved.jpg")
    colour_image("white", size=77).save(photos / "a copy.png")
    (photos / "trip" / "empty.png").write_bytes((photos / "a copy.png").read_bytes())
    report = filled(photos, tmp_path / "s", encoder)
    assert (report.added, report.encoded) == (3, 2)
    store = Store.open(str(tmp_path / "s"))
    rows = {Path(r.address).name: r for batch in store.records() for r in batch}
    assert rows["moved.jpg"].sha256 == rows["dated.jpg"].sha256
    assert rows["moved.jpg"].vector.tobytes() == rows["dated.jpg"].vector.tobytes()
    assert rows["moved.jpg"].info == rows["dated.jpg"].info
    assert [Path(address).name for address, *_ in store.skipped()] == ["broken.jpg"]
    (photos / "a copy.png").write_bytes(b"damaged now")
    filled(photos, tmp_path / "s", encoder)
    store.refresh()
    assert "a copy.png" not in {Path(r.address).name for batch in store.records() for r in batch}


def test_a_store_answers_as_the_catalogue_does(photos: Path, tmp_path: Path, encoder) -> None:
    filled(photos, tmp_path / "s", encoder)
    filters = [
        Filters(),
        Filters(under=(photos / "trip",)),
        Filters(types=("jpg",)),
        Filters(since=datetime(2021, 6, 15), until=datetime(2021, 6, 16)),
        Filters(camera="pixel 'o'"),
        Filters(min_side=35, max_bytes=200),
        Filters(min_bytes=10**6),
    ]
    with Library(encoder, tmp_path / "c") as library, StoreLibrary(encoder, str(tmp_path / "s")) as store:
        library.sync(photos)
        for query in ("red", "green + blue", "red - green"):
            for one in filters:
                want, got = (each.search(query, top=9, filters=one) for each in (library, store))
                assert got.searched == len({hit.path for hit in store.search(query, top=99, filters=one).hits})
                assert [(str(h.path), round(h.score, 5)) for h in got.hits] == [
                    (str(h.path), round(h.score, 5)) for h in want.hits
                ]
                for a, b in zip(got.hits, want.hits, strict=True):
                    assert (a.sha256, a.bytes, a.width, a.height, a.format, a.captured_at, a.camera) == (
                        *(b.sha256, b.bytes, b.width, b.height, b.format, b.captured_at, b.camera),
                    )
        digits = want.hits[0].sha256[:12] if want.hits else library.search("red").hits[0].sha256[:12]
        np.testing.assert_array_equal(store.content_vector(digits), library.content_vector(digits))
        with pytest.raises(BadInput, match="no picture"):
            store.content_vector("00000000")
        pages = store.search("red", top=5).hits
        from wordsight.library.search import Place

        rest = store.search("red", top=99, after=Place(5, pages[-1].score, str(pages[-1].path))).hits
        assert [hit.rank for hit in rest] == list(range(6, 15))
        assert not {hit.path for hit in rest} & {hit.path for hit in pages}


def test_another_encoder_and_places_without_a_store_are_refused(photos: Path, tmp_path: Path, encoder) -> None:
    with pytest.raises(StoreError, match="no store"):
        StoreLibrary(encoder, str(tmp_path / "s"))
    filled(photos, tmp_path / "s", encoder)
    other = ColourEncoder()
    other.fingerprint = "another"
    with pytest.raises(EncoderMismatch, match="another --store"):
        filled(photos, tmp_path / "s", other)
    import lance
    import pyarrow as pa

    lance.write_dataset(pa.table({"id": [1]}), str(tmp_path / "foreign" / "photos.lance"))
    with pytest.raises(StoreError, match="no store of wordsight's"):
        StoreLibrary(encoder, str(tmp_path / "foreign"))


def test_sources_that_are_not_there(tmp_path: Path, encoder) -> None:
    for source in ("nowhere", "nowhere.tar", "nowhere.csv", "nowhere.parquet", "gopher://x/y"):
        with pytest.raises(BadInput, match=r"nowhere|gopher"):
            fill(str(tmp_path / "s"), [source], encoder, LocalRunner(encoder, 1))


def test_a_full_disk_loses_nothing_that_was_committed(photos: Path, tmp_path: Path, encoder) -> None:
    resource = pytest.importorskip("resource", reason="this system limits no file sizes")
    filled(photos, tmp_path / "s", encoder)
    colour_image("black", size=99).save(photos / "new.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # bytes: no file can be written to its end
    try:
        with pytest.raises(StoreError, match="committed before is kept"):
            filled(photos, tmp_path / "s", encoder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(Store.open(str(tmp_path / "s"))) == 14
    filled(photos, tmp_path / "s", encoder)
    assert len(Store.open(str(tmp_path / "s"))) == 15


def test_a_job_that_is_killed_goes_on(tmp_path: Path, encoder) -> None:
    """The driver is killed with signal 9 when something is committed; the next one reads only the rest."""
    folder, url = tmp_path / "many", str(tmp_path / "s")
    folder.mkdir()
    for number in range(600):
        (folder / f"{number}.jpg").write_bytes(picture(number))
    hasty = [sys.executable, "-m", "faults.hasty", "0.05", sys.executable, "-m", "wordsight", "index", str(folder)]
    words = [*hasty, "--store", url, "--encoder", "colours", "--workers", "1"]
    process = subprocess.Popen(words, cwd=ROOT)
    while process.poll() is None:
        with suppress(StoreError):
            if len(Store.open(url)):
                break
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = len(Store.open(url))
    assert before
    report = fill(url, [str(folder)], encoder, LocalRunner(encoder, 2))
    assert (report.unchanged, report.added) == (before, 600 - before)
    check(url, {str(path) for path in folder.iterdir()}, set())


def test_rows_sent_twice_are_there_once(photos: Path, tmp_path: Path, encoder) -> None:
    store = Store.ensure(str(tmp_path / "s"), Header.of(encoder))
    outcomes: list[Outcome] = []
    from wordsight.scale.sources import tasks
    from wordsight.scale.work import Worker

    for task in tasks([str(photos)], Known.nothing()):
        outcomes += Worker(encoder).work(task, Known.nothing()).outcomes
    other = Store.open(str(tmp_path / "s"))
    store.commit(outcomes)
    other.commit(outcomes[::-1] * 2)  # begun before the first was committed
    store.refresh()
    assert len(store) == 14
    assert store.problems.count() == 2


def test_tidy_leaves_the_files_of_the_newest_version_alone(photos: Path, tmp_path: Path, encoder) -> None:
    for colour in list(COLOURS)[:4]:
        filled(photos, tmp_path / "s", encoder)
        colour_image(colour, "black").save(photos / f"more {colour}.png")
    store = Store.open(str(tmp_path / "s"))
    orphan = tmp_path / "s" / "photos.lance" / "data" / "0000.lance"
    shutil.copy(next((tmp_path / "s" / "photos.lance" / "data").iterdir()), orphan)
    count = len(store)
    store.tidy()
    named = {Path(f.path).name for frag in store.photos.dataset.get_fragments() for f in frag.data_files()}
    assert {file.name for file in (tmp_path / "s" / "photos.lance" / "data").iterdir()} == named
    assert len(Store.open(str(tmp_path / "s"))) == count


def test_names_that_are_not_text_survive() -> None:
    for name in ("plain", "ünï", os.fsdecode(b"odd \xff\x80 name"), "日本"):
        assert from_text(to_text(name)) == name
        to_text(name).encode()


def test_known_contents_end_in_zeros_too() -> None:
    digests = [bytes(32), b"\x01" + bytes(31), b"\xff" * 32]
    known = Known(np.empty(0, np.int64), np.empty(0, np.int64), np.unique(np.asarray(digests, "S32")))
    assert all(known.has_content(digest) for digest in digests)
    assert not known.has_content(b"\x02" + bytes(31))
