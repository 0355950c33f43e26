"""RAW files: recognised by content, preview or development, turned upright."""

from __future__ import annotations

import builtins
import io
import struct

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import ImageError
from wordsight.images import read
from wordsight.images.raw import is_raw

WIDTH, HEIGHT = 256, 192


def dng(flip: int = 1, preview: bytes = b"") -> bytes:
    """A minimal uncompressed DNG: an RGGB mosaic, red on the left and blue on the right half, with a JPEG preview."""
    mosaic = np.full((HEIGHT, WIDTH), 2000, "<u2")
    mosaic[0::2, 0 : WIDTH // 2 : 2] = 60000
    mosaic[1::2, WIDTH // 2 + 1 :: 2] = 60000
    pixels = mosaic.tobytes()
    identity = struct.pack("<18l", *(value for i in range(9) for value in (int(i % 4 == 0), 1)))
    neutral = struct.pack("<6L", 1, 1, 1, 1, 1, 1)
    sensor = [
        (254, 4, 1, 0), (256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803),
        (273, 4, 1, b"PIX"), (277, 3, 1, 1), (278, 4, 1, HEIGHT), (279, 4, 1, len(pixels)),
        (33421, 3, 2, struct.pack("<HH", 2, 2)), (33422, 1, 4, bytes([0, 1, 1, 2])), (50717, 4, 1, 65535),
    ]  # fmt: skip
    common = [
        (271, 2, 5, b"Acme\0"), (272, 2, 7, b"Acme 1\0"), (274, 3, 1, flip), (306, 2, 20, b"2019:05:06 07:08:09\0"),
        (50706, 1, 4, bytes([1, 4, 0, 0])), (50721, 10, 9, identity), (50728, 5, 3, neutral), (50778, 3, 1, 21),
    ]  # fmt: skip
    if not preview:
        return tiff([sorted(sensor + common)], {b"PIX": pixels})
    with Image.open(io.BytesIO(preview)) as image:
        width, height = image.size
    first = [
        (254, 4, 1, 1), (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 6),
        (273, 4, 1, b"JPG"), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(preview)), (330, 4, 1, b"SUB"),
    ]  # fmt: skip
    return tiff([sorted(first + common), sensor], {b"PIX": pixels, b"JPG": preview})


def tiff(directories: list[list[tuple[int, int, int, int | bytes]]], blobs: dict[bytes, bytes]) -> bytes:
    """Lay out directories and blobs; a value that names a blob, or b"SUB", becomes its offset."""
    starts, at = [], 8
    for entries in directories:
        starts.append(at)
        at += 6 + 12 * len(entries)
    offsets = {b"SUB": starts[-1]}
    tail = b""
    for name, blob in blobs.items():
        offsets[name] = at + len(tail)
        tail += blob
    out = b"II*\0" + struct.pack("<L", 8)
    for entries in directories:
        out += struct.pack("<H", len(entries))
        for tag, kind, count, value in entries:
            if isinstance(value, bytes) and value in offsets:
                value = offsets[value]
            if isinstance(value, bytes) and len(value) > 4:
                offset = at + len(tail)
                tail += value + b"\0" * (len(value) % 2)
                value = offset
            packed = value if isinstance(value, bytes) else struct.pack("<L", value)
            out += struct.pack("<HHL", tag, kind, count) + packed.ljust(4, b"\0")
        out += struct.pack("<L", 0)
    return out + tail


def jpeg(size: tuple[int, int]) -> bytes:
    image = Image.new("RGB", size, (0, 200, 0))
    image.paste((200, 0, 200), (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def colour(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    value = image.getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(value, tuple)
    return value


def test_develops_where_there_is_no_preview() -> None:
    pytest.importorskip("rawpy")
    found = read(dng())
    assert found.info.format == "RAW"
    assert (found.info.width, found.info.height) == found.image.size == (WIDTH, HEIGHT)
    assert found.info.camera == "Acme 1"
    assert found.info.captured_at is not None
    assert found.info.captured_at.year == 2019
    left, right = colour(found.image, 0.2, 0.5), colour(found.image, 0.8, 0.5)
    assert left[0] > left[2]
    assert right[2] > right[0]


def test_develops_small_where_that_is_enough() -> None:
    pytest.importorskip("rawpy")
    found = read(dng(), side=40)
    assert (found.info.width, found.info.height) == (WIDTH, HEIGHT)
    assert 80 <= min(found.image.size) < HEIGHT


@pytest.mark.parametrize(("flip", "end"), [(1, (0.1, 0.5)), (6, (0.5, 0.1)), (8, (0.5, 0.9)), (3, (0.9, 0.5))])
@pytest.mark.parametrize("with_preview", [False, True])
def test_is_turned_upright(flip: int, end: tuple[float, float], with_preview: bool) -> None:
    pytest.importorskip("rawpy")
    found = read(dng(flip, jpeg((WIDTH, HEIGHT)) if with_preview else b""))
    assert (
        found.image.size == (found.info.width, found.info.height) == ((WIDTH, HEIGHT) if flip < 5 else (HEIGHT, WIDTH))
    )
    red, green, blue = colour(found.image, *end)
    assert red > green  # the end that was on the left
    assert (blue > 100) == with_preview


def test_a_preview_that_is_too_small_is_not_used() -> None:
    pytest.importorskip("rawpy")
    data = dng(preview=jpeg((64, 48)))
    assert colour(read(data, side=20).image, 0.2, 0.5)[2] > 100  # the preview's purple
    developed = read(data, side=60).image
    assert colour(developed, 0.2, 0.5)[2] < colour(developed, 0.2, 0.5)[0] // 2
    assert min(developed.size) >= 120


def test_is_recognised_by_content() -> None:
    assert is_raw(dng())
    assert is_raw(dng(preview=jpeg((64, 48))))
    assert is_raw(b"FUJIFILMCCD-RAW 0201")
    assert is_raw(b"\0\0\0\x18ftypcrx ")
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF")
    assert not is_raw(file.getvalue())
    assert not is_raw(jpeg((8, 8)))
    assert not is_raw(b"II*\0\xff\xff\xff\xff")


def test_damaged_files_are_refused() -> None:
    pytest.importorskip("rawpy")
    for data in (dng()[:300], b"FUJIFILMCCD-RAW 0201" + b"\0" * 500, dng()[:20_000]):
        with pytest.raises(ImageError):
            read(data)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_rawpy(name: str, *args: object, **kwargs: object) -> object:
        if name == "rawpy":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_rawpy)
    with pytest.raises(ImageError, match=r'RAW needs an optional part: pip install "wordsight\[raw\]"'):
        read(dng())
