"""Open a picture by its content with the Pillow plug-ins that are wanted, HEIF among them when it is installed."""

from __future__ import annotations

import io
import struct
import time
from typing import Any

from PIL import Image, ImageFile

from wordsight.errors import ImageError, MissingExtra
from wordsight.images.quiet import silence_libtiff
from wordsight.images.reasons import reason

_COMMON = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
_RARE = (
    "JPEG2000", "PSD", "ICO", "CUR", "ICNS", "DIB", "DDS", "QOI", "PCX", "DCX", "SGI", "SUN", "XBM", "XPM", "MSP",
    "FITS", "BLP", "FTEX", "GBR", "PIXAR", "XVTHUMB", "PCD", "TGA",
)  # fmt: skip
"""TGA last: it has no signature. Left out on purpose: EPS (runs Ghostscript), WMF (only on Windows), MPEG and FLI
(video), IM, IMT, SPIDER, IPTC (take text and numbers for pictures), BUFR, GRIB, HDF5, MCIDAS (science containers)."""

FORMATS = _COMMON + _RARE
"""The Pillow plug-ins that are asked, in this order."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})


TIME_LIMIT = 20.0
"""Seconds of this thread's own work on one picture. Some of Pillow's decoders are written in Python (plain PPM, QOI,
DDS, XPM, run-length BMP); one is even quadratic, and six megabytes of comments keep it busy for more than a minute."""


class _TimedStream(io.BytesIO):
    """Bytes that run out of patience: decoders ask for more all the time, and this works in any thread."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._end = time.thread_time() + TIME_LIMIT

    def read(self, size: int | None = -1, /) -> bytes:
        if time.thread_time() > self._end:
            raise ImageError(f"takes more than {TIME_LIMIT:.0f} seconds to decode")
        return super().read(size)


def open_data(data: bytes) -> ImageFile.ImageFile:
    """Return the picture with its header read and its pixels not yet decoded; raise ``ImageError`` or what Pillow does.

    Pillow's plug-ins are called directly: ``Image.open`` would try all of them, and refuse pictures by a limit of its
    own that belongs to the whole process.
    """
    prefix, stream = data[:16], _TimedStream(data)
    complaint = ""
    for name in FORMATS:
        factory, accept = _plugin(name)
        if factory is None or (accept is not None and accept(prefix) is not True):
            continue
        if name == "TIFF":
            silence_libtiff()
        stream.seek(0)
        try:
            image: ImageFile.ImageFile = factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:  # "not mine after all", as in Image.open
            complaint = complaint or (str(error) if accept is not None else "")
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(reason(error, name)) from error
        else:
            return image
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return _open_heif(stream)
    detail = f" ({' '.join(complaint.split())})" if complaint else ""
    raise ImageError(f"not a picture Pillow can read{detail}")


def _plugin(name: str) -> tuple[Any, Any]:
    if name not in Image.OPEN:
        Image.preinit()
    if name not in Image.OPEN:
        Image.init()
    return Image.OPEN.get(name, (None, None))


def _open_heif(stream: io.BytesIO) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageError(str(MissingExtra("HEIC", "heic"))) from None
    stream.seek(0)
    image: ImageFile.ImageFile = HeifImageFile(stream, "")  # type: ignore[no-untyped-call]
    return image
