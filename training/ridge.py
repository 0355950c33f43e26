"""A start for both heads without any training: texts are regressed onto the ImageNet classifier's weights.

The classifier's weight vector of a class is where pictures of that class point to; a linear map from the sentence
vector of its name to that vector makes a zero-shot classifier (compare ESZSL, Romera-Paredes and Torr 2015). The
singular value decomposition of the map gives the picture projection and the text head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import Node
from training.texts import ancestors


class Maps(Protocol):
    """What is shipped of the heads: linear maps, each followed by division by the length."""

    def picture_map(self) -> tuple[Tensor, Tensor]: ...
    def text_map(self) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Fixed:
    """Maps as they are: (weight, bias) of each side."""

    picture: tuple[Tensor, Tensor]
    text: tuple[Tensor, Tensor]

    def picture_map(self) -> tuple[Tensor, Tensor]:
        return self.picture

    def text_map(self) -> tuple[Tensor, Tensor]:
        return self.text


@dataclass(frozen=True)
class Heads:
    """embedding of a picture = image @ (pooled - mean) / spread, of a text = text @ (sentence - centre); then unit."""

    image: Tensor  # (d, 1280)
    text: Tensor  # (d, 384)
    mean: Tensor  # (1280)
    spread: float
    centre: Tensor  # (384)

    def picture_map(self) -> tuple[Tensor, Tensor]:
        """(weight, bias) on raw pooled features."""
        weight = self.image / self.spread
        return weight, -weight @ self.mean

    def text_map(self) -> tuple[Tensor, Tensor]:
        """(weight, bias) on raw sentence vectors."""
        return self.text, -self.text @ self.centre

    def pictures(self, pooled: Tensor) -> Tensor:
        return F.normalize(F.linear(pooled, *self.picture_map()), dim=-1)

    def texts(self, sentences: Tensor) -> Tensor:
        return F.normalize(F.linear(sentences, *self.text_map()), dim=-1)

    def mixed(self, other: Heads, share: float) -> Heads:
        """Linear between this (0) and the other (1)."""
        image, text = torch.lerp(self.image, other.image, share), torch.lerp(self.text, other.text, share)
        return Heads(image, text, self.mean, self.spread, self.centre)


@dataclass(frozen=True)
class Targets:
    """Texts and the classifier direction each should meet."""

    texts: list[str]
    prototypes: Tensor  # (m, 1280), unit length
    weights: Tensor  # (m)


def naming_targets(wordnet: dict[str, Node], wnids: Sequence[str], classifier: Tensor, most: int = 150) -> Targets:
    """Every lemma of every class, and of every WordNet ancestor with up to `most` classes (the mean of these)."""
    units = F.normalize(classifier - classifier.mean(0), dim=1)
    nodes = [(wnid, [index]) for index, wnid in enumerate(wnids)] + list(ancestors(wordnet, wnids, most).items())
    texts, rows, weights = [], [], []
    for wnid, members in nodes:
        lemmas = wordnet[wnid].lemmas
        texts += [f"a photo of a {lemma}" for lemma in lemmas]
        rows += [F.normalize(units[members].mean(0), dim=0)] * len(lemmas)
        weights += [len(lemmas) ** -0.5] * len(lemmas)
    return Targets(texts, torch.stack(rows), torch.tensor(weights))


def ridge_heads(sentences: Tensor, targets: Targets, pooled: Tensor, strength: float, width: int = 384) -> Heads:
    """Heads from the regression; `pooled` (any ordinary pictures) gives the mean and the spread of the features."""
    weights = targets.weights[:, None]
    centre = (sentences * weights).sum(0) / weights.sum()
    x = sentences - centre
    gram = x.T @ (x * weights) + strength * torch.eye(x.shape[1])
    forward = torch.linalg.solve(gram, x.T @ (targets.prototypes * weights))  # (384, 1280)
    left, values, right = torch.linalg.svd(forward, full_matrices=False)
    root = values[:width].sqrt()
    mean = pooled.mean(0)
    spread = float((pooled - mean).norm(dim=1).mean())
    return Heads((right[:width].T * root).T.contiguous(), (left[:, :width] * root).T.contiguous(), mean, spread, centre)
