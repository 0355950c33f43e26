"""Pictures that a client sent to search by: kept in memory while this process runs, by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from wordsight import images
from wordsight.images import PictureInfo
from wordsight.protocols import Image
from wordsight.web.config import Limits

_SIDE = 1280
"""Pixels that are kept of a picture: enough for every encoder, and to be shown."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that was sent: decoded, upright, at most so large as it is looked at."""

    sha256: str
    info: PictureInfo
    image: Image


class Uploads:
    """The last pictures that were sent. Older ones are forgotten beyond a number and a size."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Upload] = OrderedDict()

    def add(self, data: bytes) -> Upload:
        """Decode what was sent, by the same guarded path as all pictures, and keep it; raises ``ImageError``."""
        picture = images.read(data, side=_SIDE, pixels=self._limits.upload_pixels)
        image = picture.image
        if max(image.size) > _SIDE:
            image.thumbnail((_SIDE, _SIDE))
        upload = Upload(hashlib.sha256(data).hexdigest(), picture.info, image)
        with self._lock:
            self._kept[upload.sha256] = upload
            self._kept.move_to_end(upload.sha256)
            while len(self._kept) > self._limits.uploads:
                self._kept.popitem(last=False)
        return upload

    def find(self, digits: str) -> Upload | None:
        """Return the picture whose SHA-256 begins so, where exactly one does."""
        with self._lock:
            found = [upload for sha256, upload in self._kept.items() if sha256.startswith(digits)]
        return found[0] if len(found) == 1 else None

    def image(self, digits: str) -> Image | None:
        """Return the picture of ``find``."""
        upload = self.find(digits)
        return None if upload is None else upload.image

    def close(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
