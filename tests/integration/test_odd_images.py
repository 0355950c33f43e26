"""The 231 awkward files of the development data go through: nothing crashes, hangs or warns."""

from __future__ import annotations

import csv
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ImageError
from wordsight.images import Picture, read

PER_FILE, ALTOGETHER = 5.0, 60.0
"""Seconds. The slowest takes 0.6 and all take 4 on a quiet machine."""

BETTER_THAN_PILLOW_ALONE = {
    "exif_samples__heic__mobile__HMD_Nokia_8.3_5G_hdr.heif",  # with the extra "heic"
    "pillow_tests__avif__hopper.heif",
    "pillow_tests__negative_layer_count.psd",  # its layers cannot be counted, its picture can be shown
}


@pytest.fixture(scope="module")
def index(data: Path) -> list[dict[str, str]]:
    folder = data / "odd_images"
    if not (folder / "index.csv").is_file():
        pytest.skip(f"no odd images at {folder}")
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outcome(path: Path, side: int | None) -> Picture | str:
    try:
        return read(path.read_bytes(), side=side)
    except ImageError as error:
        return error.reason


@pytest.mark.parametrize("side", [None, 32, 224])
def test_all_go_through(
    data: Path, index: list[dict[str, str]], side: int | None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(index) >= 231
    begin = time.perf_counter()
    for row in index:
        start = time.perf_counter()
        found = outcome(data / "odd_images" / row["path"], side)
        assert time.perf_counter() - start < PER_FILE, row["path"]
        should = not row["pillow_status"].startswith("FAIL")
        if isinstance(found, str):
            assert not should, f"{row['path']}: {found}"
            assert found
            assert "\n" not in found
        else:
            assert should or row["path"] in BETTER_THAN_PILLOW_ALONE, row["path"]
            assert found.image.mode == "RGB"
            if row["size"] and row["exif_orientation"] in ("", "1"):
                assert f"{found.info.width}x{found.info.height}" == row["size"], row["path"]
    assert time.perf_counter() - begin < ALTOGETHER
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_no_warnings(data: Path, index: list[dict[str, str]]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for row in index:
            outcome(data / "odd_images" / row["path"], 64)
    assert [str(warning.message) for warning in heard] == []


@pytest.mark.parametrize("side", [None, 32])
def test_orientations_are_one_picture(data: Path, index: list[dict[str, str]], side: int | None) -> None:
    """The samples' portraits and landscapes: each orientation shows the same scene, upright."""
    for family in ("exif_samples__jpg__orientation__portrait", "exif_samples__jpg__orientation__landscape",
                   "pillow_tests__hopper_orientation"):  # fmt: skip
        paths = [data / "odd_images" / row["path"] for row in index if row["path"].startswith(f"{family}_")]
        pictures = [picture for path in paths if isinstance(picture := outcome(path, side), Picture)]
        assert len(pictures) == len(paths) >= 2, family
        assert len({(picture.info.width, picture.info.height) for picture in pictures}) == 1, family
        first, *others = [
            np.asarray(picture.image.resize((64, 64), Image.Resampling.BICUBIC), float) for picture in pictures
        ]
        for other in others:
            assert np.abs(first - other).mean() < 6, family
