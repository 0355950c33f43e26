"""Descriptors at places that stand out: SIFT and ORB, by OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Descriptors
from wordsight.features.opencv import opencv
from wordsight.features.pixels import grey_shrunk
from wordsight.protocols import Image

_SMALLEST = 8
"""Pixels. OpenCV's pyramids need some; a narrower picture has no descriptors."""


@dataclass(frozen=True)
class Sift(Described):
    """SIFT (Lowe, IJCV 2004) at the places that stand out most, turned and scaled with the picture.

    Pictures whose longest side is above ``side`` pixels are shrunk to it. At most ``most`` places a picture (0: all)
    whose contrast is at least ``contrast``. ``root``: RootSIFT (Arandjelovic and Zisserman, CVPR 2012), of unit length
    with no negative value; without, OpenCV's values in [0, 255]. Needs OpenCV: raises ``MissingExtra``.
    """

    name: ClassVar[str] = "sift"
    side: int = 320
    most: int = 500
    contrast: float = 0.04
    root: bool = True

    def __post_init__(self) -> None:
        self._require(self.side >= _SMALLEST, f"a side of at least {_SMALLEST}")
        self._require(self.most >= 0 and self.contrast >= 0, "most and contrast of at least 0")

    @property
    def dim(self) -> int:
        """Length of a descriptor: 128."""
        return 128

    def __call__(self, images: Sequence[Image]) -> list[Descriptors]:
        """Return up to ``most`` descriptors of each picture, strongest places first."""
        cv2 = opencv("SIFT features")
        detector = cv2.SIFT_create(nfeatures=self.most, contrastThreshold=self.contrast)
        found = [_detected(detector, grey_shrunk(image, self.side), self.most, self.dim) for image in images]
        return [Descriptors(d.positions, root_sift(d.values)) for d in found] if self.root else found


@dataclass(frozen=True)
class Orb(Described):
    """ORB (Rublee, Rabaud, Konolige and Bradski, ICCV 2011): 256 yes-or-no comparisons around each corner.

    Each bit is a number, 0 or 1, so squared Euclidean distance is Hamming distance. ``side`` and ``most`` as for SIFT,
    but ``most`` is at least 1. Needs OpenCV: raises ``MissingExtra``.
    """

    name: ClassVar[str] = "orb"
    side: int = 320
    most: int = 500

    def __post_init__(self) -> None:
        self._require(self.side >= _SMALLEST and self.most >= 1, f"a side of at least {_SMALLEST}, most of at least 1")

    @property
    def dim(self) -> int:
        """Length of a descriptor: 256."""
        return 256

    def __call__(self, images: Sequence[Image]) -> list[Descriptors]:
        """Return up to ``most`` descriptors of each picture, strongest corners first."""
        detector = opencv("ORB features").ORB_create(nfeatures=self.most)
        found = [_detected(detector, grey_shrunk(image, self.side), self.most, self.dim // 8) for image in images]
        return [Descriptors(d.positions, _bits(d.values)) for d in found]


def root_sift(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (k, d) histograms divided by their sum, under the root: unit length; rows of zeros stay zeros."""
    total = values.sum(axis=-1, keepdims=True)
    rooted: NDArray[np.float32] = np.sqrt(values / np.where(total > 0, total, np.float32(1)))
    return rooted


def _detected(detector: Any, grey: NDArray[np.uint8], most: int, width: int) -> Descriptors:
    height, length = grey.shape
    none = Descriptors(np.empty((0, 2), np.float32), np.empty((0, width), np.float32))
    if min(height, length) < _SMALLEST:
        return none
    places, values = detector.detectAndCompute(grey, None)
    if values is None or not places:
        return none
    order = sorted(range(len(places)), key=lambda i: (-places[i].response, places[i].pt, places[i].angle))
    order = order[: most or None]
    centres = np.array([places[i].pt for i in order], np.float32) + np.float32(0.5)
    positions: NDArray[np.float32] = np.clip(centres / np.array([length, height], np.float32), 0, 1)
    return Descriptors(positions, np.asarray(values[order], np.float32))


def _bits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.unpackbits(values.astype(np.uint8), axis=1).astype(np.float32)
