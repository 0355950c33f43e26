"""Features by name: from what a user writes, and from what a file says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeAlias, get_type_hints

from wordsight.errors import BadInput
from wordsight.features.base import Described, Feature, LocalFeature
from wordsight.features.colour import ColourHistogram, ColourMoments
from wordsight.features.contour import Contour
from wordsight.features.correlogram import Correlogram
from wordsight.features.dense import DenseSift
from wordsight.features.edges import Edges
from wordsight.features.hog import Hog
from wordsight.features.lbp import Lbp
from wordsight.features.local import Orb, Sift
from wordsight.features.patches import Patches
from wordsight.features.shape import Hu, Zernike

Preset: TypeAlias = Literal["small", "photo"]
"""Parameters for which kind of picture: "small" are those of about 32 pixels (CIFAR), "photo" all larger ones."""

FEATURES: dict[str, type[Described]] = {
    kind.name: kind for kind in (Hog, Lbp, ColourHistogram, ColourMoments, Correlogram, Hu, Zernike, Edges, Contour)
}
"""Name -> class of the features of a whole picture; the classes' defaults are the preset "photo"."""

LOCAL_FEATURES: dict[str, type[Described]] = {kind.name: kind for kind in (Sift, DenseSift, Orb, Patches)}
"""Name -> class of the local features."""

_SMALL: dict[str, dict[str, Any]] = {
    "hog": {"side": 32, "cell": 4},
    "lbp": {"side": 32},
    "colour": {"side": 32, "first": 8, "second": 3, "third": 3, "levels": 3},
    "moments": {"side": 32},
    "correlogram": {"side": 32},
    "hu": {"side": 32},
    "zernike": {"side": 32},
    "edges": {"side": 32, "threshold": 15.0},
    "contour": {"side": 64},
    "dense-sift": {"side": 32, "cell": 3, "step": 2},
    "patches": {"side": 32},
}
_MOST_SIDE, _MOST, _MOST_DIM = 2048, 1 << 14, 1 << 20
"""Of a side in pixels, of any other whole number, of a row's length: a file may not ask for gigabytes a picture."""
_CALL = re.compile(r"\s*(?P<name>[a-z][a-z-]*)\s*(?:\((?P<arguments>[^()]*)\))?\s*(?:,|$)")


def parse(text: str, preset: Preset = "photo") -> tuple[Feature, ...]:
    """Return the features of a list such as ``hog,colour(space=oklab),lbp``.

    Parameters that are not given are those of ``preset``. Raises ``BadInput`` for a text that is no such list, and for
    unknown names, parameters and values; the message lists those known.
    """
    return tuple(_as_feature(_made(FEATURES, name, given)) for name, given in _calls(text, FEATURES, preset))


def parse_local(text: str, preset: Preset = "photo") -> tuple[LocalFeature, ...]:
    """Return the local features of a list such as ``sift,patches(size=8)``; otherwise like ``parse``."""
    calls = _calls(text, LOCAL_FEATURES, preset)
    return tuple(_as_local(_made(LOCAL_FEATURES, name, given)) for name, given in calls)


def from_description(description: Mapping[str, Any]) -> Feature:
    """Return the feature that described itself so; raises ``BadInput`` for a description of none."""
    return _as_feature(_described(FEATURES, description))


def local_from_description(description: Mapping[str, Any]) -> LocalFeature:
    """Return the local feature that described itself so; raises ``BadInput`` for a description of none."""
    return _as_local(_described(LOCAL_FEATURES, description))


def _calls(text: str, table: Mapping[str, type[Described]], preset: Preset) -> list[tuple[str, dict[str, Any]]]:
    if preset not in ("small", "photo"):
        raise BadInput(f"expected the preset small or photo, got {preset!r}")
    calls: list[tuple[str, dict[str, Any]]] = []
    place = 0
    while place < len(text) or not calls:
        match = _CALL.match(text, place)
        if match is None:
            raise BadInput(f"expected features such as hog,lbp(radius=2), got {text!r}; known: {', '.join(table)}")
        given = dict(_SMALL.get(match["name"], {})) if preset == "small" else {}
        calls.append((match["name"], given | _arguments(table, match["name"], match["arguments"] or "")))
        place = match.end()
    return calls


def _arguments(table: Mapping[str, type[Described]], name: str, text: str) -> dict[str, Any]:
    kinds = _parameters(_known(table, name))
    given = {}
    for part in filter(None, map(str.strip, text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in kinds:
            raise BadInput(f"{name} has no parameter {part!r}; expected {', '.join(f'{k}=...' for k in kinds)}")
        given[key] = _read(name, key, value, kinds[key])
    return given


def _read(name: str, key: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise BadInput(f"{name}: expected {key}=true or {key}=false, got {text!r}")
    try:
        return kind(text)
    except ValueError:
        raise BadInput(f"{name}: expected {key} to be a number, got {text!r}") from None


def _described(table: Mapping[str, type[Described]], description: Mapping[str, Any]) -> Described:
    given = {key: value for key, value in description.items() if key != "feature"}
    return _made(table, description.get("feature"), given)


def _made(table: Mapping[str, type[Described]], name: object, given: Mapping[str, Any]) -> Described:
    made = _known(table, name)
    kinds = _parameters(made)
    values = {}
    for key, value in given.items():
        kind = kinds.get(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if kind is None or not (type(value) is kind or (kind is float and whole)):
            wanted = ", ".join(f"{k} ({v.__name__})" for k, v in kinds.items())
            raise BadInput(f"{made.name} has no parameter {key}={value!r}; expected {wanted}")
        if whole and abs(value) > (most := _MOST_SIDE if key == "side" else _MOST):
            raise BadInput(f"{made.name}: expected {key} to be at most {most}, got {value}")
        values[key] = kind(value)
    return made(**values)


def _known(table: Mapping[str, type[Described]], name: object) -> type[Described]:
    if isinstance(name, str) and name in table:
        return table[name]
    if table is FEATURES and name in LOCAL_FEATURES:
        raise BadInput(f"{name!r} describes places, not pictures: it needs a codebook; of pictures: {', '.join(table)}")
    raise BadInput(f"no feature is called {name!r}; known: {', '.join(table)}")


def _parameters(made: type[Described]) -> dict[str, type]:
    hints = get_type_hints(made)
    return {field.name: hints[field.name] for field in fields(made)}


def _as_feature(made: Described) -> Feature:
    assert isinstance(made, Feature)
    _limit(made)
    return made


def _as_local(made: Described) -> LocalFeature:
    assert isinstance(made, LocalFeature)
    _limit(made)
    return made


def _limit(made: Feature | LocalFeature) -> None:
    if made.dim > _MOST_DIM:
        raise BadInput(f"{made.describe()}: expected rows of at most {_MOST_DIM} numbers, these have {made.dim}")
