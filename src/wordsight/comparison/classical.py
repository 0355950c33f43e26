"""The classical engine in many variations: pictures are described once, each variation fits on the descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from threading import Lock

import numpy as np

from wordsight.clustering import TwoStageConfig
from wordsight.comparison.cache import Store
from wordsight.comparison.material import Material
from wordsight.comparison.setup import Setup, digest
from wordsight.datasets.exemplars import Exemplars, read_pictures
from wordsight.datasets.task import TaskImage, altered
from wordsight.encoders.cluster import ClusterEncoder, side_of
from wordsight.encoders.cluster_model import ClusterModel, FitConfig, fit_on_statistics, preset_of, statistics
from wordsight.encoding import Progress, encode_images
from wordsight.errors import BadInput
from wordsight.features.base import Feature
from wordsight.features.codebook_lists import DEFAULTS, Planned, learn, plan
from wordsight.images.corruptions import Corruption
from wordsight.protocols import Image
from wordsight.types import Embeddings

_MORE_PICTURES = 2_000  # without labels, for codebooks, as `wordsight fit` takes
_PART = 32  # pictures that a thread describes at a time
_COPIES = 2  # a picture and its mirror image
_KEPT = 64  # fitted engines, a megabyte or two each: three scenarios ask for the same ones


class Variations:
    """Fits the classical engine as a ``Setup`` says. Codebooks are learned once, without labels, from all exemplars."""

    def __init__(self, material: Material, store: Store, *, seed: int, threads: int) -> None:
        if material.pictures is None or material.exemplars is None:
            raise BadInput("the classical engine needs exemplars: say where they are with --exemplars")
        self._material, self._store, self._seed, self._threads = material, store, seed, threads
        self._exemplars = replace(material.exemplars, items=material.pictures.items)
        self._images = material.pictures.images
        self._preset = preset_of(self._images)
        self._features: dict[Planned, Feature] = {}
        self._blocks: dict[Planned, Embeddings] = {}
        self._learning = Lock()
        self._fitted = lru_cache(maxsize=_KEPT)(self._fit)
        # Several experiments in a row ask for parts of one gallery.
        self._last: tuple[ClusterModel | None, Sequence[TaskImage], Corruption | None, Embeddings] = (
            None,
            (),
            None,
            np.empty((0, 0), np.float32),
        )

    def model(self, setup: Setup, labels: tuple[str, ...]) -> ClusterModel:
        """Return the engine fitted on exemplars of these ``labels`` alone."""
        seed = self._seed + setup.seed if setup.exemplars is not None else self._seed
        return self._fitted(labels, setup.exemplars, setup.clusters, setup.features, seed)

    def vectors(
        self,
        setup: Setup,
        model: ClusterModel,
        images: Sequence[TaskImage],
        spoiled: Corruption | None,
        progress: Progress | None = None,
    ) -> Embeddings:
        """Return the vectors of pictures, (n, dim). Their statistics are kept: other fits on them cost little."""
        known_model, known_images, known_spoiled, vectors = self._last
        if known_model is model and known_images is images and known_spoiled == spoiled:
            return vectors
        blocks = self._statistics(self._planned(setup.features), images, spoiled, progress)
        vectors = ClusterEncoder(model).encode_rows(model.projection(blocks))
        self._last = (model, images, spoiled, vectors)
        return vectors

    def _fit(
        self, labels: tuple[str, ...], each: int | None, clusters: int, features: str | None, seed: int
    ) -> ClusterModel:
        planned = self._planned(features)
        own = _of_labels(self._exemplars, labels)
        chosen, _ = own.sample(each, seed=seed)
        rows = {item.image_id: place for place, item in enumerate(self._exemplars.items)}
        places = np.asarray([rows[item.image_id] for item in chosen.items])
        both = (places[:, None] * _COPIES + np.arange(_COPIES)).ravel()
        blocks = [self._learned(item)[1][both] for item in planned]
        config = FitConfig(features=features, clustering=TwoStageConfig(clusters or None), seed=self._seed)
        used = tuple(self._learned(item)[0] for item in planned)
        model = fit_on_statistics(used, blocks, chosen.targets(), labels, config)
        keys = self._material.pictures.keys if self._material.pictures is not None else ()
        about = {
            "features": features or DEFAULTS[self._preset],
            "preset": self._preset,
            "exemplars": len(places),
            "seed": seed,
            "mirror": True,
        }
        return replace(model, about=about, exemplars=frozenset(keys))

    def _planned(self, features: str | None) -> tuple[Planned, ...]:
        return plan(features or DEFAULTS[self._preset], self._preset)

    def _learned(self, item: Planned) -> tuple[Feature, Embeddings]:
        """Return a statistic and the exemplars described by it, every picture followed by its mirror image."""
        with self._learning:  # several fits may ask for the same one at once
            if item not in self._features:
                more = self._material.unlabelled
                others: tuple[Image, ...] = ()
                if more is not None and more.items and not isinstance(item, Feature):
                    others = read_pictures(more.items[:_MORE_PICTURES]).images
                self._features[item] = learn([item], [*self._images, *others], seed=self._seed)[0]
                self._blocks[item] = self._with_mirrors(self._features[item])
        return self._features[item], self._blocks[item]

    def _with_mirrors(self, feature: Feature) -> Embeddings:
        parts = [self._images[start : start + _PART] for start in range(0, len(self._images), _PART)]
        with ThreadPoolExecutor(max(1, self._threads)) as pool:
            return np.concatenate(list(pool.map(lambda part: statistics([feature], part, mirror=True)[0], parts)))

    def _statistics(
        self,
        planned: Sequence[Planned],
        images: Sequence[TaskImage],
        spoiled: Corruption | None,
        progress: Progress | None,
    ) -> list[Embeddings]:
        """Return each statistic of the pictures; those that are not kept are made in one pass."""
        features = tuple(self._learned(item)[0] for item in planned)
        made: list[Embeddings] = []

        def part(place: int) -> Embeddings:
            if not made:
                shown = images if spoiled is None else altered(images, spoiled)
                rows, _ = encode_images(shown, _Statistics(features), threads=self._threads, progress=progress)
                made.extend(np.split(rows, np.cumsum([feature.dim for feature in features])[:-1], axis=1))
            return np.ascontiguousarray(made[place])

        ids = [image.image_id for image in images]
        keys = [digest(self._material.digest, self._seed, repr(item), ids, str(spoiled)) for item in planned]
        return [self._store.array(key, partial(part, place)) for place, key in enumerate(keys)]


class _Statistics:
    """Several statistics side by side, as if they were the image side of an encoder."""

    def __init__(self, features: tuple[Feature, ...]) -> None:
        self._features = features
        self.dim = sum(feature.dim for feature in features)
        sides = [side_of(feature.describe()) for feature in features]
        known = [side for side in sides if side is not None]
        self.image_side = max(known) if len(known) == len(sides) else None

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        return np.concatenate([feature(images) for feature in self._features], axis=1)


def _of_labels(exemplars: Exemplars, labels: tuple[str, ...]) -> Exemplars:
    """Return the exemplars that have one of these labels, with these alone."""
    if labels == exemplars.labels:
        return exemplars
    items = (
        replace(
            item,
            labels=tuple(label for label in item.labels if label in labels),
            difficult=tuple(label for label in item.difficult if label in labels),
        )
        for item in exemplars.items
    )
    return Exemplars(exemplars.name, labels, tuple(item for item in items if item.labels))
