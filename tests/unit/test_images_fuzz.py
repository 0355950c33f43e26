"""Whatever the bytes are, a picture comes out or an ImageError does, and soon."""

from __future__ import annotations

import io
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.errors import ImageError
from wordsight.images import read

KINDS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "TIFF",
    "TIFF-JPEG",
    "WEBP",
    "AVIF",
    "JPEG2000",
    "PPM",
    "TGA",
    "ICO",
    "PCX",
    "SGI",
)
calm = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIGNATURES = (
    b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"MM\0*", b"GIF89a", b"BM", b"8BPS\0\1",
    b"P3 ", b"P6 ", b"RIFF\0\0\0\0WEBP", b"qoif", b"DDS ", b"/* XPM */", b"\0\0\1\0\1\0", b"icns",
    b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic", b"SIMPLE  =", b"FUJIFILMCCD-RAW ",
)  # fmt: skip


@cache
def small(kind: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "camera"
    file = io.BytesIO()
    name, _, compression = kind.partition("-")
    options = {"compression": compression.lower()} if compression else {}
    if name in ("JPEG", "PNG", "WEBP", "AVIF"):
        options["exif"] = exif  # type: ignore[assignment]
    Image.fromarray(pixels).save(file, name, **options)
    return file.getvalue()


def read_or_refuse(data: bytes) -> None:
    start = time.thread_time()
    for side in (None, 4):
        try:
            picture = read(data, side=side)
        except ImageError as error:
            reason = error.reason
        else:
            reason = "none"
            assert picture.image.mode == "RGB"
            assert picture.info.width > 0
        assert reason
        assert "\n" not in reason
    assert time.thread_time() - start < 10


@calm
@given(st.sampled_from(SIGNATURES), st.binary(max_size=400))
def test_random_bytes(signature: bytes, rest: bytes) -> None:
    read_or_refuse(signature + rest)


@pytest.mark.parametrize("kind", KINDS)
@settings(calm, max_examples=10)
@given(cut=st.floats(0, 1))
def test_truncations(kind: str, cut: float) -> None:
    data = small(kind)
    read_or_refuse(data[: int(len(data) * cut)])


@pytest.mark.parametrize("kind", KINDS)
@settings(calm, max_examples=16)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes(kind: str, changes: list[tuple[float, int]]) -> None:
    data = bytearray(small(kind))
    for place, value in changes:
        data[int(len(data) * place**2)] = value  # the square: more of them in the header
    read_or_refuse(bytes(data))
