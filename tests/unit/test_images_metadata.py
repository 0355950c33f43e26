"""EXIF: dates, cameras, positions, and their many broken forms."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import piexif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin

from wordsight.images import PictureInfo, read
from wordsight.images.metadata import Metadata, from_exif, from_tiff

I, E = piexif.ImageIFD, piexif.ExifIFD  # noqa: E741
NORTH = {1: b"N", 2: ((48, 1), (51, 1), (2988, 100)), 3: b"E", 4: ((2, 1), (17, 1), (4020, 100))}


def info(zeroth: dict[int, Any] | None = None, exif: dict[int, Any] | None = None, gps: Any = None) -> PictureInfo:
    block = piexif.dump({"0th": zeroth or {}, "Exif": exif or {}, "GPS": gps or {}})
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "JPEG", exif=block)
    return read(file.getvalue()).info


def test_everything_at_once() -> None:
    found = info(
        {I.Make: b"Canon", I.Model: b"EOS R5", I.DateTime: b"2021:01:01 00:00:00"},
        {E.DateTimeOriginal: b"2020:02:29 12:34:56"},
        NORTH,
    )
    assert found.captured_at == datetime(2020, 2, 29, 12, 34, 56)
    assert found.camera == "Canon EOS R5"
    assert found.latitude == pytest.approx(48.8583, abs=1e-6)
    assert found.longitude == pytest.approx(2.294500, abs=1e-6)
    assert (found.width, found.height, found.format) == (8, 6, "JPEG")


def test_nothing_at_all() -> None:
    found = info()
    assert (found.captured_at, found.camera, found.latitude, found.longitude) == (None, None, None, None)


def test_dates_fall_back() -> None:
    assert info({I.DateTime: b"2001:01:01 01:01:01"}).captured_at == datetime(2001, 1, 1, 1, 1, 1)
    digitized = {E.DateTimeDigitized: b"2002:02:02 02:02:02", E.DateTimeOriginal: b"0000:00:00 00:00:00"}
    assert info({I.DateTime: b"2001:01:01 01:01:01"}, digitized).captured_at == datetime(2002, 2, 2, 2, 2, 2)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"2020-03-04T05:06:07+02:00", datetime(2020, 3, 4, 5, 6, 7)),
        (b"2020/3/4 5:06", datetime(2020, 3, 4, 5, 6)),
        (b"2020:03:04", datetime(2020, 3, 4)),
        (b"0000:00:00 00:00:00", None),
        (b"2020:13:01 00:00:00", None),
        (b"2020:02:30 00:00:00", None),
        (b"    :  :     :  :  ", None),
        (b"yesterday", None),
        (b"\xff\xfe\x00\x01", None),
        (b"", None),
    ],
)
def test_dates_as_they_are_written(written: bytes, expected: datetime | None) -> None:
    assert info(exif={E.DateTimeOriginal: written}).captured_at == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        (b"NIKON CORPORATION", b"NIKON D70", "NIKON D70"),
        (b"Canon", b"Canon EOS 5D", "Canon EOS 5D"),
        (b"Apple", b"iPhone 12", "Apple iPhone 12"),
        (b"SONY  \x00garbage", b" DSC-W1 ", "SONY DSC-W1"),
        (b"", b"X100", "X100"),
        (b"Leica", b"", "Leica"),
        (b"\x00\x00", b"  ", None),
        (b"A\nB", b"C\tD", "A B C D"),
    ],
)
def test_cameras(make: bytes, model: bytes, expected: str | None) -> None:
    assert info({I.Make: make, I.Model: model}).camera == expected


def test_a_name_is_never_endless() -> None:
    camera = info({I.Make: b"M" * 5000, I.Model: b"X" * 5000}).camera
    assert camera is not None
    assert len(camera) <= 201


def test_south_and_west_are_negative() -> None:
    found = info(gps={**NORTH, 1: b"S", 3: b"W"})
    assert found.latitude == pytest.approx(-48.8583, abs=1e-6)
    assert found.longitude == pytest.approx(-2.2945, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {2: ((91, 1), (0, 1), (0, 1))},
        {4: ((181, 1), (0, 1), (0, 1))},
        {2: ((48, 0), (0, 0), (0, 0))},
        {4: ((2, 1), (3, 0), (0, 1))},
        {1: b"X"},
        {3: b""},
        {2: ((0, 1),) * 3, 4: ((0, 1),) * 3},
    ],
)
def test_impossible_positions_are_none(change: dict[int, Any]) -> None:
    found = info(gps={**NORTH, **change})
    assert (found.latitude, found.longitude) == (None, None)


def test_a_missing_half_is_no_position() -> None:
    found = info(gps={1: NORTH[1], 2: NORTH[2]})
    assert (found.latitude, found.longitude) == (None, None)


def test_values_of_the_wrong_kind() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = 7
    exif[ExifTags.Base.Model] = b"bytes\0"
    exif[ExifTags.Base.Orientation] = "6"
    exif[ExifTags.Base.DateTime] = (1, 2, 3)
    assert from_exif(exif) == Metadata(camera="bytes")


def test_orientation_out_of_range_is_none() -> None:
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = value
        assert from_exif(exif).orientation is None


def test_tiff_layout() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[271], tags[272] = "Pentax", "K-1"
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "TIFF", tiffinfo=tags)
    assert from_tiff(file.getvalue()).camera == "Pentax K-1"
    assert from_tiff(b"not at all") == Metadata()


@given(st.binary(max_size=300))
def test_garbage_never_loses_the_picture(garbage: bytes) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + garbage)
    found = read(file.getvalue())
    assert {found.info.width, found.info.height} == {8}
