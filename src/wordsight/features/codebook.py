"""Visual words: a codebook of local descriptors, and the picture statistic that it makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.clustering.kmeans import kmeans_large, nearest
from wordsight.errors import BadInput
from wordsight.features import codebook_encodings as encodings
from wordsight.features.base import Descriptors, LocalFeature, Occurrences
from wordsight.features.registry import local_from_description
from wordsight.protocols import Image
from wordsight.types import Embeddings

ENCODINGS = ("hard", "soft", "vlad", "fisher")
_SAMPLED = 400_000  # descriptors to learn from
_BATCH = 16


@dataclass(frozen=True, slots=True)
class WordsConfig:
    """``words`` of the codebook; how a place's descriptors are encoded; ``levels`` of the spatial pyramid.

    Descriptors are first reduced to ``components`` dimensions by PCA. "hard" and "soft" histograms are weighted by
    inverse frequency (tf-idf).
    """

    words: int = 64
    encoding: str = "fisher"
    levels: int = 1
    components: int = 64

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise BadInput(f"no encoding is called {self.encoding!r}; there are {', '.join(ENCODINGS)}")
        if min(self.words, self.components) < 1 or not 1 <= self.levels <= 4:
            raise BadInput(f"expected at least one word and component and 1 to 4 levels, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class VisualWords:
    """A picture statistic: its local descriptors, counted or compared by visual word.

    ``mean`` (d,) and ``reduce`` (d, c) project descriptors; ``words`` and ``deviations`` (k, c), ``shares`` and ``idf``
    (k,), ``width`` (1,) the mean distance to the closest word.
    """

    local: LocalFeature
    config: WordsConfig
    mean: NDArray[np.float32]
    reduce: NDArray[np.float32]
    words: NDArray[np.float32]
    deviations: NDArray[np.float32]
    shares: NDArray[np.float32]
    idf: NDArray[np.float32]
    width: NDArray[np.float32]

    name: ClassVar[str] = "visual-words"
    _arrays: ClassVar[tuple[str, ...]] = ("mean", "reduce", "words", "deviations", "shares", "idf", "width")

    def __post_init__(self) -> None:
        d, c, k = self.local.dim, self.reduce.shape[-1], self.config.words
        expected = ((d,), (d, c), (k, c), (k, c), (k,), (k,), (1,))
        shapes = tuple(getattr(self, name).shape for name in self._arrays)
        if shapes != expected:
            raise BadInput(f"a codebook of {k} words of {self.local.name} has arrays {expected}, got {shapes}")
        if not (self.deviations > 0).all() or not (self.width > 0).all():
            raise BadInput("the deviations and the width of a codebook are positive")

    @property
    def dim(self) -> int:
        """Length of a row."""
        k, c = self.words.shape
        each = {"hard": k, "soft": k, "vlad": k * c, "fisher": 2 * k * c}[self.config.encoding]
        return int(each * sum(4**level for level in range(self.config.levels)))

    @classmethod
    def fit(
        cls, local: LocalFeature, images: Sequence[Image], config: WordsConfig | None = None, *, seed: int = 0
    ) -> VisualWords:
        """Learn the words from pictures; labels are not needed. Raises ``BadInput`` for too few descriptors."""
        config = config or WordsConfig()
        values = _sampled(local, images, seed)
        if len(values) < config.words:
            raise BadInput(
                f"{len(images)} pictures have {len(values)} {local.name} descriptors, "
                f"too few for {config.words} words: ask for fewer words, or give larger pictures"
            )
        mean = values.mean(axis=0)
        _, directions = np.linalg.eigh(np.cov((values - mean).T.astype(np.float64)).reshape(local.dim, -1))
        reduce = directions[:, ::-1][:, : config.components].astype(np.float32)
        reduced = (values - mean) @ reduce
        words = kmeans_large(reduced, config.words, seed=seed).centroids
        _, squares = nearest(reduced, words)
        width = np.asarray([max(float(np.sqrt(squares.mean())), 1e-6)], np.float32)
        deviations, shares = np.ones_like(words), np.full(len(words), 1 / len(words), np.float32)
        if config.encoding == "fisher":
            words, deviations, shares = encodings.gaussians(reduced, words)
        parts = (mean, reduce, words, deviations, shares)
        idf = np.ones(len(words), np.float32)
        if config.encoding in ("hard", "soft"):
            plain = cls(local, WordsConfig(config.words, "hard", 1, config.components), *parts, idf, width)
            idf = encodings.inverse_frequency(plain(images))
        return cls(local, config, *parts, idf, width)

    def __call__(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, dim) float32, finite; zeros for a picture without descriptors."""
        rows = [self._encode(found) for found in _descriptors(self.local, images)]
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)

    def occurrences(self, image: Image) -> Occurrences:
        """Return which words the picture's descriptors are, and where; shares as the encoding gives them."""
        (found,) = self.local([image])
        values = self._reduced(found)
        if self.config.encoding == "soft":
            shares = encodings.soft_shares(values, self.words, float(self.width[0]))
        elif self.config.encoding == "fisher":
            shares = encodings.posteriors(values, self.words, self.deviations, self.shares)
        else:
            shares = np.eye(len(self.words), dtype=np.float32)[nearest(values, self.words)[0]]
        return Occurrences(found.positions, shares)

    def columns(self) -> NDArray[np.int64]:
        """Return (k, dim / k): which columns of a row tell about each word."""
        k, c = self.words.shape
        width = c if self.config.encoding in ("vlad", "fisher") else 1
        of_word = np.arange(self.dim).reshape(-1, k, width)  # cells, and the two halves of a Fisher vector
        return np.ascontiguousarray(of_word.transpose(1, 0, 2)).reshape(k, -1)

    def describe(self) -> dict[str, Any]:
        """Return name, local feature and configuration; with ``arrays()`` they are the whole codebook."""
        config = {name: getattr(self.config, name) for name in ("words", "encoding", "levels", "components")}
        return {"feature": self.name, "local": self.local.describe(), **config}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what was learned."""
        return {name: getattr(self, name) for name in self._arrays}

    @classmethod
    def from_parts(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> VisualWords:
        """Return the codebook that gave ``describe()`` and ``arrays()``; raises ``BadInput`` where they disagree."""
        config = {name: value for name, value in description.items() if name not in ("feature", "local")}
        local = local_from_description(description["local"])
        return cls(local, WordsConfig(**config), *(arrays[name] for name in cls._arrays))

    def _encode(self, found: Descriptors) -> NDArray[np.float32]:
        values = self._reduced(found)
        return np.concatenate(
            [self._cell(values[mask]) for mask in encodings.cells(found.positions, self.config.levels)]
        )

    def _reduced(self, found: Descriptors) -> Embeddings:
        return np.asarray((found.values - self.mean) @ self.reduce, np.float32)

    def _cell(self, values: Embeddings) -> NDArray[np.float32]:
        if self.config.encoding == "vlad":
            return encodings.vlad(values, self.words)
        if self.config.encoding == "fisher":
            return encodings.fisher(values, self.words, self.deviations, self.shares)
        if self.config.encoding == "soft":
            return encodings.soft(values, self.words, float(self.width[0])) * self.idf
        return encodings.hard(values, self.words) * self.idf


def _descriptors(local: LocalFeature, images: Sequence[Image]) -> Iterator[Descriptors]:
    for start in range(0, len(images), _BATCH):
        yield from local(images[start : start + _BATCH])


def _sampled(local: LocalFeature, images: Sequence[Image], seed: int) -> Embeddings:
    """Return at most ``_SAMPLED`` descriptors, as many from each picture."""
    rng = np.random.default_rng(seed)
    each = -(-_SAMPLED // max(len(images), 1))
    parts = [rng.permutation(found.values)[:each] for found in _descriptors(local, images)]
    return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, local.dim), np.float32)
