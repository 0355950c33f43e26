"""Decoding: upright, scaled, limited, and with errors that a user understands."""

from __future__ import annotations

import builtins
import io
import os
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wordsight.errors import ImageError
from wordsight.images import PIXEL_LIMIT, decode, open_image, plugins, read
from wordsight.images.quiet import quiet

TRANSPOSED = {
    1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4,
}  # fmt: skip
"""EXIF orientation -> the (self-inverse or opposite) Image.Transpose that stores an upright picture that way."""


def photo(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """A picture with edges, smooth parts and some noise, as photos have."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8))
    image = coarse.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for number in range(12):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        draw.ellipse((x, y, x + width // 6, y + height // 9), fill=tuple(map(int, rng.integers(0, 255, 3))))
        draw.line((x, y, (x * 7) % width, (y * 5) % height), fill=(number * 20, 0, 0), width=max(1, width // 300))
    noisy = np.asarray(image, np.int16) + rng.integers(-6, 7, (height, width, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """Return the picture as a camera stores it that was held that way, and the EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    method = TRANSPOSED[orientation]
    return image if method is None else image.transpose(Image.Transpose(method)), exif


def mean_difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF-LZW", "WEBP", "JPEG", "AVIF", "HEIF"])
def test_orientation_is_applied_once(kind: str, orientation: int) -> None:
    image = photo(160, 120)
    stored, exif = turned(image, orientation)
    options: dict[str, object] = {"exif": exif}
    if kind == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        file = io.BytesIO()
        pillow_heif.from_pillow(stored).save(file, quality=95, exif=exif.tobytes())
        data = file.getvalue()
    else:
        if kind == "TIFF-LZW":
            kind, options["compression"] = "TIFF", "tiff_lzw"
        options |= {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
        data = saved(stored, kind, **options)
    found = read(data)
    assert found.image.size == (found.info.width, found.info.height) == (160, 120)
    assert mean_difference(found.image, image) < (6 if kind in ("JPEG", "AVIF", "HEIF") else 0.01)
    shrunk = read(data, side=30)
    assert (shrunk.info.width, shrunk.info.height) == (160, 120)
    assert mean_difference(shrunk.image, image.resize(shrunk.image.size, Image.Resampling.BOX)) < 6


def test_the_picture_is_plain_and_carries_nothing() -> None:
    _, exif = turned(photo(), 1)
    found = read(saved(photo(), exif=exif, comment=b"x" * 1000)).image
    assert type(found) is Image.Image
    assert found.info == {}


@pytest.mark.parametrize(
    ("size", "side"), [((1600, 1200), 64), ((900, 1400), 100), ((640, 480), 224), ((2000, 300), 64)]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "JPEG2000"])
def test_shrinking_leaves_a_following_resize_intact(kind: str, size: tuple[int, int], side: int) -> None:
    data = saved(photo(*size), kind, **({"quality": 90} if kind == "JPEG" else {}))
    full, scaled = read(data), read(data, side=side)
    assert full.info == scaled.info
    assert min(scaled.image.size) >= min(2 * side, *size)
    assert scaled.image.size[0] <= size[0]
    target = (side, side)
    wanted = np.asarray(full.image.resize(target, Image.Resampling.BICUBIC), float) - 128
    got = np.asarray(scaled.image.resize(target, Image.Resampling.BICUBIC), float) - 128
    cosine = (wanted * got).sum() / np.sqrt((wanted**2).sum() * (got**2).sum())
    assert cosine > 0.998
    assert np.abs(wanted - got).mean() < 3


def test_large_jpegs_are_decoded_small() -> None:
    assert read(saved(photo(1600, 1200)), side=64).image.size == (200, 150)
    assert read(saved(photo(100, 80)), side=500).image.size == (100, 80)


def test_jpeg_2000_with_a_single_resolution() -> None:
    data = saved(photo(800, 600), "JPEG2000", num_resolutions=1)
    found = read(data, side=50)
    assert (found.info.width, found.info.height) == (800, 600)
    assert min(found.image.size) >= 100


@pytest.mark.parametrize("side", [0, -1])
def test_side_must_be_positive(side: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        read(saved(photo()), side=side)


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(saved(photo(40, 40), "PNG"))
    assert open_image(path).size == (40, 40)
    assert open_image(path, side=5).size == (10, 10)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html><body>not found</body></html>", "not a picture Pillow can read"),
        (b"\0" * 1000, "not a picture Pillow can read"),
        (b"\xff\xd8\xff", ""),
        (b"%PDF-1.7\n" + b"x" * 200, "not a picture Pillow can read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not a picture Pillow can read"),
    ],
)
def test_what_is_no_picture(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(data)
    assert caught.value.reason.startswith(reason)
    assert "\n" not in caught.value.reason
    assert "0x" not in caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "TGA"])
@pytest.mark.parametrize("side", [None, 20])
def test_truncated_files_are_refused(kind: str, side: int | None) -> None:
    data = saved(photo(), kind)
    with pytest.raises(ImageError) as caught:
        read(data[: len(data) * 2 // 3], side=side)
    if kind in ("JPEG", "PNG", "BMP", "PPM"):
        assert caught.value.reason.startswith("truncated file (")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def png_of(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compressobj()
    body = rows.compress(bytes((width + 7) // 8 + 1)) + rows.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_bombs_are_refused_from_the_header() -> None:
    start = time.perf_counter()
    with pytest.raises(ImageError, match="too large: 60000 x 60000 pixels; the limit is 200 megapixels"):
        read(png_of(60_000, 60_000))
    bitmap = bytearray(saved(Image.new("1", (8, 8)), "BMP"))
    bitmap[18:26] = struct.pack("<ll", 100_000, 100_000)
    with pytest.raises(ImageError, match="too large"):
        read(bytes(bitmap))
    assert time.perf_counter() - start < 1


def test_pillows_own_limit_neither_counts_nor_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # warns from here, raises from twice as much
    assert read(saved(photo(40, 40))).image.size == (40, 40)
    assert read(saved(photo(80, 80), "PNG")).image.size == (80, 80)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert PIXEL_LIMIT >= 16320 * 12240


def test_progressive_jpegs_of_endless_scans_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(photo(), progressive=True)
    assert read(data).info.format == "JPEG"
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * 300 + b"\xff\xd9"
    monkeypatch.setattr(decode, "SCAN_LIMIT", 200 * 320 * 240)
    with pytest.raises(ImageError, match=r"a progressive JPEG of 3\d\d scans"):
        read(bomb)
    assert read(data).info.format == "JPEG"


def test_slow_decoders_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "TIME_LIMIT", 0.2)
    start = time.perf_counter()
    with pytest.raises(ImageError, match="takes more than"):
        read(b"qoif" + struct.pack(">II", 10_000, 10_000) + b"\x03\x00" + b"\x01" * 20_000_000)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "error",
    [OSError("a\nb"), SyntaxError("x"), ValueError(), struct.error("s"), MemoryError(), RecursionError("r"),
     ZeroDivisionError("z"), KeyError(3), IndexError("i"), OverflowError("o"), EOFError(), SystemError("tile"),
     AssertionError(), AttributeError("a"), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), NotImplementedError("n"),
     Image.DecompressionBombError("many pixels")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("where", ["open", "load"])
def test_every_exception_becomes_an_image_error(error: Exception, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    data = saved(photo(), "BMP")
    read(data)
    if where == "open":
        monkeypatch.setitem(Image.OPEN, "BMP", (fail, lambda prefix: prefix[:2] == b"BM"))
    else:
        monkeypatch.setattr("PIL.BmpImagePlugin.BmpImageFile.load", fail)
    with pytest.raises(ImageError) as caught:
        read(data)
    assert caught.value.reason
    assert "\n" not in caught.value.reason


def test_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.jpg'.*no such file"):
        open_image(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match=r"cannot be read|not an ordinary file"):
        open_image(tmp_path)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"nonsense")
    with pytest.raises(ImageError, match=r"bad\.jpg': not a picture"):
        open_image(bad)
    with pytest.raises(ImageError, match="cannot be read"):
        open_image(Path("a\0b.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not an ordinary file"):
        open_image(tmp_path / "pipe.jpg")


def test_huge_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved(photo(), "PNG"))
    monkeypatch.setattr(decode, "FILE_LIMIT", 1000)
    with pytest.raises(ImageError, match=r"too large: .* bytes"):
        open_image(path)


def warning_png() -> bytes:
    """An APNG that announces no frames: Pillow warns and shows the default picture."""
    data = saved(Image.new("RGB", (4, 4), "red"), "PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"acTL", struct.pack(">LL", 0, 0)) + data[at:]


def test_no_warning_leaks_even_from_threads() -> None:
    data = warning_png()
    with pytest.warns(UserWarning, match="APNG"), Image.open(io.BytesIO(data)) as image:
        image.load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(read, [data] * 60))
    assert {picture.image.getpixel((1, 1)) for picture in found} == {(255, 0, 0)}


def test_other_threads_keep_their_warnings() -> None:
    inside, done = threading.Event(), threading.Event()

    def decode_for_a_while() -> None:
        with quiet():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=decode_for_a_while)
    thread.start()
    inside.wait(10)
    try:
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)
    finally:
        done.set()
        thread.join()


def test_quiet_is_nested_and_ends() -> None:
    with quiet(), quiet():
        warnings.warn("unheard", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)


@pytest.mark.parametrize("who", ["libtiff", "Pillow's log"])
def test_nothing_is_written_to_stderr(who: str, tmp_path: Path) -> None:
    data = bytearray(saved(photo(), "TIFF", compression="tiff_lzw" if who == "libtiff" else None))
    if who == "libtiff":
        data[200:4000] = b"\xff" * 3800
    else:
        at = data.index(struct.pack("<HHL", 277, 3, 1))  # samples a pixel
        data[at + 8 : at + 10] = b"\xff\xff"
    (tmp_path / "bad.tif").write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from wordsight.images import open_image; open_image(Path(sys.argv[1]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", f"try:\n  {code.replace('; ', chr(10) + '  ')}\nexcept Exception as e: print(e)",
         str(tmp_path / "bad.tif")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "bad.tif" in run.stdout
    assert run.stderr == ""


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(photo(200, 100)).save(file, quality=90)
    return file.getvalue()


def test_heic_with_the_extra() -> None:
    before = "HEIF" in Image.OPEN  # another package may have registered it
    found = read(heic(), side=20)
    assert found.info.format == "HEIF"
    assert (found.info.width, found.info.height) == (200, 100)
    assert mean_difference(found.image, photo(200, 100).resize(found.image.size)) < 6
    assert ("HEIF" in Image.OPEN) == before  # Pillow's registry belongs to the whole process


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    data, real = heic(), builtins.__import__

    def no_heif(name: str, *args: object, **kwargs: object) -> object:
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_heif)
    with pytest.raises(ImageError, match=r'HEIC needs an optional part: pip install "wordsight\[heic\]"'):
        read(data)


def test_importing_stays_light() -> None:
    code = (
        "import sys, wordsight.images as i\n"
        "print([m for m in ('pillow_heif', 'rawpy', 'PIL.ImageCms', 'onnxruntime', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
