"""What a method is: it turns views and an objective into raw maps. Everything else is common to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.explain.objective import Objective
from wordsight.protocols import Encoder, Image, SpatialEncoder
from wordsight.types import Embeddings, Metric

Maps = NDArray[np.float32]
"""Shape (n, m, h, w): how much each place of n views speaks for each of m texts, in any unit that views share."""


class Method(Protocol):
    """One way to make a map. Its views are pictures of one size; values of different views must be comparable."""

    name: str
    stride: int | None
    """Views may have any sides that are multiples of it; ``None``: squares of the encoder's own side only."""

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""


def pooled(maps: NDArray[np.float32], metric: Metric) -> Embeddings:
    """Return the (n, dim) embeddings of views whose (n, dim, h, w) feature maps are given."""
    rows = maps.mean(axis=(2, 3))
    if metric is Metric.COSINE:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(rows, np.float32)


class Projected:
    """The projected similarity map: each place's features, projected like the whole picture's, towards the text.

    The mean of a map is the objective times the length of the embedding. Known for convolutional CLIP models from
    Zhou et al. 2022, "Extract free dense labels from CLIP" (ECCV; MaskCLIP), and for classifiers as the class
    activation map: Zhou et al. 2016 (CVPR).
    """

    name = "projected"

    def __init__(self, encoder: SpatialEncoder) -> None:
        self._encoder = encoder
        self.stride = encoder.stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        maps = self._encoder.feature_maps(views, as_is=True)
        if self._encoder.pools_by_mean or objective.linear:  # a linear one does not ask for the embeddings
            embeddings = pooled(maps, self._encoder.metric)
        else:
            embeddings = self._encoder.encode_images(views)
        directions = objective.directions(embeddings)
        return np.asarray(np.einsum("nmd,ndhw->nmhw", directions, maps, optimize=True), np.float32)


def embed(encoder: Encoder, views: Sequence[Image], stride: int | None) -> Embeddings:
    """Return the (n, dim) embeddings of views taken as they are; squares where ``stride`` is ``None``."""
    if stride is None or not isinstance(encoder, SpatialEncoder):
        return encoder.encode_images(views)
    return pooled(encoder.feature_maps(views, as_is=True), encoder.metric)
