"""Visual words of whitened raw patches with the triangle encoding.

Coates, Lee and Ng 2011, "An analysis of single-layer networks in unsupervised feature learning" (AISTATS): with dense
patches, whitening and many words, plain KMeans gave the best statistic of small pictures. The words are learned from
pictures without labels: the more, the better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.clustering.kmeans import kmeans_large
from wordsight.errors import BadInput
from wordsight.features.base import Occurrences
from wordsight.features.patches import contrast_normalised
from wordsight.protocols import Image
from wordsight.types import Embeddings

_PATCHES_A_WORD = 256  # more moves the words no further


@dataclass(frozen=True, slots=True)
class PatchConfig:
    """How patches become a vector.

    Pictures are squashed to ``side`` pixels; every ``stride`` there is a ``patch`` x ``patch`` one. ``contrast`` is
    added to a patch's variance (grey levels squared), ``whitening`` to the variances of the principal directions.
    The answers to ``words`` are summed over ``grid`` x ``grid`` cells.
    """

    side: int = 32
    patch: int = 6
    stride: int = 1
    words: int = 800
    grid: int = 2
    contrast: float = 10.0
    whitening: float = 0.1

    def __post_init__(self) -> None:
        cells = (self.side - self.patch) // max(self.stride, 1) + 1
        if min(self.patch, self.stride, self.words, self.grid) < 1 or cells < self.grid or self.side > 1024:
            raise BadInput(f"expected patches that fit into the side with at least one a cell, got {self}")
        if not (self.contrast > 0 and self.whitening > 0):
            raise BadInput(f"contrast and whitening must be positive, got {self}")

    @property
    def places(self) -> int:
        """Patches along one side."""
        return (self.side - self.patch) // self.stride + 1


@dataclass(frozen=True, slots=True, eq=False)
class PatchCodebook:
    """A picture statistic: how far nearer than average its patches come to each word, summed over cells.

    ``mean`` (p,) and ``whiten`` (p, p) of contrast-normalised patches, p = 3 * patch ** 2; ``words`` (k, p).
    """

    config: PatchConfig
    mean: NDArray[np.float32]
    whiten: NDArray[np.float32]
    words: NDArray[np.float32]

    name: ClassVar[str] = "patch-words"

    def __post_init__(self) -> None:
        p, k = 3 * self.config.patch**2, self.config.words
        shapes = (self.mean.shape, self.whiten.shape, self.words.shape)
        if shapes != ((p,), (p, p), (k, p)):
            raise BadInput(f"a codebook of {self.config} has arrays {(p,)}, {(p, p)}, {(k, p)}, got {shapes}")

    @property
    def dim(self) -> int:
        """Length of a row."""
        return self.config.words * self.config.grid**2

    @classmethod
    def fit(cls, images: Sequence[Image], config: PatchConfig | None = None, *, seed: int = 0) -> PatchCodebook:
        """Learn the words from pictures; labels are not needed. Raises ``BadInput`` for too few pictures."""
        config = config or PatchConfig()
        rng = np.random.default_rng(seed)
        each = -(-_PATCHES_A_WORD * config.words // max(len(images), 1))
        patches = [
            rng.permutation(found)[:each] for image in images for found in [_patches(_pixels(image, config), config)]
        ]
        rows = np.concatenate(patches) if patches else np.empty((0, 3 * config.patch**2), np.float32)
        if len(rows) < 2 * config.words:
            raise BadInput(f"{len(images)} pictures have too few patches for {config.words} words: ask for fewer words")
        mean = rows.mean(axis=0)
        values, directions = np.linalg.eigh(np.cov((rows - mean).T.astype(np.float64)))
        whiten = ((directions / np.sqrt(np.maximum(values, 0.0) + config.whitening)) @ directions.T).astype(np.float32)
        words = kmeans_large((rows - mean) @ whiten, config.words, seed=seed).centroids
        return cls(config, mean, whiten, words)

    def __call__(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, words * grid ** 2) float32, not negative."""
        if not images:
            return np.empty((0, self.dim), np.float32)
        half = 0.5 * np.einsum("kp,kp->k", self.words, self.words)
        transposed = np.ascontiguousarray(self.words.T)
        pool = _pooling(self.config)
        return np.stack([self._encode(image, transposed, half, pool) for image in images])

    def describe(self) -> dict[str, Any]:
        """Return name and configuration; with ``arrays()`` they are the whole codebook."""
        return {"feature": self.name, **asdict(self.config)}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what was learned."""
        return {"mean": self.mean, "whiten": self.whiten, "words": self.words}

    @classmethod
    def from_parts(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> PatchCodebook:
        """Return the codebook that gave ``describe()`` and ``arrays()``; raises ``BadInput`` where they disagree."""
        config = {name: value for name, value in description.items() if name != "feature"}
        return cls(PatchConfig(**config), arrays["mean"], arrays["whiten"], arrays["words"])

    def occurrences(self, image: Image) -> Occurrences:
        """Return how much nearer than average each patch comes to each word."""
        config = self.config
        line = (np.arange(config.places) * config.stride + config.patch / 2) / config.side
        down, right = np.meshgrid(line, line, indexing="ij")
        positions = np.stack([right.ravel(), down.ravel()], axis=1).astype(np.float32)
        half = 0.5 * np.einsum("kp,kp->k", self.words, self.words)
        return Occurrences(positions, self._closeness(image, np.ascontiguousarray(self.words.T), half))

    def columns(self) -> NDArray[np.int64]:
        """Return (k, cells): which columns of a row tell about each word."""
        return np.ascontiguousarray(np.arange(self.dim).reshape(-1, self.config.words).T)

    def _encode(
        self, image: Image, words: Embeddings, half: NDArray[np.float32], pool: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return np.asarray(pool @ self._closeness(image, words, half), np.float32).ravel()

    def _closeness(self, image: Image, words: Embeddings, half: NDArray[np.float32]) -> Embeddings:
        """Return (places ** 2, k): how much nearer than to all words on average a patch comes to each, or 0."""
        rows = (_patches(_pixels(image, self.config), self.config) - self.mean) @ self.whiten
        distances = rows @ words
        distances -= half
        distances *= -2
        distances += np.einsum("np,np->n", rows, rows)[:, None]
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        np.subtract(distances.mean(axis=1, keepdims=True), distances, out=distances)
        return np.asarray(np.maximum(distances, 0, out=distances), np.float32)


def _pixels(image: Image, config: PatchConfig) -> NDArray[np.float32]:
    size = (config.side, config.side)
    if image.size != size:
        image = image.resize(size, PILImage.Resampling.BILINEAR)
    return np.asarray(image, np.float32)


def _patches(pixels: NDArray[np.float32], config: PatchConfig) -> NDArray[np.float32]:
    """Return the patches of a picture, each without its mean and with unit contrast, (places ** 2, p)."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (config.patch, config.patch), axis=(0, 1))
    rows = windows[:: config.stride, :: config.stride].reshape(config.places**2, -1)
    return contrast_normalised(rows, config.contrast)


def _pooling(config: PatchConfig) -> NDArray[np.float32]:
    """Return (grid ** 2, places ** 2): which cell a patch belongs to, scaled so that sums do not grow with them."""
    cell = np.arange(config.places) * config.grid // config.places
    of_patch = (cell[:, None] * config.grid + cell).ravel()
    pool = (np.arange(config.grid**2)[:, None] == of_patch).astype(np.float32)
    return np.asarray(pool / pool.sum(axis=1, keepdims=True), np.float32)
