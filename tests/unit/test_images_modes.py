"""Every Pillow mode, through real files where a format carries it, becomes 8-bit RGB."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from wordsight.images import read
from wordsight.images.modes import to_rgb

SIZE = (40, 30)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene() -> Image.Image:
    """Four flat quarters: red, green, blue, light grey."""
    image = Image.new("RGB", SIZE, (220, 30, 30))
    image.paste((30, 200, 40), (20, 0, 40, 15))
    image.paste((30, 40, 210), (0, 15, 20, 30))
    image.paste((200, 200, 200), (20, 15, 40, 30))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def distance(a: Image.Image, b: Image.Image) -> float:
    assert a.mode == b.mode == "RGB"
    assert a.size == b.size
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0), ("BMP", {}, 0), ("TIFF", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0), ("PPM", {}, 0),
        ("TGA", {}, 0), ("PCX", {}, 0), ("SGI", {}, 0), ("DDS", {}, 0), ("ICO", {"sizes": [SIZE]}, 0), ("GIF", {}, 12),
        ("WEBP", {"lossless": True}, 0), ("JPEG2000", {}, 0), ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 40), ("MPO", {"quality": 95, "subsampling": 0}, 12),
    ],
)  # fmt: skip
def test_formats(kind: str, options: dict[str, object], tolerance: float) -> None:
    found = read(saved(scene(), kind, **options))
    assert distance(found.image, scene()) <= tolerance
    assert found.info.format == ("JPEG" if kind == "MPO" else kind)
    assert (found.info.width, found.info.height) == SIZE


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_eight_bit_modes(mode: str) -> None:
    grey = Image.new("RGB", SIZE, "white")
    grey.paste((0, 0, 0), (0, 0, 20, 30))
    step = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(mode)
    image = (grey.convert(step) if step else grey).convert(mode) if mode != "PA" else grey.convert("P").convert("PA")
    assert distance(to_rgb(image), grey) <= 2


def test_lab() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(scene(), to_lab)
    assert distance(read(saved(lab, "TIFF")).image, scene()) <= 4


def test_one_bit_file() -> None:
    found = read(saved(scene().convert("1", dither=Image.Dither.NONE), "PNG")).image
    assert found.getpixel((35, 25)) == (255, 255, 255)
    assert found.getpixel((5, 20)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_lies_on_white(kind: str) -> None:
    image = Image.new("RGBA", SIZE, (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 30))
    image.paste((0, 0, 0, 128), (10, 0, 20, 30))
    found = read(saved(image, kind, **({"lossless": True} if kind == "WEBP" else {}))).image
    assert found.getpixel((30, 5)) == (255, 255, 255)
    assert found.getpixel((5, 5)) == (0, 0, 255)
    assert found.getpixel((15, 5)) == (127, 127, 127)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entries_lie_on_white(kind: str) -> None:
    image = Image.new("P", SIZE, 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 750)
    image.paste(1, (0, 0, 20, 30))
    found = read(saved(image, kind, transparency=0)).image
    assert found.getpixel((30, 5)) == (255, 255, 255)
    assert found.getpixel((5, 5)) == (0, 0, 255)


def test_palette_with_degrees_of_transparency() -> None:
    image = Image.new("P", SIZE, 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 750)
    found = read(saved(image, "PNG", transparency=bytes([128, 255]))).image  # Pillow warns on P to RGB here
    assert found.getpixel((0, 0)) == (255, 127, 127)


@pytest.mark.parametrize(("mode", "key"), [("RGB", (10, 20, 30)), ("L", 9), ("1", 0)])
def test_a_colour_declared_transparent(mode: str, key: object) -> None:
    image = Image.new(mode, SIZE, key)
    assert read(saved(image, "PNG", transparency=key)).image.getpixel((1, 1)) == (255, 255, 255)


def test_grey_with_alpha_file() -> None:
    image = Image.new("LA", SIZE, (0, 0))
    image.paste((50, 255), (0, 0, 20, 30))
    found = read(saved(image, "PNG")).image
    assert found.getpixel((30, 5)) == (255, 255, 255)
    assert found.getpixel((5, 5)) == (50, 50, 50)


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_by_the_depth_they_hold(top: int, kind: str) -> None:
    ramp = np.linspace(0, top, 256).astype(np.uint16)[None].repeat(4, axis=0)
    found = np.asarray(read(saved(Image.fromarray(ramp), kind)).image)[0, :, 0]
    assert np.abs(found.astype(int) - np.arange(256)).max() <= 1


def test_big_endian_sixteen_bits() -> None:
    ramp = np.linspace(0, 65535, 256).astype(">u2")[None].repeat(2, axis=0)
    image = Image.frombytes("I;16B", (256, 2), ramp.tobytes())
    assert np.abs(np.asarray(to_rgb(image))[0, :, 1].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([0.0, 5000.0, 10000.0], [0, 128, 255]),
        ([np.nan, np.inf, 1.0], [0, 0, 255]),
        ([7000.0, 7000.0, 7000.0], [0, 0, 0]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
    ],
)
def test_floats(values: list[float], expected: list[int]) -> None:
    found = read(saved(Image.fromarray(np.array([values], np.float32)), "TIFF")).image
    assert np.asarray(found)[0, :, 0].tolist() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("values", "expected"), [([-100, 0, 100], [0, 128, 255]), ([0, 500_000, 1_000_000], [0, 128, 255])]
)
def test_wide_integers_are_stretched(values: list[int], expected: list[int]) -> None:
    found = read(saved(Image.fromarray(np.array([values], np.int32)), "TIFF")).image
    assert np.asarray(found)[0, :, 0].tolist() == pytest.approx(expected, abs=1)


def test_cmyk_jpeg_as_photoshop_and_others_write_it() -> None:
    cmyk = scene().convert("CMYK")
    adobe = saved(cmyk, "JPEG", quality=95, subsampling=0)  # Pillow writes inverted values and the Adobe marker
    assert b"Adobe" in adobe
    assert distance(read(adobe).image, scene()) <= 16
    assert distance(read(saved(cmyk, "TIFF")).image, scene()) <= 2


def test_ycck_jpeg() -> None:
    data = saved(scene().convert("CMYK"), "JPEG", quality=95, subsampling=0)
    at = data.index(b"Adobe") + 11
    ycck = data[:at] + b"\x02" + data[at + 1 :]  # the same numbers, now declared YCCK
    found = read(ycck).image
    assert found.mode == "RGB"
    assert distance(found, scene()) > 16


def test_first_frame_of_animations() -> None:
    red, blue = Image.new("RGB", SIZE, "red"), Image.new("RGB", SIZE, "blue")
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        data = saved(red, kind, save_all=True, append_images=[blue], quality=95)
        first = read(data).image.getpixel((3, 3))
        assert isinstance(first, tuple)
        assert first[0] > 245
        assert first[2] < 10


def swapped_profile() -> bytes:
    """A profile whose red and green primaries are exchanged: impossible to overlook when applied."""
    red, green = SRGB.index(b"rXYZ"), SRGB.index(b"gXYZ")
    profile = bytearray(SRGB)
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profiles_are_applied(kind: str) -> None:
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    found = read(saved(scene(), kind, icc_profile=swapped_profile(), **options)).image
    first = found.getpixel((5, 5))
    assert isinstance(first, tuple)
    assert first[1] > 180 > 60 > first[0]


def test_profiles_are_applied_through_a_palette_and_transparency() -> None:
    image = scene().convert("RGBA")
    image.paste((0, 0, 0, 0), (20, 15, 40, 30))
    found = read(saved(image, "PNG", icc_profile=swapped_profile())).image
    assert found.getpixel((30, 20)) == (255, 255, 255)
    assert read(saved(scene().quantize(8), "PNG", icc_profile=swapped_profile())).image.getpixel((5, 5))[1] > 180  # type: ignore[index]


@pytest.mark.parametrize("profile", [SRGB, b"garbage", SRGB[:200], b"\0" * 5_000_000])
def test_srgb_and_broken_profiles_change_nothing(profile: bytes) -> None:
    image = scene()
    image.info["icc_profile"] = profile
    assert distance(to_rgb(image), scene()) == 0


def test_a_profile_for_another_kind_of_picture_is_ignored() -> None:
    grey = scene().convert("L")
    expected = grey.convert("RGB")
    grey.info["icc_profile"] = swapped_profile()
    assert distance(to_rgb(grey), expected) == 0
