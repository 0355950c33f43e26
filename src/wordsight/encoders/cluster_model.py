"""What the classical engine learns from exemplars, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.clustering import Prototypes, TwoStageConfig, fit_prototypes, recounted, unsupervised_prototypes
from wordsight.errors import BadInput
from wordsight.features.base import Feature, WordFeature
from wordsight.features.codebook_lists import DEFAULTS, learn, plan
from wordsight.features.pixels import Batch
from wordsight.features.projection import Projection, ProjectionConfig, fit_projection
from wordsight.features.registry import Preset
from wordsight.protocols import Image
from wordsight.types import Embeddings

_BATCH = 128
_SMALL_SIDE = 64
_MOST_ROWS = 12_000  # their inner products take a gigabyte
_WIDTHS = tuple(0.5 * 2 ** (step / 4) for step in range(21))  # 0.5 to 16


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to fit. ``features``: a list such as "hog,colour,patches"; ``preset``: for which kind of picture.

    ``None`` for either: chosen by the pictures' size. ``mirror``: learn from mirror images too.
    """

    features: str | None = None
    preset: Preset | None = None
    projection: ProjectionConfig = field(default_factory=ProjectionConfig)
    clustering: TwoStageConfig = field(default_factory=TwoStageConfig)
    mirror: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ClusterModel:
    """The statistics, their projection, and the prototypes in its space.

    ``width``: the distance, in spreads within a label, over which a label grows unlikely. ``exemplars``: content keys
    of the pictures it was fitted on. ``about``: how it was made.
    """

    features: tuple[Feature, ...]
    projection: Projection
    prototypes: Prototypes
    width: float = 1.0
    exemplars: frozenset[bytes] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        widths = sum(feature.dim for feature in self.features)
        if widths != len(self.projection.mean) or self.projection.dim != self.prototypes.dim:
            raise BadInput(
                f"statistics of {widths} numbers, a projection from {len(self.projection.mean)} to "
                f"{self.projection.dim} and prototypes of {self.prototypes.dim} do not fit together"
            )
        if not self.width > 0:
            raise BadInput(f"the width must be positive, got {self.width}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it knows."""
        return self.prototypes.labels

    def rows(self, images: Sequence[Image]) -> Embeddings:
        """Return the pictures in the space of the prototypes, (n, d)."""
        rows = np.empty((len(images), self.projection.dim), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = Batch(images[start : start + _BATCH])
            rows[start : start + _BATCH] = self.projection([feature(batch) for feature in self.features])
        return rows

    def rows_without_words(self, image: Image) -> Iterator[tuple[WordFeature, Embeddings]]:
        """Yield each statistic of visual words, and the picture's row without each of its words, (k, d)."""
        blocks = [feature([image]) for feature in self.features]
        rows = self.projection(blocks)
        start = 0
        for feature, block in zip(self.features, blocks, strict=True):
            if isinstance(feature, WordFeature):
                yield feature, self.projection.without(rows, start, block, feature.columns())
            start += feature.dim

    def shares(self, rows: Embeddings) -> Embeddings:
        """Return each label's share of each row, (n, labels): in [0, 1], a row sums to 1.

        It falls with the squared distance to the label's closest prototype, as under Gaussians of equal size, so the
        largest share is that of the closest prototype.
        """
        return _shares(self.prototypes.label_distances(rows), self.width)


def fit_model(
    images: Sequence[Image],
    targets: NDArray[np.float32],
    labels: Sequence[str],
    config: FitConfig | None = None,
    *,
    unlabelled: Sequence[Image] = (),
    exemplars: frozenset[bytes] = frozenset(),
) -> ClusterModel:
    """Learn from exemplars: ``targets`` (n, labels) are 1 where a picture has a label, else 0, -1 where it is unclear.

    ``unlabelled``: more pictures, for codebooks only. Raises ``BadInput`` for a label without exemplars, for fewer than
    two labels, and for statistics that are not known or do not fit.
    """
    config = config or FitConfig()
    if targets.shape != (len(images), len(labels)) or not len(images):
        raise BadInput(f"expected targets of {len(images)} exemplars x {len(labels)} labels, got {targets.shape}")
    copies = 2 if config.mirror else 1
    if copies * len(images) > _MOST_ROWS:
        raise BadInput(
            f"{len(images):,} exemplars are too many, the most are {_MOST_ROWS // copies:,}: take fewer a label"
        )
    empty = [label for label, column in zip(labels, targets.T, strict=True) if not (column > 0).any()]
    if empty:
        raise BadInput(f"no exemplar of {', '.join(map(repr, empty))}: every label needs at least one picture")
    preset, text, features = _features(images, unlabelled, config)
    blocks = statistics(features, images, mirror=config.mirror)
    about = {"features": text, "preset": preset, "exemplars": len(images), "seed": config.seed, "mirror": config.mirror}
    model = fit_on_statistics(features, blocks, targets, labels, config)
    return replace(model, exemplars=exemplars, about=about)


def fit_on_statistics(
    features: tuple[Feature, ...],
    blocks: Sequence[Embeddings],
    targets: NDArray[np.float32],
    labels: Sequence[str],
    config: FitConfig,
) -> ClusterModel:
    """Learn projection and prototypes, given what ``statistics`` returns for the exemplars."""
    copies = 2 if config.mirror else 1
    wanted = np.repeat(np.maximum(targets, 0), copies, axis=0).astype(np.float32)
    neutral = np.where(targets < 0, (targets > 0).mean(axis=0), targets)  # counts neither for nor against the label
    neutral = np.repeat(neutral, copies, axis=0).astype(np.float32)
    projection, held_out = fit_projection(blocks, neutral, config.projection, copies=copies, seed=config.seed)
    rows = projection(blocks)
    prototypes = fit_prototypes(rows, wanted, labels, config.clustering, seed=config.seed, copies=copies)
    width = 1.0 if held_out is None else _width(prototypes, held_out, wanted)
    prototypes = recounted(prototypes, rows[::copies], wanted[::copies])  # mirror images are no exemplars
    return ClusterModel(features, projection, prototypes, width)


def fit_unsupervised(
    images: Sequence[Image], k: int, config: FitConfig | None = None, *, exemplars: frozenset[bytes] = frozenset()
) -> tuple[ClusterModel, NDArray[np.int64]]:
    """Cluster pictures without labels by plain KMeans; return the model and the cluster of each picture, from 0.

    The labels are "cluster 1" (the largest) to "cluster k"; ``Prototypes.renamed`` gives them names.
    """
    config = config or FitConfig()
    if len(images) < k:
        raise BadInput(f"{len(images)} pictures cannot make {k} clusters: ask for fewer")
    preset, text, features = _features(images, (), config)
    blocks = statistics(features, images, mirror=False)
    # Whitening blows up directions that few pictures tell from noise: keep those that eight pictures each speak for.
    few = replace(
        config.projection, discriminant=False, components=min(config.projection.components, max(2, len(images) // 8))
    )
    projection = fit_projection(blocks, None, few, seed=config.seed).projection
    prototypes, assigned = unsupervised_prototypes(projection(blocks), k, seed=config.seed)
    width = float(np.sqrt(prototypes.spread.mean() / max(prototypes.dim, 1))) or 1.0
    about = {"features": text, "preset": preset, "exemplars": len(images), "seed": config.seed, "mirror": False}
    return ClusterModel(features, projection, prototypes, width, exemplars, about), assigned


def statistics(features: Sequence[Feature], images: Sequence[Image], *, mirror: bool) -> list[Embeddings]:
    """Return each statistic of the pictures, every picture followed by its mirror image."""
    shown: list[Image] = []
    for image in images:
        shown += [image, image.transpose(PILImage.Transpose.FLIP_LEFT_RIGHT)] if mirror else [image]
    return [
        np.concatenate([feature(shown[start : start + _BATCH]) for start in range(0, len(shown), _BATCH)])
        for feature in features
    ]


def preset_of(images: Sequence[Image]) -> Preset:
    """Return "small" where most pictures have a longest side of at most 64 pixels."""
    small = sum(max(image.size) <= _SMALL_SIDE for image in images)
    return "small" if 2 * small > len(images) else "photo"


def _shares(squares: Embeddings, width: float) -> Embeddings:
    logits = -0.5 * squares.astype(np.float64) / width**2
    given = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(given / given.sum(axis=1, keepdims=True), np.float32)


def _width(prototypes: Prototypes, held_out: Embeddings, targets: NDArray[np.float32]) -> float:
    """Return the width under which pictures that took no part in the fit have the likeliest labels."""
    squares = prototypes.label_distances(held_out)
    wanted = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)

    def surprise(width: float) -> float:
        return -float((wanted * np.log(_shares(squares, width) + 1e-9)).sum())

    return min(_WIDTHS, key=surprise)


def _features(
    images: Sequence[Image], unlabelled: Sequence[Image], config: FitConfig
) -> tuple[Preset, str, tuple[Feature, ...]]:
    preset = config.preset or preset_of(images)
    text = config.features or DEFAULTS[preset]
    return preset, text, learn(plan(text, preset), [*images, *unlabelled], seed=config.seed)
