"""What a map explains: a number that grows as a picture comes closer to a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.encoders.prompts import prompted, without_article
from wordsight.explain.options import ExplainOptions
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric

Values = NDArray[np.float32]


class Others(NamedTuple):
    """The (o, d) contrast texts and (q, d) negative texts of options: the same for all texts."""

    contrast: Embeddings
    negative: Embeddings

    @classmethod
    def of(cls, encoder: Encoder, options: ExplainOptions) -> Others:
        """Encode them; raises ``UnknownQuery`` where a closed encoder does not know one."""
        known = encode_texts(encoder, [*options.contrast, *options.negative], options.prompts)
        return cls(*np.split(known, [len(options.contrast)]))


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """One number for each picture and text: similarity, contrasted as ``ExplainOptions`` say.

    ``texts`` (m, d); ``others`` (o, d) the contrast texts, ``counted`` (m, o) how much each counts for which text;
    ``negative`` (q, d); ``temperature`` 0: differences of similarities, above: the logarithm of a softmax share.
    """

    texts: Embeddings
    others: Embeddings
    counted: Values
    negative: Embeddings
    temperature: float
    metric: Metric

    @classmethod
    def of(
        cls, encoder: Encoder, texts: Sequence[str], options: ExplainOptions, others: Others | None = None
    ) -> Objective:
        """Encode the texts, and those of the options unless ``others`` has them already.

        Raises ``UnknownQuery`` where a closed encoder does not know one.
        """
        contrast, negative = others or Others.of(encoder, options)
        own = encode_texts(encoder, texts, options.prompts)
        named, others_named = ([without_article(text).lower() for text in of] for of in (texts, options.contrast))
        counted = np.asarray([[other != text for other in others_named] for text in named], np.float32)
        counted = counted.reshape(len(texts), len(options.contrast))
        counted *= options.contrast_weight / np.maximum(counted.sum(axis=1, keepdims=True), 1)
        return cls(own, contrast, counted, negative, options.temperature, encoder.metric)

    def values(self, embeddings: Embeddings) -> Values:
        """Return (n, m): the objective of pictures given as (n, d) embeddings."""
        scores = similar(embeddings, self._known, self.metric)
        if self.temperature == 0:
            return np.asarray(scores @ self._plain.T, np.float32)
        logits = self._logits(scores)
        own = np.einsum("nmm->nm", logits[:, :, : len(self.texts)])
        return np.asarray(own - _log_sum(logits)[..., 0], np.float32)

    def directions(self, embeddings: Embeddings) -> Values:
        """Return (n, m, d): the gradient of ``values`` for the embeddings; their length is not held at one."""
        known = self._known
        if self.temperature == 0:
            weights = np.broadcast_to(self._plain, (len(embeddings), *self._plain.shape))
        else:
            logits = self._logits(similar(embeddings, known, self.metric))
            weights = (np.eye(*logits.shape[1:]) - np.exp(logits - _log_sum(logits))) / self.temperature
        if self.metric is Metric.COSINE:
            return np.asarray(weights @ known, np.float32)
        towards = known - embeddings[:, None]
        towards /= np.maximum(np.linalg.norm(towards, axis=2, keepdims=True), 1e-12)
        return np.asarray(weights @ towards, np.float32)

    @property
    def linear(self) -> bool:
        """Whether ``directions`` are the same for all embeddings."""
        return self.temperature == 0 and self.metric is Metric.COSINE

    @property
    def _known(self) -> Embeddings:
        return np.concatenate([self.texts, self.others, self.negative])

    @property
    def _plain(self) -> Values:
        """Return (m, m + o + q): how much the similarity to each known text counts for each text."""
        negative = np.full((len(self.texts), len(self.negative)), 1 / max(len(self.negative), 1))
        return np.asarray(np.concatenate([np.eye(len(self.texts)), -self.counted, -negative], axis=1), np.float32)

    def _logits(self, scores: Values) -> Values:
        """Return (n, m, m + o + q): minus infinity for what does not compete with a text."""
        competes = self._plain != 0
        return np.asarray(np.where(competes, scores[:, None] / self.temperature, -np.inf), np.float32)


def encode_texts(encoder: Encoder, texts: Sequence[str], prompts: bool) -> Embeddings:
    """Return (n, dim) vectors of the texts; with ``prompts``, labels are means over the encoder's label prompts."""
    if not prompts:
        return encoder.encode_texts(texts)
    filled = [prompted(text, prompt) for text in texts for prompt in encoder.label_prompts]
    shape = (len(texts), len(encoder.label_prompts), encoder.dim)
    rows = encoder.encode_texts(filled).reshape(shape).mean(axis=1)
    if encoder.metric is Metric.COSINE:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(rows, np.float32)


def similar(embeddings: Embeddings, texts: Embeddings, metric: Metric) -> Values:
    """Return (n, m): how close (n, dim) pictures are to (m, dim) texts."""
    if metric is Metric.COSINE:
        return np.asarray(embeddings @ texts.T, np.float32)
    return np.asarray(-np.linalg.norm(embeddings[:, None] - texts, axis=2), np.float32)


def _log_sum(logits: Values) -> Values:
    top = logits.max(axis=2, keepdims=True)
    return np.asarray(top + np.log(np.exp(logits - top).sum(axis=2, keepdims=True)), np.float32)
