"""What a statistic of pictures is: protocols, and what all implementations share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.protocols import Image

Vectors: TypeAlias = NDArray[np.float32]
"""One row per picture, shape (n, d)."""


@runtime_checkable
class Feature(Protocol):
    """A statistic of a whole picture: a frozen value that is called with pictures.

    Pure and deterministic: a picture's row depends on that picture and the parameters only, never on the batch it
    came in. May be called from several threads at once.
    """

    name: ClassVar[str]

    @property
    def dim(self) -> int:
        """Length of a row."""

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32, finite; (0, dim) for no picture."""

    def describe(self) -> dict[str, Any]:
        """Return ``{"feature": name, **parameters}``, fit for JSON; ``from_description`` is the way back."""


class Descriptors(NamedTuple):
    """The local descriptors of one picture, k of them (k may be 0).

    ``positions`` (k, 2) float32: x and y of the centres as a share of width and height, in [0, 1].
    ``values`` (k, d) float32.
    """

    positions: NDArray[np.float32]
    values: NDArray[np.float32]


class Occurrences(NamedTuple):
    """The visual words of one picture: n descriptors of k words.

    ``positions`` (n, 2) as in ``Descriptors``; ``shares`` (n, k) float32, not negative: how much each is of each word.
    """

    positions: NDArray[np.float32]
    shares: NDArray[np.float32]


@runtime_checkable
class LocalFeature(Protocol):
    """A statistic of many places of a picture; pure, deterministic and thread-safe like ``Feature``."""

    name: ClassVar[str]

    @property
    def dim(self) -> int:
        """Length of one descriptor."""

    def __call__(self, images: Sequence[Image]) -> list[Descriptors]:
        """Return the descriptors of each picture."""

    def describe(self) -> dict[str, Any]:
        """Return ``{"feature": name, **parameters}``, fit for JSON; ``local_from_description`` is the way back."""


@runtime_checkable
class WordFeature(Feature, Protocol):
    """A statistic that counts visual words, each in columns of its own: 0 there is a picture without the word."""

    def occurrences(self, image: Image) -> Occurrences:
        """Return which words the picture's descriptors are, and where."""

    def columns(self) -> NDArray[np.int64]:
        """Return (k, dim / k): which columns of a row tell about each word."""


@dataclass(frozen=True)
class Described:
    """Gives a frozen dataclass of numbers, texts and truth values its ``describe``."""

    name: ClassVar[str]

    def describe(self) -> dict[str, Any]:
        """Return ``{"feature": name, **parameters}``, fit for JSON."""
        return {"feature": self.name} | {field.name: getattr(self, field.name) for field in fields(self)}

    def _require(self, holds: bool, expected: str) -> None:
        if not holds:
            given = ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
            raise BadInput(f"{self.name}({given}): expected {expected}")
