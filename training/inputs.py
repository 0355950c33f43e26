"""What several stages read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from training import data, ridge, texts, towers


@dataclass(frozen=True)
class Inputs:
    """The named inputs, and what of them is at hand at once."""

    data: Path
    wordnet: Path
    work: Path
    nouns: dict[str, data.Node]
    wnids: list[str]  # of the ImageNet classes, in order
    nodes: dict[str, list[int]]  # WordNet ancestors and the classes below

    @classmethod
    def load(cls, folder: Path, wordnet: Path, work: Path) -> Inputs:
        nouns, wnids = data.read_wordnet(wordnet), data.read_samples(folder)[1]
        return cls(folder, wordnet, work, nouns, wnids, texts.ancestors(nouns, wnids, 150))

    def captions(self, each: int = 5) -> list[str]:
        """So many of each photo, of all five in turn."""
        groups = data.read_captions(self.data, "train").texts
        return [group[(i + 2 * k) % len(group)] for i, group in enumerate(groups) for k in range(each)]

    def targets(self, tower: towers.ImageTower) -> ridge.Targets:
        return ridge.naming_targets(self.nouns, self.wnids, tower.classifier_weight)

    def tiny_classes(self, wnids: list[str]) -> torch.Tensor:
        return torch.tensor([self.wnids.index(wnid) for wnid in wnids])
