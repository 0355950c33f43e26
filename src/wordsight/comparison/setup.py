"""One experiment, as data: which engine answers, under which conditions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

CLASSICAL = "classical"
"""The engine that the comparison fits itself, from the exemplars of the task."""

PROMPTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "word": ("{}",),
        "sentence": ("a photo of a {}.",),
        "ensemble": (
            "a photo of a {}.",
            "a picture of the {}.",
            "a close-up of a {}.",
            "a blurry photo of a {}.",
            "a photo of many {}.",
            "there is a {} in the scene.",
            "a {} outdoors.",
        ),
    }
)
"""How a label is put into words: bare, in a sentence, or the mean over several sentences."""

OWN_PROMPTS = "own"


@dataclass(frozen=True, slots=True)
class Setup:
    """The conditions of one experiment; a field that is left alone means "as the task has it".

    ``gallery``: so many of its pictures. ``exemplars`` and ``clusters`` of each label (0: by silhouette) and
    ``features``: how the classical engine is fitted. ``prompts``: a name of ``PROMPTS`` or the encoder's own.
    ``wording``: "label", or "coarse" and "fine" words for it. ``scene``, ``strength``: pictures made worse.
    ``labels``: so many of them only. ``unseen``: so many labels are asked for that the classical engine was not fitted
    on; ``absent``: and their pictures are taken away. ``meaning``: it may read other words by what they mean.
    ``accepted``: the share of all pairs of query and picture that a threshold lets through. ``seed`` of what is drawn.
    """

    engine: str
    gallery: int | None = None
    exemplars: int | None = None
    clusters: int = 1
    features: str | None = None
    prompts: str = OWN_PROMPTS
    wording: str = "label"
    scene: str | None = None
    strength: int = 0
    labels: int | None = None
    unseen: int = 0
    absent: bool = False
    meaning: bool = False
    accepted: float | None = None
    seed: int = 0

    def changes(self) -> dict[str, Any]:
        """Return the fields that are not as the task has them."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def key(self, context: str) -> str:
        """Return a digest of the setup and of what it is run on, ``context``."""
        return digest(context, self.changes())

    def with_(self, **changes: Any) -> Setup:
        """Return the setup with other values."""
        return replace(self, **changes)


def digest(*parts: Any) -> str:
    """Return 24 hex digits that stand for JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
