"""RAW files of cameras, through the extra ``raw`` (LibRaw); by preference the JPEG preview the camera put inside."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image

from wordsight.errors import ImageError, MissingExtra

_SIGNATURES = (
    (8, b"CR\x02"),  # Canon CR2
    (4, b"ftypcrx "),  # Canon CR3
    (6, b"HEAPCCDR"),  # Canon CRW
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"),  # Olympus
    (0, b"IIU\0"),  # Panasonic
    (0, b"\0MRM"),  # Minolta
    (0, b"FOVb"),  # Sigma
)  # fmt: skip
_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_SENSOR = (32803, 34892)
"""Photometric interpretations: colour filter array, linear raw."""

_TURNS = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
}
"""LibRaw's way to say how the camera was held."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An opened RAW file: upright size, and one of an embedded JPEG (to be turned by ``turn``) and a rendering."""

    width: int
    height: int
    preview: bytes | None
    turn: Image.Transpose | None
    rendered: Image.Image | None


def is_raw(data: bytes) -> bool:
    """Tell by the content whether this is a camera's RAW file; many look like a TIFF of a thumbnail at first."""
    if any(data.startswith(signature, at) for at, signature in _SIGNATURES):
        return True
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    tags = _first_directory(data)
    return (
        _DNG_VERSION in tags
        or tags.get(_PHOTOMETRIC) in _SENSOR
        or (tags.get(_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags)  # the first picture is declared a thumbnail
    )


def open_raw(data: bytes, side: int | None, pixel_limit: int) -> Raw:
    """Return the preview where it is large enough, else the developed picture; raise ``ImageError`` or LibRaw's errors.

    Large enough: twice ``side`` on its shorter side; without ``side``, half of the picture's longer side.
    """
    try:
        import rawpy
    except ImportError:
        raise ImageError(str(MissingExtra("RAW", "raw"))) from None
    with rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        turned = sizes.flip in (5, 6)
        width, height = (sizes.height, sizes.width) if turned else (sizes.width, sizes.height)
        if width * height > pixel_limit:
            raise ImageError(f"too large: {width} x {height} pixels")
        preview = _preview(rawpy, raw)
        if preview is not None and _is_enough(preview, side, max(width, height)):
            return Raw(width, height, preview, _TURNS.get(sizes.flip), None)
        half = side is not None and min(width, height) // 2 >= 2 * side
        pixels = raw.postprocess(use_camera_wb=True, half_size=half)
    return Raw(width, height, None, None, Image.fromarray(pixels))


def _preview(rawpy: object, raw: object) -> bytes | None:
    try:
        thumb = raw.extract_thumb()  # type: ignore[attr-defined]
    except Exception:  # LibRaw has an error for each way of having no preview; the picture itself may be fine
        return None
    return bytes(thumb.data) if thumb.format == rawpy.ThumbFormat.JPEG else None  # type: ignore[attr-defined]


def _is_enough(preview: bytes, side: int | None, longest: int) -> bool:
    try:
        with Image.open(io.BytesIO(preview), formats=("JPEG",)) as image:
            size = image.size
    except Exception:  # a damaged preview: develop the picture
        return False
    return min(size) >= 2 * side if side is not None else 2 * max(size) >= longest


def _first_directory(data: bytes) -> dict[int, int]:
    """Return tag -> first value (or offset) of the first directory of a TIFF; as far as it can be read."""
    order = "<" if data[:2] == b"II" else ">"
    tags: dict[int, int] = {}
    try:
        (start,) = struct.unpack_from(f"{order}L", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, at)
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "L"), data, at + 8)
    except struct.error:
        pass
    return tags
