"""The classical engine: labels learned from exemplars, pictures described by statistics, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wordsight.encoders import cluster_file
from wordsight.encoders.cluster_model import ClusterModel
from wordsight.encoders.cluster_words import WordReader
from wordsight.features.base import WordFeature
from wordsight.features.codebook_lists import arrays_of
from wordsight.protocols import Encoder, Image, WordVotes
from wordsight.types import Embeddings, Metric

_LOOK = 0.1


class ClusterEncoder:
    """Puts pictures and the labels it was fitted on into one space.

    A label may have several prototypes, but a text gets one vector. So a picture's vector holds, for each label, the
    square root of the label's share by its closest prototype, and a text's the square root of its weight on each
    label: both are distributions, and the cosine is their overlap (Bhattacharyya 1943). For a label, it is the root of
    the label's share, so the label that scores best is that of the closest prototype. A tenth of a picture's squared
    length is its place in the projection's space, where texts are zero: so pictures of one label still differ when a
    picture is the query, and the order for a text does not change. All values lie in [-1, 1].

    ``texts`` opens an encoder of free texts, for words that are no label.
    """

    metric = Metric.COSINE
    label_prompts = ("{}",)

    def __init__(
        self, model: ClusterModel, *, name: str = "cluster", texts: Callable[[], Encoder] | None = None
    ) -> None:
        self.model = model
        self.name = name
        self.fingerprint = _fingerprint(model)
        self.vocabulary: tuple[str, ...] | None = model.labels
        self.dim = len(model.labels) + model.projection.dim
        self._words = WordReader(model.labels, texts)

    @classmethod
    def load(cls, file: Path, *, texts: Callable[[], Encoder] | None = None) -> ClusterEncoder:
        """Read a ``.wsc`` file; nothing in it is executed. Raises ``ModelError`` for any that is not sound."""
        return cls(cluster_file.read(file), name=file.name, texts=texts)

    def save(self, file: Path) -> None:
        """Write a ``.wsc`` file; raises ``BadInput`` where that cannot be done."""
        cluster_file.write(self.model, file)

    @property
    def exemplars(self) -> frozenset[bytes]:
        """The content keys of the pictures it was fitted on."""
        return self.model.exemplars

    @property
    def image_side(self) -> int | None:
        """The largest side that a statistic looks at."""
        sides = [side_of(feature.describe()) for feature in self.model.features]
        known = [side for side in sides if side is not None]
        return max(known) if len(known) == len(sides) else None

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, dim) float32 of unit length."""
        return self.encode_rows(self.model.rows(images))

    def encode_rows(self, rows: Embeddings) -> Embeddings:
        """Return the vectors (n, dim) of pictures whose place in the projection's space is known, (n, d)."""
        shares = self.model.shares(rows)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        look = np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 1 / np.sqrt(max(rows.shape[1], 1)))
        return _unit(np.concatenate([np.sqrt((1 - _LOOK) * shares), np.sqrt(_LOOK) * look], axis=1))

    @property
    def codebooks(self) -> tuple[str, ...]:
        """Names of the statistics that count visual words."""
        return tuple(feature.name for feature in self.model.features if isinstance(feature, WordFeature))

    def word_votes(self, image: Image) -> list[WordVotes]:
        """Return what each of the ``codebooks`` sees."""
        return [
            WordVotes(*feature.occurrences(image), self.encode_rows(rows))
            for feature, rows in self.model.rows_without_words(image)
        ]

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (m, dim) float32 of unit length; raises ``UnknownQuery`` for a text that stands for no label."""
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[: len(self.model.labels)] = np.sqrt(self._words.read(text).weights)
        return _unit(rows)

    def remarks(self, text: str) -> tuple[str, ...]:
        """Return as which labels a text is read that is none of them: "puppy -> dog 0.81"."""
        remark = self._words.read(text).remark
        return () if remark is None else (remark,)


def side_of(description: object) -> int | None:
    """Return the side in pixels that a described statistic looks at, its local feature's where it has one."""
    if not isinstance(description, dict):
        return None
    side = description.get("side", side_of(description.get("local")))
    return side if isinstance(side, int) and side > 0 else None


def _fingerprint(model: ClusterModel) -> str:
    """Digest what a picture's vector depends on: all but the names of the labels."""
    digest = hashlib.sha256(f"cluster 1 {model.width!r} {_LOOK}".encode())
    for feature in model.features:
        digest.update(json.dumps(feature.describe(), sort_keys=True).encode())
        for name, array in sorted(arrays_of(feature).items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    projection, prototypes = model.projection, model.prototypes
    digest.update(repr((projection.matrix.shape, prototypes.centroids.shape)).encode())
    for values in (projection.mean, projection.matrix, prototypes.centroids):
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(prototypes.owners.tobytes())
    return digest.hexdigest()


def _unit(rows: Embeddings) -> Embeddings:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
