"""What EXIF says about a picture: how it was held, when, with what and where it was taken."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

_Tag = ExifTags.Base
_DATE = re.compile(r"(\d{4})[:\-/.](\d\d?)[:\-/.](\d\d?)(?:[ T]+(\d\d?):(\d\d?)(?::(\d\d?))?)?")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Metadata:
    """The few EXIF values that are used; ``None`` where absent or malformed. ``orientation`` is 1 to 8."""

    orientation: int | None = None
    captured_at: datetime | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def from_image(image: Image.Image) -> Metadata:
    """Return the metadata of an opened picture; malformed EXIF counts as none."""
    try:
        exif = image.getexif()
    except Exception:  # the parser meets arbitrary bytes; a picture is never lost over its metadata
        return Metadata()
    return from_exif(exif)


def from_tiff(data: bytes) -> Metadata:
    """Return the metadata of a file that is laid out like TIFF, as most RAW files are."""
    exif = Image.Exif()
    try:
        exif.load(data)
    except Exception:  # as above
        return Metadata()
    return from_exif(exif)


def from_exif(exif: Image.Exif) -> Metadata:
    """Return the values; each one that is malformed is ``None`` by itself. Never raises."""
    details = _directory(exif, ExifTags.IFD.Exif)
    orientation = _value(exif, _Tag.Orientation)
    dates = (
        _value(details, _Tag.DateTimeOriginal),
        _value(details, _Tag.DateTimeDigitized),
        _value(exif, _Tag.DateTime),
    )
    latitude, longitude = _position(_directory(exif, ExifTags.IFD.GPSInfo))
    return Metadata(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else None,
        captured_at=next((date for date in map(_date, dates) if date), None),
        camera=_camera(_text(_value(exif, _Tag.Make)), _text(_value(exif, _Tag.Model))),
        latitude=latitude,
        longitude=longitude,
    )


def _directory(exif: Image.Exif, which: int) -> Any:
    try:
        return exif.get_ifd(which)
    except Exception:  # as above
        return {}


def _value(directory: Any, tag: int) -> Any:
    try:
        value = directory.get(tag)
    except Exception:  # values are decoded on access
        return None
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _text(value: Any) -> str:
    """Return a clean line of text; NULs end it, as in C."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value.split("\0", 1)[0])
    return " ".join(printable.split())[:_LONGEST_NAME]


def _date(value: Any) -> datetime | None:
    """Return the camera's local time; EXIF seldom knows the zone."""
    match = _DATE.match(_text(value))
    if match:
        with suppress(ValueError):  # 0000:00:00, a 13th month, ...
            return datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]
    return None


def _camera(make: str, model: str) -> str | None:
    """Return "Make Model"; just the model where it repeats the maker ("NIKON CORPORATION", "NIKON D70")."""
    if make and model and make.split()[0].casefold() == model.split()[0].casefold():
        make = ""
    return f"{make} {model}".strip() or None


def _position(gps: Any) -> tuple[float | None, float | None]:
    """Return (latitude, longitude) in degrees, north and east positive; both or neither."""
    latitude = _degrees(_value(gps, 2), _text(_value(gps, 1)), "NS", 90)
    longitude = _degrees(_value(gps, 4), _text(_value(gps, 3)), "EW", 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None  # exactly 0, 0 is what devices write that had no fix
    return latitude, longitude


def _degrees(value: Any, side: str, sides: str, limit: int) -> float | None:
    parts = value if isinstance(value, tuple) else (value,)
    side = side[:1].upper()
    if not side or side not in sides or not 1 <= len(parts) <= 3:  # without a side the hemisphere is a guess
        return None
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, ArithmeticError):
        return None
    degrees = sum(number / scale for number, scale in zip(numbers, (1, 60, 3600), strict=False))
    if not math.isfinite(degrees) or min(numbers) < 0 or degrees > limit:
        return None
    return -degrees if side == sides[1] else degrees
