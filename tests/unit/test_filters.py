"""Filters: dates and sizes as people write them, and the SQL against a plain Python predicate."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordsight.errors import BadInput
from wordsight.library.filters import Filters, parse_size, parse_when

NOW = datetime(2024, 3, 31, 15, 30, 45, 123)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2021", "2021-01-01", "2022-01-01"),
        ("2021-06", "2021-06-01", "2021-07-01"),
        ("2021-12", "2021-12-01", "2022-01-01"),
        ("2020-2", "2020-02-01", "2020-03-01"),
        (" 2021-06-15 ", "2021-06-15", "2021-06-16"),
        ("2021-06-15T12:30", "2021-06-15T12:30", "2021-06-15T12:31"),
        ("2021-06-15 12:30:59", "2021-06-15T12:30:59", "2021-06-15T12:31:00"),
        ("2021-06-15T12:30:59.75", "2021-06-15T12:30:59", "2021-06-15T12:31:00"),
        ("today", "2024-03-31", "2024-04-01"),
        ("Yesterday", "2024-03-30", "2024-03-31"),
        ("2h", "2024-03-31T13:30:45", "2024-03-31T13:30:46"),
        ("30d", "2024-03-01", "2024-03-02"),
        ("2w ago", "2024-03-17", "2024-03-18"),
        ("1m", "2024-02-29", "2024-03-01"),
        ("3m", "2023-12-31", "2024-01-01"),
        ("1y", "2023-03-31", "2023-04-01"),
        ("9999", "9999-01-01", "9999-12-31T23:59:59"),
        ("9999-12", "9999-12-01", "9999-12-31T23:59:59"),
        ("9999-12-31", "9999-12-31", "9999-12-31T23:59:59"),
    ],
)
def test_dates_name_periods(text: str, start: str, end: str) -> None:
    assert parse_when(text, now=NOW) == datetime.fromisoformat(start)
    assert parse_when(text, end=True, now=NOW) == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a date"),
        ("soon", "expected a date, got 'soon'.*write 2021"),
        ("2021-13", "month"),
        ("2021-02-30", "day"),
        ("0000", "no date"),
        ("999999d", "no date"),
        ("9999y", "no date"),
        ("2021-06-15T25:00", "hour"),
        ("2021-06-15T12:30Z", "leave the zone out"),
        ("2021-06-15T12:30+02:00", "leave the zone out"),
        ("\uff12\uff10\uff12\uff11", "expected a date"),
    ],
)
def test_what_is_no_date(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_when(text, now=NOW)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("500b", 500),
        ("20kB", 20_000),
        ("1.5 MB", 1_500_000),
        ("2m", 2_000_000),
        ("2MiB", 2 * 1024**2),
        ("1Ki", 1024),
        (".5g", 500_000_000),
        ("1TiB", 1024**4),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "2XB", "1e3", "ib", "5ib", "99999999999T", "1_000"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(BadInput, match="size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"since": "2022", "until": "2021"}, "no photo can be taken from 2022-01-01.*before 2022-01-01.*widen"),
        ({"since": "2021-06-16", "until": "2021-06-15"}, "no photo"),
        ({"min_size": "2MB", "max_size": "1MB"}, "at least 2000000 and at most 1000000"),
        ({"min_side": -1}, "min_side"),
        ({"min_side": 2**63}, "min_side"),
        ({"types": ["j*g"]}, "file types"),
        ({"types": ["jpgg"]}, "file types such as jpg.*'jpgg'"),
    ],
)
def test_contradictions(words: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Filters.read(**words)  # type: ignore[arg-type]


def test_values_out_of_range() -> None:
    with pytest.raises(BadInput, match="without zone"):
        Filters(since=datetime.fromisoformat("2021-01-01T00:00+00:00"))
    with pytest.raises(BadInput, match="absolute"):
        Filters(under=(Path("photos"),))


def test_what_a_command_line_spells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    filters = Filters.read(since="2021", until="2021", under=["a/../b", "~/c"], camera="", types=[".jpg, png", "heic"])
    assert filters == Filters(
        since=datetime(2021, 1, 1),
        until=datetime(2022, 1, 1),
        under=(tmp_path / "b", tmp_path / "home" / "c"),
        types=(".jpg", "png", "heic"),
    )
    assert not filters.is_empty
    assert filters.where()[1][-4:] == ["heif", "jpeg", "mpo", "png"]
    assert "taken before 2022-01-01" in filters.describe()


def test_file_types_go_by_the_names_of_the_catalogue() -> None:
    assert Filters(types=("JPG",)).where()[1] == ["jpeg", "mpo"]
    assert Filters(types=(".nef", "dng")).where()[1] == ["raw"]
    assert Filters(types=("jp2", "pgm", "avif")).where()[1] == ["avif", "jpeg2000", "ppm"]


def test_no_filters_let_everything_pass() -> None:
    assert Filters.read().is_empty
    assert Filters().where() == ("1", [])
    assert Filters().describe() == ""


class Photo(NamedTuple):
    folder: str
    bytes: int
    captured_at: datetime | None
    camera: str | None
    format: str
    width: int
    height: int


def ask(photos: list[Photo], filters: Filters) -> list[bool]:
    """Let SQLite decide."""
    base = sqlite3.connect(":memory:")
    try:
        base.executescript(
            "CREATE TABLE folders (id INTEGER PRIMARY KEY, path TEXT);"
            "CREATE TABLE files (id INTEGER PRIMARY KEY, folder_id INTEGER, bytes INTEGER);"
            "CREATE TABLE contents (id INTEGER PRIMARY KEY, captured_at TEXT, camera TEXT, format TEXT,"
            " width INTEGER, height INTEGER)"
        )
        for row, photo in enumerate(photos):
            # Names that are not UTF-8 are stored like this: text whose bytes are those of the name.
            base.execute("INSERT INTO folders VALUES (?, CAST(? AS TEXT))", (row, os.fsencode(photo.folder)))
            base.execute("INSERT INTO files VALUES (?, ?, ?)", (row, row, photo.bytes))
            when = photo.captured_at and photo.captured_at.isoformat(timespec="seconds")
            values = (row, when, photo.camera, photo.format, photo.width, photo.height)
            base.execute("INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?)", values)
        condition, bound = filters.where()
        found = base.execute(
            "SELECT f.id FROM files f JOIN folders d ON d.id = f.folder_id JOIN contents c ON c.id = f.id "
            f"WHERE {condition} AND 1",
            bound,
        )
        kept = {row for (row,) in found}
    finally:
        base.close()
    return [row in kept for row in range(len(photos))]


def passes(photo: Photo, filters: Filters) -> bool:
    """Decide in plain Python."""
    names = {"jpg": {"jpeg", "mpo"}, "jpeg": {"jpeg", "mpo"}, "tif": {"tiff"}}
    taken = photo.captured_at
    return (
        (filters.since is None or (taken is not None and taken >= filters.since))
        and (filters.until is None or (taken is not None and taken < filters.until))
        and (not filters.under or any(Path(photo.folder).is_relative_to(folder) for folder in filters.under))
        and (
            filters.camera is None
            or (filters.camera.lower() in (photo.camera or "").lower() and photo.camera is not None)
        )
        and (not filters.types or any(photo.format in names.get(t.lower(), {t.lower()}) for t in filters.types))
        and (filters.min_bytes is None or photo.bytes >= filters.min_bytes)
        and (filters.max_bytes is None or photo.bytes <= filters.max_bytes)
        and (filters.min_side is None or min(photo.width, photo.height) >= filters.min_side)
    )


FOLDERS = st.lists(st.sampled_from(["a", "A", "a b", "a%", "a_", "a0", "a-", "é", "\udce9", "*"]), max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
TIMES = st.datetimes(datetime(2020, 12, 31), datetime(2021, 1, 2)).map(lambda t: t.replace(microsecond=0))
CAMERAS = st.sampled_from(["Canon EOS", "canon", "NIKON D3", "100% Cam_1", "C"])
SIZES = st.integers(0, 6)
PHOTOS = st.builds(
    Photo,
    FOLDERS,
    SIZES,
    st.none() | TIMES,
    st.none() | CAMERAS,
    st.sampled_from(["jpeg", "mpo", "png", "tiff"]),
    SIZES,
    SIZES,
)


@st.composite
def all_filters(draw: st.DrawFn) -> Filters:
    since = draw(st.none() | st.datetimes(datetime(2020, 12, 31), datetime(2021, 1, 2)))
    length = draw(st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=2)))
    low = draw(st.none() | SIZES)
    return Filters(
        since=since,
        until=None if length is None else (since or datetime(2021, 1, 1)) + length,
        under=tuple(Path(folder) for folder in draw(st.lists(FOLDERS, max_size=2))),
        camera=draw(st.none() | st.sampled_from(["canon", "CANON", "%", "_", "cam_", "D3", "\udce9"])),
        types=tuple(draw(st.lists(st.sampled_from(["jpg", "JPEG", "png", "tif"]), max_size=2))),
        min_bytes=low,
        max_bytes=draw(st.none() | st.integers(low or 0, 6)),
        min_side=draw(st.none() | SIZES),
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(PHOTOS, max_size=12), all_filters())
def test_the_condition_agrees_with_plain_python(photos: list[Photo], filters: Filters) -> None:
    assert ask(photos, filters) == [passes(photo, filters) for photo in photos]


@settings(max_examples=200, deadline=None)
@given(st.lists(FOLDERS, min_size=1, max_size=20), FOLDERS)
def test_folders_hold_what_lies_below_them(folders: list[str], under: str) -> None:
    photos = [Photo(folder, 1, None, None, "png", 1, 1) for folder in folders]
    filters = Filters(under=(Path(under),))
    assert ask(photos, filters) == [passes(photo, filters) for photo in photos]


def test_photos_without_a_date_do_not_pass_date_filters() -> None:
    dated, undated = (Photo("/p", 1, when, None, "png", 1, 1) for when in (datetime(2021, 6, 1), None))
    assert ask([dated, undated], Filters.read(since="2021")) == [True, False]
    assert ask([dated, undated], Filters.read(until="2021")) == [True, False]
    assert ask([dated, undated], Filters.read(until="2021-05-31")) == [False, False]
