"""Small copies of photos, made once: WebP, upright, sRGB, on disk by the SHA-256 of the photo's content."""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from PIL import Image as PILImage

from wordsight import images
from wordsight.protocols import Image

SIDES = (160, 320, 640, 1280, 2560)
"""Longest sides in pixels; photos that are smaller stay as they are."""

_QUALITY = 80
_EFFORT = 0  # of WebP: the least makes files a tenth larger in half the time
_SEAL = 4  # bytes of checksum behind the picture: a damaged file is made anew
_FREED = 0.2  # share of the room that is made when there is none left
_AHEAD = 0.6  # share of it that what is made ahead may take: the rest is for what is looked at
_LARGE = 1280  # pixels: for one photo seen alone, made again in a moment


class Thumbnails:
    """A cache of at most ``most`` bytes in a folder of its own. May be used from several threads and processes."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def find(self, sha256: str, side: int) -> bytes | None:
        """Return the thumbnail if it is there and whole."""
        try:
            sealed = self._file(sha256, side).read_bytes()
        except OSError:
            return None
        data, seal = sealed[:-_SEAL], sealed[-_SEAL:]
        return data if seal == _sealed(data) else None

    def make(self, sha256: str, side: int, content: bytes) -> bytes:
        """Return the thumbnail of a photo's file content, and keep it; raises ``ImageError``."""
        # Decoders keep at least twice the side they are told: half of it leaves enough, in three fifths of the time.
        data = encoded(images.read(content, side=-(-side // 2)).image, side)
        self._keep(self._file(sha256, side), data + _sealed(data))
        return data

    def make_ahead(self, sha256: str, sides: Collection[int], content: bytes) -> None:
        """Keep the thumbnails of these sizes, of one decoding; raises ``ImageError``."""
        image = images.read(content, side=-(-max(sides) // 2)).image
        for side in sides:
            data = encoded(image, side)
            self._keep(self._file(sha256, side), data + _sealed(data))

    def has(self, sha256: str, side: int) -> bool:
        """Whether the thumbnail is there; it is not read."""
        return self._file(sha256, side).exists()

    @property
    def is_filled(self) -> bool:
        """Whether there is no room for what nobody has asked for."""
        with self._lock:
            if self._bytes is None:
                self._bytes = self._measured()
            return self._bytes >= self._most * _AHEAD

    def _file(self, sha256: str, side: int) -> Path:
        return self._folder / str(side) / sha256[:2] / f"{sha256}.webp"

    def _keep(self, file: Path, data: bytes) -> None:
        """Write in one step; a disk that is full or read-only costs speed, not the answer."""
        draft = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.replace(file)
        with suppress(OSError):
            draft.unlink()
        with self._lock:
            self._bytes = self._measured() if self._bytes is None else self._bytes + len(data)
            if self._bytes > self._most:
                self._bytes = self._make_room()

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> int:
        """Remove large ones, then what was made longest ago, and return the bytes that are left."""
        files = sorted(self._files(), key=lambda found: (int(found[2].parent.parent.name) < _LARGE, *found))
        left = sum(size for _, size, _ in files)
        for _, size, file in files:
            if left <= self._most * (1 - _FREED):
                break
            with suppress(OSError):
                file.unlink()
                left -= size
        return left

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self._folder.rglob("*.webp"):
            with suppress(OSError):
                status = file.stat()
                found.append((status.st_mtime, status.st_size, file))
        return found


def encoded(image: Image, side: int) -> bytes:
    """Return a picture as WebP of at most ``side`` pixels along its longer side."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side), PILImage.Resampling.BICUBIC, reducing_gap=3.0)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=_EFFORT)
    return stream.getvalue()


def warm() -> None:
    """Load what decodes and encodes pictures: the first thumbnail would wait a tenth of a second for that."""
    stream = io.BytesIO()
    PILImage.new("RGB", (8, 8)).save(stream, "JPEG")
    encoded(images.read(stream.getvalue(), side=4).image, SIDES[0])


def _sealed(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_SEAL, "big")
