"""Class activation maps of encoders with a linear head (the shipped one): gradients are formulas, no torch is needed.

With features A (c, h, w), mean a, head W, b, g = W a + b and embedding e = g / |g|, an objective with gradient D for e
has the gradient ``W^T (D - (D . e) e) / |g| / (h w)`` for A at every place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.explain import rules
from wordsight.explain.masks import LOGIT_SCALE, masked_values, softmax
from wordsight.explain.method import Maps, embed
from wordsight.explain.objective import Objective
from wordsight.explain.options import ExplainOptions
from wordsight.protocols import Image, LinearHead, LinearHeadEncoder
from wordsight.types import Embeddings, Metric

Array = NDArray[np.float32]


class Layer(NamedTuple):
    """The last features of one view, (c, h, w), and the gradients of the objectives for them, (m, c)."""

    activations: Array
    gradients: Array


class LinearBackbone:
    """Gives features and their gradients; ``head`` is the encoder's."""

    def __init__(self, encoder: LinearHeadEncoder, head: LinearHead) -> None:
        self.encoder, self.head = encoder, head

    def layers(self, views: Sequence[Image], objective: Objective) -> Iterator[Layer]:
        """Yield the layer of each view."""
        features = self.encoder.last_features(views, as_is=True)
        directions, lengths = self._towards(features.mean(axis=(2, 3)), objective)
        scale = lengths * features.shape[2] * features.shape[3]
        gradients = (directions @ self.head.weight) / scale[:, None, None]
        yield from map(Layer, features, gradients)

    def embedded(self, means: Embeddings) -> Embeddings:
        """Return the (n, dim) embeddings of (n, c) mean features."""
        rows = means @ self.head.weight.T + self.head.bias
        return np.asarray(rows / _lengths(rows, self.encoder.metric)[:, None], np.float32)

    def _towards(self, means: Embeddings, objective: Objective) -> tuple[Array, Array]:
        """Return (n, m, d): the objective's gradient where vectors keep their length, and these lengths (n,)."""
        rows = means @ self.head.weight.T + self.head.bias
        lengths = _lengths(rows, self.encoder.metric)
        embeddings = rows / lengths[:, None]
        directions = objective.directions(embeddings)
        if self.encoder.metric is Metric.COSINE:
            along = np.einsum("nmd,nd->nm", directions, embeddings)
            directions = directions - along[:, :, None] * embeddings[:, None]
        return directions, lengths


class LinearCam:
    """The rule called ``name`` of ``rules`` on the last features."""

    positive = True

    def __init__(self, name: str, backbone: LinearBackbone, options: ExplainOptions) -> None:
        self.name, self._backbone, self._smooth = name, backbone, options.eigen_smooth
        self.stride = backbone.encoder.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(layer) for layer in self._backbone.layers(views, objective)])

    def _one(self, layer: Layer) -> Array:
        places = layer.activations[0].size  # a larger view shares a gradient among more of them
        maps = [
            rules.cam(self.name, layer.activations, gradient[:, None, None], eigen_smooth=self._smooth)
            for gradient in layer.gradients
        ]
        return np.stack(maps) * np.float32(places)


class LinearAblationCam:
    """Activations weighted by how much of the objective is lost without their channel.

    Desai and Ramaswamy 2020, "Ablation-CAM" (WACV). The head being linear, no further run of the network is needed.
    """

    name = "ablationcam"
    positive = True

    def __init__(self, backbone: LinearBackbone) -> None:
        self._backbone = backbone
        self.stride = backbone.encoder.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        features = self._backbone.encoder.last_features(views, as_is=True)
        return np.stack([self._one(activations, objective) for activations in features])

    def _one(self, activations: Array, objective: Objective) -> Array:
        mean = activations.mean(axis=(1, 2))
        without = np.where(np.eye(len(mean), dtype=bool), np.float32(0), mean)
        whole = objective.values(self._backbone.embedded(mean[None]))[0]
        lost = whole - objective.values(self._backbone.embedded(without))
        weights = lost / np.maximum(np.abs(whole), 1e-12)
        return np.asarray(np.einsum("cm,chw->mhw", weights, activations), np.float32)


class LinearScoreCam:
    """Activations weighted by the objective of the view seen through them.

    Wang et al. 2020, "Score-CAM" (CVPR workshops), for all channels; with ``channels``, only those whose gradient is
    largest: Chen et al. 2022, "gScoreCAM: what objects is CLIP looking at?" (ACCV).
    """

    positive = True

    def __init__(self, backbone: LinearBackbone, channels: int | None = None) -> None:
        self.name = "scorecam" if channels is None else "gscorecam"
        self._backbone, self._channels = backbone, channels
        self.stride = backbone.encoder.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        layers = self._backbone.layers(views, objective)
        return np.stack([self._one(view, layer, objective) for view, layer in zip(views, layers, strict=True)])

    def _one(self, view: Image, layer: Layer, objective: Objective) -> Array:
        kept = [np.argsort(-row, kind="stable")[: self._channels] for row in layer.gradients]
        asked = np.unique(np.concatenate(kept))  # a channel that several texts ask for is shown once
        encoder = self._backbone.encoder
        values = masked_values(
            view, layer.activations[asked], lambda seen: objective.values(embed(encoder, seen, self.stride))
        )
        maps = []
        for column, channels in enumerate(kept):
            weights = softmax(LOGIT_SCALE * values[np.searchsorted(asked, channels), column])
            maps.append(np.tensordot(weights, layer.activations[channels], axes=1))
        return np.asarray(maps, np.float32)


def _lengths(rows: Embeddings, metric: Metric) -> Array:
    if metric is not Metric.COSINE:
        return np.ones(len(rows), np.float32)
    return np.asarray(np.maximum(np.linalg.norm(rows, axis=1), 1e-12), np.float32)
