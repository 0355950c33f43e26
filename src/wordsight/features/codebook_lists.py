"""Lists of statistics as users write them, some of which must first be learned from pictures.

``hog,colour,patches(words=800),sift(words=64,encoding=vlad)``: a local feature in the list stands for its codebook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.features.base import Feature, LocalFeature
from wordsight.features.codebook import VisualWords, WordsConfig
from wordsight.features.codebook_patches import PatchCodebook, PatchConfig
from wordsight.features.registry import LOCAL_FEATURES, Preset, from_description, parse, parse_local
from wordsight.protocols import Image

DEFAULTS: Mapping[Preset, str] = {"small": "patches,hog,colour", "photo": "dense-sift,patches,hog,colour"}
"""The statistics that did best together on development data, by kind of picture."""

_PATCHES = {"small": PatchConfig(), "photo": PatchConfig(side=64, stride=2, words=400)}
_ENTRY = re.compile(r"\s*([a-z][a-z-]*)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Learned:
    """A statistic that is learned: words of a local feature."""

    local: LocalFeature
    config: WordsConfig


Planned: TypeAlias = Feature | PatchConfig | Learned


def plan(text: str, preset: Preset = "photo") -> tuple[Planned, ...]:
    """Return what a list of statistics asks for; raises ``BadInput`` for a text that is no such list."""
    planned: list[Planned] = []
    place = 0
    while place < len(text) or not planned:
        match = _ENTRY.match(text, place)
        if match is None:
            raise BadInput(f"expected statistics such as hog,colour,patches(words=800), got {text!r}")
        name, arguments = match[1], match[2] or ""
        if name == "patches":
            planned.append(_replaced(_PATCHES[preset], arguments))
        elif name in LOCAL_FEATURES:
            planned.append(_words(name, arguments, preset))
        else:
            planned += parse(match[0].rstrip().removesuffix(","), preset)
        place = match.end()
    return tuple(planned)


def learn(planned: Sequence[Planned], images: Sequence[Image], *, seed: int = 0) -> tuple[Feature, ...]:
    """Return the statistics, those with a codebook learned from ``images``; labels are not needed."""
    features: list[Feature] = []
    for item in planned:
        if isinstance(item, PatchConfig):
            features.append(PatchCodebook.fit(images, item, seed=seed))
        elif isinstance(item, Learned):
            features.append(VisualWords.fit(item.local, images, item.config, seed=seed))
        else:
            features.append(item)
    return tuple(features)


def arrays_of(feature: Feature) -> dict[str, NDArray[np.float32]]:
    """Return what a statistic learned; nothing for a plain one. With ``describe()`` it is the whole statistic."""
    return feature.arrays() if isinstance(feature, PatchCodebook | VisualWords) else {}


def from_parts(description: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Feature:
    """Return the statistic of ``describe()`` and ``arrays_of``; raises ``BadInput`` where they make none."""
    try:
        for kind in (PatchCodebook, VisualWords):
            if description.get("feature") == kind.name:
                return kind.from_parts(description, arrays)
        return from_description(description)
    except (TypeError, KeyError, ValueError) as error:
        raise BadInput(f"no statistic is described by {dict(description)!r:.200}: {error}") from error


def _words(name: str, arguments: str, preset: Preset) -> Learned:
    """Split the arguments between the words and the local feature they are of."""
    known = {field.name for field in fields(WordsConfig)}
    parts = [part for part in arguments.split(",") if part.strip()]
    own = [part for part in parts if part.partition("=")[0].strip() in known]
    others = ",".join(part for part in parts if part not in own)
    return Learned(parse_local(f"{name}({others})", preset)[0], _replaced(WordsConfig(), ",".join(own)))


def _replaced(config: Any, arguments: str) -> Any:
    """Return the configuration with the ``name=value`` arguments in place of its own."""
    given: dict[str, Any] = {}
    kinds = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    for part in filter(None, map(str.strip, arguments.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in kinds:
            raise BadInput(f"{part!r} is no setting here; expected {', '.join(f'{known}=...' for known in kinds)}")
        try:
            given[name] = kinds[name](value)
        except ValueError:
            raise BadInput(f"expected {name} to be of type {kinds[name].__name__}, got {value!r}") from None
    return type(config)(**{field.name: getattr(config, field.name) for field in fields(config)} | given)
