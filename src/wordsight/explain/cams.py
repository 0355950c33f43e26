"""Class activation maps on any backbone that gives a layer's activations and their gradients.

Values below zero, which speak against a text, are cut off in each view's map, as in the papers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.explain import rules
from wordsight.explain.masks import LOGIT_SCALE, masked_values, softmax
from wordsight.explain.method import Maps, Method
from wordsight.explain.objective import Objective
from wordsight.explain.options import ExplainOptions
from wordsight.protocols import Image
from wordsight.types import Embeddings

Array = NDArray[np.float32]


class Layer(NamedTuple):
    """A layer of one view: activations (c, h, w), and the objectives' gradients for them, (m, c, h, w).

    Gradients that all places share are (m, c, 1, 1).
    """

    activations: Array
    gradients: Array


class Ablated(NamedTuple):
    """A layer of one view: activations (c, h, w), the embedding (1, dim), and those without each channel, (c, dim)."""

    activations: Array
    whole: Embeddings
    without: Embeddings


class Backbone(Protocol):
    """A network whose layer before the pooling can be looked at."""

    @property
    def stride(self) -> int | None:
        """Views may have any sides that are multiples of it; ``None``: squares of the encoder's own side only."""

    def layers(self, views: Sequence[Image], objective: Objective) -> Iterator[Layer]:
        """Yield the layer of each view."""

    def ablated(self, view: Image) -> Ablated:
        """Return what becomes of a view without each channel: with zeros in its place."""

    def embed(self, views: Sequence[Image]) -> Embeddings:
        """Return the (n, dim) embeddings of views."""


class Cam:
    """The rule called ``name`` of ``rules``."""

    def __init__(self, name: str, backbone: Backbone, options: ExplainOptions) -> None:
        self.name, self._backbone, self._smooth = name, backbone, options.eigen_smooth
        self.stride = backbone.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(layer) for layer in self._backbone.layers(views, objective)])

    def _one(self, layer: Layer) -> Array:
        places = layer.activations[0].size  # a larger view shares a gradient among more of them
        maps = [rules.cam(self.name, layer.activations, g, eigen_smooth=self._smooth) for g in layer.gradients]
        return np.asarray(np.maximum(np.stack(maps), 0) * places, np.float32)


class AblationCam:
    """Activations weighted by how much of the objective is lost without their channel.

    Desai and Ramaswamy 2020, "Ablation-CAM" (WACV).
    """

    name = "ablationcam"

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.stride = backbone.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Array:
        activations, embedding, embeddings = self._backbone.ablated(view)
        whole = objective.values(embedding)[0]
        weights = (whole - objective.values(embeddings)) / np.maximum(np.abs(whole), 1e-12)
        return np.asarray(np.maximum(np.einsum("cm,chw->mhw", weights, activations), 0), np.float32)


class ScoreCam:
    """Activations weighted by the objective of the view seen through them.

    Wang et al. 2020, "Score-CAM" (CVPR workshops), for all channels; with ``channels``, only those whose mean gradient
    is largest: Chen et al. 2022, "gScoreCAM: what objects is CLIP looking at?" (ACCV).
    """

    def __init__(self, backbone: Backbone, channels: int | None = None) -> None:
        self.name = "scorecam" if channels is None else "gscorecam"
        self._backbone, self._channels = backbone, channels
        self.stride = backbone.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        layers = self._backbone.layers(views, objective)
        return np.stack([self._one(view, layer, objective) for view, layer in zip(views, layers, strict=True)])

    def _one(self, view: Image, layer: Layer, objective: Objective) -> Array:
        means = layer.gradients.mean(axis=(2, 3))
        kept = [np.argsort(-row, kind="stable")[: self._channels] for row in means]
        asked = np.unique(np.concatenate(kept))  # a channel that several texts ask for is shown once
        values = masked_values(
            view, layer.activations[asked], lambda seen: objective.values(self._backbone.embed(seen))
        )
        maps = []
        for column, channels in enumerate(kept):
            weights = softmax(LOGIT_SCALE * values[np.searchsorted(asked, channels), column])
            maps.append(np.tensordot(weights, layer.activations[channels], axes=1))
        return np.maximum(np.asarray(maps, np.float32), 0)


def cam_methods(backbone: Backbone) -> dict[str, Callable[[ExplainOptions], Method]]:
    """Return all methods of this module on the backbone, by name."""

    def rule(name: str) -> Callable[[ExplainOptions], Method]:
        return lambda options: Cam(name, backbone, options)

    return {name: rule(name) for name in rules.RULES} | {
        "ablationcam": lambda _: AblationCam(backbone),
        "gscorecam": lambda options: ScoreCam(backbone, options.channels),
        "scorecam": lambda _: ScoreCam(backbone),
    }
