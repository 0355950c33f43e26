"""The outline of the main thing in a picture, as Fourier descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.opencv import opencv
from wordsight.features.pixels import grey_fitted
from wordsight.protocols import Image

_SAMPLES = 256


@dataclass(frozen=True)
class Contour(Described):
    """Fourier descriptors of the main contour (Zahn and Roskies 1972; this form: Persoon and Fu 1977).

    Luma is split by Otsu's threshold; of both parts the thing is the one that touches the frame less; its largest outer
    contour is read as a closed curve in the complex plane. Magnitudes of the coefficients 1, -1, 2, -2, ... up to
    ``harmonics``, divided by their root sum of squares over all but the 0th: place, size, turn, and starting point do
    not count. Values lie in [0, 1]; zeros where there is no contour. Needs OpenCV: raises ``MissingExtra``.
    """

    name: ClassVar[str] = "contour"
    side: int = 128
    harmonics: int = 16

    def __post_init__(self) -> None:
        self._require(self.side >= 3, "a side of at least 3")
        self._require(1 <= self.harmonics < _SAMPLES // 2, f"1 to {_SAMPLES // 2 - 1} harmonics")

    @property
    def dim(self) -> int:
        """Length of a row: 2 x harmonics."""
        return 2 * self.harmonics

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32 in [0, 1]."""
        cv2 = opencv("contour features")
        rows = [self._row(cv2, grey_fitted(image, self.side)) for image in images]
        return np.stack(rows).astype(np.float32) if rows else np.empty((0, self.dim), np.float32)

    def _row(self, cv2: Any, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        outline = _main_contour(cv2, grey)
        curve = None if outline is None else _resampled(outline)
        if curve is None:
            return np.zeros(self.dim)
        size = np.abs(np.fft.fft(curve))
        size[0] = 0
        order = np.arange(1, self.harmonics + 1)
        pairs: NDArray[np.float64] = np.stack([size[order], size[-order]], axis=1).ravel()
        pairs /= np.sqrt(size @ size)
        return pairs


def _main_contour(cv2: Any, grey: NDArray[np.uint8]) -> NDArray[np.complex128] | None:
    """Return the points of the largest outer contour of the thing, clockwise as seen, or ``None``."""
    _, bright = cv2.threshold(cv2.GaussianBlur(grey, (5, 5), 0), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    frame = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    thing = bright if frame.mean() <= 0.5 else 1 - bright
    contours, _ = cv2.findContours(thing, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    points = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    if cv2.contourArea(points.astype(np.float32), oriented=True) < 0:
        points = points[::-1]
    outline: NDArray[np.complex128] = points[:, 0] + 1j * points[:, 1]
    return outline


def _resampled(outline: NDArray[np.complex128]) -> NDArray[np.complex128] | None:
    """Return points at equal steps along the closed curve; ``None`` for one of no length."""
    closed = np.append(outline, outline[0])
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(closed)))])
    if along[-1] == 0:
        return None
    steps = np.arange(_SAMPLES) * along[-1] / _SAMPLES
    points: NDArray[np.complex128] = np.interp(steps, along, closed.real) + 1j * np.interp(steps, along, closed.imag)
    return points
