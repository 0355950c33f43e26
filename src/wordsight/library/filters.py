"""Which photos are searched at all: by date, folder, camera, file type and size."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from wordsight.errors import BadInput
from wordsight.types import Address

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?)?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,6})\s*([hdwmy])(?:\s+ago)?", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d+\.?\d*|\.\d+)\s*([kmgt]?)(i?)b?", re.ASCII | re.IGNORECASE)
_DATE_HELP = (
    "write 2021, 2021-06, 2021-06-15, 2021-06-15T12:30, today, yesterday, or an age such as 30d (h, d, w, m, y)"
)
_LATEST = datetime.max.replace(microsecond=0)

# What people call a type -> Pillow's names. A phone's JPEG with a second picture inside is "mpo" to Pillow.
_ALIASES = {
    **dict.fromkeys(("jpg", "jpe", "jfif", "jpeg", "mpo"), ("jpeg", "mpo")),
    **dict.fromkeys(("heic", "heics", "heifs", "hif"), ("heif",)),
    **dict.fromkeys(("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"), ("jpeg2000",)),
    **dict.fromkeys(("pbm", "pgm", "pnm", "pfm"), ("ppm",)),
    "tif": ("tiff",),
    "apng": ("png",),
    "avifs": ("avif",),
}
_FORMATS = frozenset(
    {
        "avif", "blp", "bmp", "cur", "dcx", "dds", "dib", "fits", "ftex", "gbr", "gif", "heif", "icns", "ico",
        "jpeg2000", "msp", "pcd", "pcx", "pixar", "png", "ppm", "psd", "qoi", "raw", "sgi", "sun", "tga", "tiff",
        "webp", "xbm", "xpm",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions a photo must meet, all of them; an empty one lets every photo pass.

    ``since`` (inclusive) and ``until`` (exclusive) compare with the capture date, the camera's local time without zone:
    with either set, photos that carry no capture date do not pass. ``under``: absolute folders, of which one must hold
    the photo, at any depth. ``camera``: part of the camera's name; ASCII letters match in either case. ``types``:
    formats by Pillow's lower-case names or common endings ("jpg"), of which one must fit. ``min_bytes``, ``max_bytes``:
    size of the file, both inclusive. ``min_side``: pixels of the shorter side, inclusive.

    Raises ``BadInput`` where no photo could ever pass, or a value is out of its range.
    """

    since: datetime | None = None
    until: datetime | None = None
    under: tuple[Path, ...] = ()
    camera: str | None = None
    types: tuple[str, ...] = ()
    min_bytes: int | None = None
    max_bytes: int | None = None
    min_side: int | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            when = getattr(self, name)
            if when is not None and when.tzinfo is not None:
                raise BadInput(f"{name}: photos carry the camera's local time, so give a time without zone, not {when}")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise BadInput(
                f"no photo can be taken from {self.since} on and before {self.until}; swap or widen --since and --until"
            )
        for name in ("min_bytes", "max_bytes", "min_side"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 2**63:
                raise BadInput(f"{name} must be 0 or more and below 2^63, not {value}")
        if self.min_bytes is not None and self.max_bytes is not None and self.min_bytes > self.max_bytes:
            raise BadInput(
                f"no file has at least {self.min_bytes} and at most {self.max_bytes} bytes; swap or widen the two sizes"
            )
        for folder in self.under:
            if not folder.is_absolute():
                raise BadInput(f"under: expected absolute folders, got {str(folder)!r}; make it absolute first")
        for kind in self.types:
            formats(kind)

    @classmethod
    def read(
        cls,
        *,
        since: str | None = None,
        until: str | None = None,
        under: Iterable[str | Path] = (),
        camera: str | None = None,
        types: Iterable[str] = (),
        min_size: str | None = None,
        max_size: str | None = None,
        min_side: int | None = None,
        now: datetime | None = None,
    ) -> Filters:
        """Return the filters that a command line spells; ``until`` takes in the whole period it names.

        Relative folders count from the working folder, ``~`` is the home folder; a type may list several, with commas.
        Raises ``BadInput`` for what cannot be read or cannot be met.
        """
        return cls(
            since=None if since is None else parse_when(since, now=now),
            until=None if until is None else parse_when(until, end=True, now=now),
            under=tuple(_absolute(folder) for folder in under),
            camera=camera or None,
            types=tuple(kind.strip() for listed in types for kind in listed.split(",") if kind.strip()),
            min_bytes=None if min_size is None else parse_size(min_size),
            max_bytes=None if max_size is None else parse_size(max_size),
            min_side=min_side,
        )

    @property
    def is_empty(self) -> bool:
        """Whether every photo passes."""
        return self == Filters()

    def where(self) -> tuple[str, list[str | int | bytes]]:
        """Return an SQL condition (SQLite) and the values of its ``?``, in order; ``"1"`` where every photo passes.

        Tables: ``f`` (files: bytes), ``d`` (folders: path, absolute), ``c`` (contents: captured_at as
        "YYYY-MM-DDTHH:MM:SS" or NULL, camera or NULL, format in lower case, width, height).
        """
        parts: list[tuple[str, list[str | int | bytes]]] = []
        if self.since is not None:
            parts.append(("c.captured_at >= ?", [to_second(self.since)]))
        if self.until is not None:
            parts.append(("c.captured_at < ?", [to_second(self.until)]))
        if self.under:
            below = [_below(folder) for folder in self.under]
            parts.append((" OR ".join(sql for sql, _ in below), [value for _, values in below for value in values]))
        if self.camera is not None:
            parts.append(("instr(lower(c.camera), lower(?)) > 0", [_bindable(self.camera)]))
        if self.types:
            names = sorted({name for kind in self.types for name in formats(kind)})
            parts.append((f"c.format IN ({', '.join('?' * len(names))})", list(names)))
        if self.min_bytes is not None:
            parts.append(("f.bytes >= ?", [self.min_bytes]))
        if self.max_bytes is not None:
            parts.append(("f.bytes <= ?", [self.max_bytes]))
        if self.min_side is not None:
            parts.append(("min(c.width, c.height) >= ?", [self.min_side]))
        condition = " AND ".join(f"({sql})" for sql, _ in parts)
        return condition or "1", [value for _, values in parts for value in values]

    def describe(self) -> str:
        """Return the conditions as words for the user, one after the other; empty where every photo passes."""
        said = [
            f"taken from {self.since} on" if self.since is not None else "",
            f"taken before {self.until}" if self.until is not None else "",
            f"under {' or '.join(str(folder) for folder in self.under)}" if self.under else "",
            f"by a camera named like {self.camera!r}" if self.camera is not None else "",
            f"of type {' or '.join(self.types)}" if self.types else "",
            f"of at least {self.min_bytes:,} bytes" if self.min_bytes is not None else "",
            f"of at most {self.max_bytes:,} bytes" if self.max_bytes is not None else "",
            f"with at least {self.min_side:,} pixels on the shorter side" if self.min_side is not None else "",
        ]
        return ", ".join(part for part in said if part)


def parse_when(text: str, *, end: bool = False, now: datetime | None = None) -> datetime:
    """Return the first instant of the period that ``text`` names; with ``end``, the first instant after it.

    Understood: a year, a month, a day, an ISO time (a minute, or a second), "today", "yesterday", and ages: "12h" is
    the second 12 hours before ``now``; "30d", "2w", "6m" (months), "1y" the day so far back. Raises ``BadInput``.
    """
    now = datetime.now() if now is None else now  # photos carry local time without zone
    start, after = _period(text, now)
    return after if end else start


def parse_size(text: str) -> int:
    """Return the bytes that ``text`` names: "500", "20kB", "1.5 MB" (1000s), "2MiB" (1024s); ``BadInput`` otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"expected a size such as 500kB, 2MB or 1.5GiB, got {text!r}")
    number, prefix, binary = match.groups()
    if binary and not prefix:
        raise BadInput(f"expected a size such as 500kB, 2MB or 1.5GiB, got {text!r}")
    power = "kmgt".index(prefix.lower()) + 1 if prefix else 0
    size = float(number) * float((1024 if binary else 1000) ** power)
    if size >= 2**63:
        raise BadInput(f"the size {text!r} is beyond any file; give one below 8 EiB")
    return round(size)


def _period(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the first instant of a period and the first one after it (the last instant there is, for year 9999)."""
    text = text.strip()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    word = text.lower()
    try:
        if word in ("today", "yesterday"):
            start = today - timedelta(days=word == "yesterday")
            return start, _plus(start, timedelta(days=1))
        if ago := _AGO.fullmatch(text):
            return _ago(int(ago[1]), ago[2].lower(), now, today)
        if date := _DATE.fullmatch(text):
            return _calendar(*(None if part is None else int(part) for part in date.groups()))
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text!r} is no date: {error}; {_DATE_HELP}") from error
    hint = (
        "photos carry the camera's local time: leave the zone out; "
        if re.search(r"\d(Z|[+-]\d\d:?\d\d)$", text)
        else ""
    )
    raise BadInput(f"expected a date, got {text!r}; {hint}{_DATE_HELP}")


def _calendar(
    year: int | None,
    month: int | None = None,
    day: int | None = None,
    hour: int | None = None,
    minute: int | None = None,
    second: int | None = None,
) -> tuple[datetime, datetime]:
    dated = year or 0, 1 if month is None else month, 1 if day is None else day
    start = datetime(*dated, hour or 0, minute or 0, second or 0)
    if month is None:
        return start, _month(start.year * 12 + 12)
    if day is None:
        return start, _month(start.year * 12 + start.month)
    step = timedelta(days=1) if hour is None else timedelta(minutes=1) if second is None else timedelta(seconds=1)
    return start, _plus(start, step)


def _ago(count: int, unit: str, now: datetime, today: datetime) -> tuple[datetime, datetime]:
    if unit == "h":
        start = now.replace(microsecond=0) - timedelta(hours=count)
        return start, _plus(start, timedelta(seconds=1))
    if unit in "dw":
        start = today - timedelta(days=count * (7 if unit == "w" else 1))
    else:
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
        first = _month(months)
        last = _month(months + 1) - timedelta(days=1)  # 31 March minus one month is the last day of February
        start = first.replace(day=min(today.day, last.day))
    return start, _plus(start, timedelta(days=1))


def _month(count: int) -> datetime:
    """Return the first instant of a month, counted from January of year 0; the last instant there is beyond 9999."""
    return datetime(count // 12, count % 12 + 1, 1) if count < 120_000 else _LATEST


def _plus(when: datetime, step: timedelta) -> datetime:
    return when + step if when <= _LATEST - step else _LATEST


def to_second(when: datetime) -> str:
    """Return the first whole second not before ``when``: capture dates are whole seconds, so both bounds stay exact."""
    if when.microsecond:
        when = _plus(when.replace(microsecond=0), timedelta(seconds=1))
    return when.isoformat(timespec="seconds")


def _absolute(folder: str | Path) -> Path:
    if "://" in str(folder):
        return Address(folder)
    try:
        return Path(os.path.abspath(Path(folder).expanduser()))  # links stay as they are written
    except (ValueError, RuntimeError) as error:
        raise BadInput(f"expected a folder, got {str(folder)!r}: {error}") from error


def _below(folder: Path) -> tuple[str, list[str | int | bytes]]:
    """Return the condition that a path is the folder or lies below it.

    It compares bytes, as a range: LIKE would read "%" and "_" in names and ignore letter case, and names that are not
    UTF-8 are bytes in the first place.
    """
    here = os.fsencode(folder)
    prefix = here.rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
    beyond = prefix[:-1] + bytes([prefix[-1] + 1])
    path = "CAST(d.path AS BLOB)"
    return f"{path} = ? OR ({path} >= ? AND {path} < ?)", [here, prefix, beyond]


def formats(kind: str) -> tuple[str, ...]:
    """Return the catalogue's names of a type: Pillow's, in lower case, and "raw" for all cameras' own formats."""
    name = kind.removeprefix(".").lower()
    if name in _ALIASES:
        return _ALIASES[name]
    if name in _FORMATS:
        return (name,)
    from wordsight.images.find import RAW_SUFFIXES

    if f".{name}" in RAW_SUFFIXES:
        return ("raw",)
    raise BadInput(f"expected file types such as jpg, png, heic or raw, got {kind!r}")


def _bindable(text: str) -> str:
    """Return the text as SQLite takes it: undecodable bytes of an argument match nothing, but do no harm."""
    return text.encode("utf-8", "replace").decode()
