"""From a user's word to the labels of the classical engine: exactly, by spelling, or by meaning."""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from wordsight.errors import ModelError, UnknownQuery
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

_NEAR = 3
_MEANT = 0.3  # of the way from an unrelated text (0) to the label itself (1); synonyms lie at 0.4 to 0.9
_BLEND = 0.5  # labels half as far beyond that as the best one take part
_UNRELATED = (
    "a tax return",
    "the colour of silence",
    "qwrtz plff",
    "a theorem about numbers",
    "yesterday's news",
    "12:45",
)


class Reading(NamedTuple):
    """How a text is read: the weight of each label, (labels,), summing to 1, and what to tell the user, if anything."""

    weights: Embeddings
    remark: str | None


class WordReader:
    """Reads texts as labels. ``texts`` opens an encoder for words that are no label; without it there are none.

    Such a word is read as the label closest to it in that encoder's space, or as a blend of labels about as close,
    provided that it is much closer than unrelated texts are.
    """

    def __init__(self, labels: Sequence[str], texts: Callable[[], Encoder] | None = None) -> None:
        self._labels = tuple(labels)
        self._exact = {label: place for place, label in reversed(list(enumerate(self._labels)))}
        self._plain = {_plain(label): place for place, label in reversed(list(enumerate(self._labels)))}
        self._open = texts
        self._lock = threading.Lock()
        self._space: tuple[Encoder, Embeddings, float] | None = None

    def read(self, text: str) -> Reading:
        """Return how ``text`` is read; raises ``UnknownQuery`` with labels spelled nearly so."""
        place = self._exact.get(text, self._plain.get(_plain(text)))
        if place is not None:
            return Reading(np.eye(len(self._labels), dtype=np.float32)[place], None)
        meant = self._by_meaning(text)
        if meant is None:
            raise UnknownQuery(text, self.near(text), self._labels)
        return meant

    def near(self, text: str) -> tuple[str, ...]:
        """Return up to three labels spelled like ``text``, best first."""
        plain = {_plain(label): label for label in self._labels}
        found = difflib.get_close_matches(_plain(text), plain, n=_NEAR, cutoff=0.6)
        return tuple(plain[name] for name in found)

    def _by_meaning(self, text: str) -> Reading | None:
        space = self._opened()
        if space is None or not text.strip():
            return None
        encoder, labels, usual = space
        cosines = labels @ _described(encoder, text)
        beyond = np.maximum(cosines - usual, 0)
        if not beyond.any():
            return None
        beyond[beyond < _BLEND * beyond.max()] = 0
        weights = np.asarray(beyond / beyond.sum(), np.float32)
        order = np.argsort(-weights, kind="stable")
        shown = [f"{self._labels[place]} {cosines[place]:.2f}" for place in order if weights[place] > 0]
        return Reading(weights, f"{text} -> {' + '.join(shown)}")

    def _opened(self) -> tuple[Encoder, Embeddings, float] | None:
        """Return the text encoder, the labels' vectors and the least cosine that counts as the same meaning."""
        if self._open is None:
            return None
        with self._lock:
            if self._space is None:
                try:
                    encoder = self._open()
                    vectors = np.stack([_described(encoder, label) for label in self._labels])
                except ModelError:  # no words beyond the labels, then
                    self._open = None
                    return None
                self._space = encoder, vectors, _usual(encoder, vectors)
            return self._space


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text).strip().casefold()


def _described(encoder: Encoder, text: str) -> Embeddings:
    """Return the mean vector of the text in the encoder's prompts, of unit length."""
    mean = encoder.encode_texts([prompt.replace("{}", text) for prompt in encoder.label_prompts]).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _usual(encoder: Encoder, labels: Embeddings) -> float:
    """Return the cosine that a text must exceed to mean a label."""
    unrelated = float(np.mean([labels @ _described(encoder, text) for text in _UNRELATED]))
    return unrelated + _MEANT * (1 - unrelated)
