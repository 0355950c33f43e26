"""From the bytes of a file to an upright RGB picture and what is known about it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image as PILImage
from PIL import ImageFile

from wordsight.errors import ImageError
from wordsight.images import metadata, modes, raw
from wordsight.images.metadata import Metadata
from wordsight.images.plugins import open_data
from wordsight.images.quiet import quiet
from wordsight.images.reasons import reason
from wordsight.protocols import Image

PIXEL_LIMIT = 200_000_000
"""Pixels. The largest sensors in phones have 200 megapixels (16320 x 12240 = 199.8 million); such a picture takes
0.8 GB while it is decoded. A file of some kilobytes can claim billions: that is refused from its header."""

FILE_LIMIT = 2_000_000_000
"""Bytes. Above the largest picture within ``PIXEL_LIMIT`` (16 bits a channel, uncompressed: 1.2 GB)."""

SCAN_LIMIT = 4_000_000_000
"""Pixels times scans of a progressive JPEG: twenty scans at ``PIXEL_LIMIT``. Encoders write about ten; each costs a
pass over all pixels (3 s at this limit) but few bytes, so that a file of a megabyte could take many minutes."""

_TURNS = {
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_270,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_90,
}
"""EXIF orientation -> what sets the picture upright."""

_SHRINKING = ("JPEG", "MPO", "JPEG2000", "HEIF")
"""Formats whose opened picture changes its size when it is decoded for a ``side``."""


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What is known of a picture: size in pixels of the upright original, kind of file, and what EXIF says.

    ``captured_at`` is the camera's local time. Degrees are positive to the north and east. ``None``: not known.
    """

    width: int
    height: int
    format: str
    captured_at: datetime | None
    camera: str | None
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: ``image`` is upright, mode RGB, sRGB; ``info`` describes the original."""

    image: Image
    info: PictureInfo


def read(data: bytes, *, side: int | None = None, pixels: int = PIXEL_LIMIT) -> Picture:
    """Decode a file's content; the first frame or page of several.

    ``side``: the longest side that matters, in pixels (at least 1). Larger pictures may come shrunk, in the same
    proportions and never to less than twice ``side`` on the shorter side, so that an antialiased resize to ``side``
    gives nearly the same; none is enlarged. ``pixels``: larger pictures are refused.

    The kind of file is told from its content. A file that ends early is refused, not filled with grey: a half picture
    would be found by what it does not show. Hostile files are bounded by ``PIXEL_LIMIT``, ``SCAN_LIMIT`` and the time
    limit of ``plugins``; none of these needs a process of its own. May be called from several threads at once.
    Raises ``ImageError`` and nothing else, whatever ``data`` holds.
    """
    if side is not None and side < 1:
        raise ValueError(f"side must be at least 1 pixel, got {side}")
    if not data:
        raise ImageError("empty file")
    with quiet():
        try:
            return _read_raw(data, side, pixels) if raw.is_raw(data) else _read(data, side, pixels)
        except ImageError:
            raise
        except Exception as error:  # Pillow's plug-ins raise some twenty kinds on hostile bytes
            raise ImageError(reason(error)) from error


def open_image(path: Path, *, side: int | None = None) -> Image:
    """Read the picture in a file; ``side`` as in ``read``. Raises ``ImageError`` whose reason names the path."""
    data = read_bytes(path)
    try:
        return read(data, side=side).image
    except ImageError as error:
        raise ImageError(f"{str(path)!r}: {error.reason}") from error


def read_bytes(path: Path) -> bytes:
    """Return the content of an ordinary file of at most ``FILE_LIMIT`` bytes; ``ImageError`` names the path."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_WAITING), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{str(path)!r}: not an ordinary file")
            if status.st_size > FILE_LIMIT:
                raise ImageError(f"{str(path)!r}: too large: {status.st_size:,} bytes; the limit is {FILE_LIMIT:,}")
            return file.read(FILE_LIMIT)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        said = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{str(path)!r}: cannot be read: {said.lower()}") from error


_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A named pipe would otherwise block until somebody writes to it."""


def _read(data: bytes, side: int | None, pixels: int) -> Picture:
    image = open_data(data)
    kind = image.format or "unknown"
    try:
        picture, _ = _decode(image, data, side, pixels)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(reason(error, kind)) from error
    return picture


def _decode(image: ImageFile.ImageFile, data: bytes, side: int | None, pixels: int) -> tuple[Picture, Metadata]:
    _refuse_bombs(image, data, pixels)
    size = image.size
    image = _loaded(image, data, side)
    if image.format not in _SHRINKING:  # some plug-ins know the size, or turn the picture, only now
        size = image.size
    found = metadata.from_image(image)
    upright = _upright(modes.to_rgb(_trimmed(image, size), side), found.orientation)
    if upright is image:
        upright = image.copy()  # lets go of the file's bytes, which the opened picture holds on to
    upright.info.clear()
    if (found.orientation or 1) >= 5:
        size = size[1], size[0]
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: what some cameras' ordinary JPEGs are inside
    return Picture(upright, _info(size, kind, found)), found


def _refuse_bombs(image: ImageFile.ImageFile, data: bytes, pixels: int) -> None:
    width, height = image.size
    if width * height > pixels:
        raise ImageError(f"too large: {width} x {height} pixels; the limit is {pixels // 1_000_000} megapixels")
    is_progressive = image.info.get("progressive") or (image.info.get("compression") == "jpeg" and b"\xff\xc2" in data)
    if is_progressive and (scans := data.count(b"\xff\xda")) * width * height > SCAN_LIMIT:
        raise ImageError(f"suspicious file: a progressive JPEG of {scans} scans")


def _loaded(image: ImageFile.ImageFile, data: bytes, side: int | None) -> ImageFile.ImageFile:
    """Decode the pixels, at a fraction of the size where the format can and ``side`` allows."""
    if side is not None:
        image.draft(None, (2 * side, 2 * side))
        halvings = (min(image.size) // (8 * side)).bit_length() - 1  # 8: a wavelet's low band aliases
        if image.format == "JPEG2000" and halvings > 0:
            image.reduce = halvings  # type: ignore[method-assign, assignment]  # this plug-in's own setting
            try:
                image.load()
            except OSError:  # it holds fewer resolutions
                image = open_data(data)
    image.load()
    return image


def _trimmed(image: ImageFile.ImageFile, size: tuple[int, int]) -> Image:
    """Cut off most of the padding of a JPEG decoded small: 213 rows become 54 quarters, of which 53.25 are picture."""
    scale = round(size[0] / image.width) if image.format in ("JPEG", "MPO") else 1
    width, height = max(1, round(size[0] / scale)), max(1, round(size[1] / scale))
    return image if (width, height) == image.size or scale == 1 else image.crop((0, 0, width, height))


def _upright(image: Image, orientation: int | None) -> Image:
    turn = _TURNS.get(orientation or 1)
    return image if turn is None else image.transpose(turn)


def _info(size: tuple[int, int], kind: str, found: Metadata) -> PictureInfo:
    return PictureInfo(*size, kind, found.captured_at, found.camera, found.latitude, found.longitude)


def _read_raw(data: bytes, side: int | None, pixels: int) -> Picture:
    opened = raw.open_raw(data, side, pixels)
    found = metadata.from_tiff(data)
    if opened.rendered is not None:
        image = modes.to_rgb(opened.rendered, side)
    else:
        preview, of_preview = _decode(open_data(opened.preview or b""), opened.preview or b"", side, pixels)
        image = preview.image
        if of_preview.orientation is None and opened.turn is not None:
            image = image.transpose(opened.turn)
        if found.captured_at is None and found.camera is None:
            found = of_preview
    return Picture(image, _info((opened.width, opened.height), "RAW", found))
