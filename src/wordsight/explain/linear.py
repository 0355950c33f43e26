"""The backbone of encoders with a linear head (the shipped one): gradients are formulas, no torch is needed.

With features A (c, h, w), mean a, head W, b, g = W a + b and embedding e = g / |g|, an objective with gradient D for e
has the gradient ``W^T (D - (D . e) e) / |g| / (h w)`` for A at every place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wordsight.explain.cams import Ablated, Layer
from wordsight.explain.method import embed
from wordsight.explain.objective import Objective
from wordsight.protocols import Image, LinearHead, LinearHeadEncoder
from wordsight.types import Embeddings, Metric


class LinearBackbone:
    """Gives the encoder's last features and their gradients."""

    def __init__(self, encoder: LinearHeadEncoder) -> None:
        self._encoder = encoder

    @cached_property
    def _head(self) -> LinearHead:
        return self._encoder.head()  # not before it is needed: that opens a graph

    @property
    def stride(self) -> int | None:
        """The encoder's."""
        return self._encoder.stride

    def layers(self, views: Sequence[Image], objective: Objective) -> Iterator[Layer]:
        """Yield the last features of each view."""
        features = self._encoder.last_features(views, as_is=True)
        embeddings, lengths = self._placed(features.mean(axis=(2, 3)))
        directions = objective.directions(embeddings)
        if self._encoder.metric is Metric.COSINE:
            along = np.einsum("nmd,nd->nm", directions, embeddings)
            directions -= along[:, :, None] * embeddings[:, None]
        places = features.shape[2] * features.shape[3]
        gradients = (directions @ self._head.weight) / (lengths * places)[:, None, None]
        yield from map(Layer, features, gradients[..., None, None])

    def ablated(self, view: Image) -> Ablated:
        """Return what becomes of a view without each channel; the head being linear, by one run of the network."""
        (activations,) = self._encoder.last_features([view], as_is=True)
        mean = activations.mean(axis=(1, 2))
        without = np.where(np.eye(len(mean), dtype=bool), np.float32(0), mean)
        return Ablated(activations, self._placed(mean[None])[0], self._placed(without)[0])

    def embed(self, views: Sequence[Image]) -> Embeddings:
        """Return the (n, dim) embeddings of views."""
        return embed(self._encoder, views, self.stride)

    def _placed(self, means: Embeddings) -> tuple[Embeddings, NDArray[np.float32]]:
        """Return (n, dim) embeddings of (n, c) mean features, and what they were divided by, (n,)."""
        rows = means @ self._head.weight.T + self._head.bias
        lengths = np.ones(len(rows), np.float32)
        if self._encoder.metric is Metric.COSINE:
            lengths = np.maximum(np.linalg.norm(rows, axis=1), np.float32(1e-12))
        return np.asarray(rows / lengths[:, None], np.float32), lengths
