"""Raw patches and their whitening, for a codebook of patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.features.base import Described, Descriptors
from wordsight.features.pixels import colour_squares, grey_squares
from wordsight.protocols import Image


@dataclass(frozen=True)
class Patches(Described):
    """All ``size`` x ``size`` patches at every ``stride`` pixels (Coates, Lee and Ng, AISTATS 2011), section 3.1.

    Pictures are squeezed to ``side`` pixels, sRGB (luma without ``colour``). Each patch loses its mean, then is divided
    by sqrt(variance + ``contrast``), levels being 0 to 255, so flat patches are not blown up. Whitening comes after:
    ``Whitening.fit`` on a sample. A patch runs row by row, channels innermost.
    """

    name: ClassVar[str] = "patches"
    side: int = 64
    size: int = 6
    stride: int = 1
    colour: bool = True
    contrast: float = 10.0

    def __post_init__(self) -> None:
        self._require(min(self.size, self.stride) >= 1, "size and stride of at least 1")
        self._require(self.size <= self.side, "a size of at most side")
        self._require(self.contrast > 0, "a contrast above 0")

    @property
    def dim(self) -> int:
        """Length of a patch: size x size x channels."""
        return self.size * self.size * (3 if self.colour else 1)

    @property
    def across(self) -> int:
        """Patches in one line; a picture has its square."""
        return (self.side - self.size) // self.stride + 1

    def __call__(self, images: Sequence[Image]) -> list[Descriptors]:
        """Return the across x across patches of each picture, row by row."""
        line = (np.arange(self.across) * self.stride + self.size / 2) / self.side
        down, right = np.meshgrid(line, line, indexing="ij")
        positions = np.stack([right.ravel(), down.ravel()], axis=1).astype(np.float32)
        return [Descriptors(positions.copy(), self.grid([image]).reshape(-1, self.dim)) for image in images]

    def grid(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Return all patches as (n, across, across, dim) float32: across^2 x dim x 4 bytes a picture, so mind n."""
        read = colour_squares if self.colour else grey_squares
        channels = 3 if self.colour else 1
        levels = read(images, self.side).reshape(len(images), self.side, self.side, channels).astype(np.float32)
        windows = sliding_window_view(levels, (self.size, self.size), axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
        patches: NDArray[np.float32] = windows.reshape(len(images), self.across, self.across, self.dim)
        return contrast_normalised(patches, self.contrast)


def contrast_normalised(patches: NDArray[np.float32], contrast: float) -> NDArray[np.float32]:
    """Return (..., d) patches without their mean, divided by sqrt(variance + ``contrast``)."""
    normed: NDArray[np.float32] = np.subtract(patches, patches.mean(axis=-1, keepdims=True))
    variance = np.einsum("...i,...i->...", normed, normed) / np.float32(normed.shape[-1])
    normed /= np.sqrt(variance + np.float32(contrast))[..., None]
    return normed


@dataclass(frozen=True, eq=False)
class Whitening:
    """ZCA whitening (Bell and Sejnowski 1997): x -> (x - ``mean``) @ ``matrix``; uncorrelated, as near x as can be."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def fit(cls, patches: NDArray[np.float32], epsilon: float = 0.1) -> Whitening:
        """Return the whitening of (k, d) patches; ``epsilon`` is added to each variance and damps the finest detail.

        Raises ``BadInput`` for fewer than two patches.
        """
        if patches.ndim != 2 or len(patches) < 2:
            raise BadInput(f"whitening expected (k, d) patches with k of at least 2, got {patches.shape}")
        values = patches.astype(np.float64)
        mean = values.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(values, rowvar=False).reshape(patches.shape[1], -1))
        matrix = axes / np.sqrt(np.maximum(variances, 0) + epsilon) @ axes.T
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def __call__(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (..., d) whitened patches."""
        whitened: NDArray[np.float32] = np.matmul(patches - self.mean, self.matrix)
        return whitened
