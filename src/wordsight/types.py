"""The nouns: what flows between the parts of wordsight, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Embeddings: TypeAlias = NDArray[np.float32]
"""One row per image or text, shape (n, dim); always two-dimensional, also for one item or none."""

Scores: TypeAlias = NDArray[np.float32]
"""Shape (queries, images); higher is better, whatever the metric."""

RowIds: TypeAlias = NDArray[np.int64]
"""The keys of vectors in an index, shape (n,)."""


class Metric(Enum):
    """How closeness is read from two vectors of one space."""

    COSINE = "cosine"
    """Score = cosine of the angle, in [-1, 1]."""
    EUCLIDEAN = "euclidean"
    """Score = minus the Euclidean distance, in (-inf, 0]."""


class ImageRef(NamedTuple):
    """A picture by name: an id that is stable in its collection, and where its file lies."""

    image_id: str
    path: Path


class Address(type(Path())):  # type: ignore[misc]  # Path itself can be subclassed from Python 3.12 on only
    """A path, or the URL of an object in a storage, with its two slashes: ``s3://bucket/folder/photo.jpg``.

    A URL is absolute, and has parents and a name like a path. Only ``wordsight.scale`` opens what it stands for.
    """

    def __str__(self) -> str:
        text = super().__str__()
        scheme, colon, rest = text.partition(":/")
        return f"{scheme}://{rest}" if colon and _is_scheme(scheme) and not rest.startswith("/") else text

    __fspath__ = __str__

    @property
    def is_url(self) -> bool:
        """Whether it is no path of this machine."""
        return "://" in str(self)

    def is_absolute(self) -> bool:
        """Return whether it stands for the same thing from everywhere."""
        return self.is_url or bool(super().is_absolute())

    def absolute(self) -> Address:
        """Return it as it is seen from everywhere."""
        return self if self.is_url else Address(super().absolute())

    def as_uri(self) -> str:
        """Return it as a link."""
        return str(self) if self.is_url else str(super().as_uri())


def _is_scheme(text: str) -> bool:
    return len(text) > 1 and text.isascii() and text[0].isalpha() and all(c.isalnum() or c in "+-." for c in text)


class Neighbours(NamedTuple):
    """Answer of a vector index: for each query the closest rows, best first.

    ``ids`` (m, k) int64 and ``scores`` (m, k) float32; k is the same for all queries. Equal scores are ordered by id.
    """

    ids: RowIds
    scores: Scores


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a query: a text or a picture, with a weight (negative: move away from it).

    A picture is a file (``image``), or one that the catalogue knows, by the SHA-256 of its content (``content``, in
    hex; the first 8 digits or more).
    """

    text: str | None = None
    image: Path | None = None
    weight: float = 1.0
    content: str | None = None

    def __post_init__(self) -> None:
        if [self.text, self.image, self.content].count(None) != 2:
            raise ValueError("a term is either a text or a picture")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: a weighted sum of texts and pictures. ``source`` is what the user wrote."""

    terms: tuple[Term, ...]
    source: str = ""

    @classmethod
    def of(cls, text: str) -> Query:
        """Return the query that consists of one text."""
        return cls((Term(text=text),), text)


@dataclass(frozen=True, slots=True, order=False)
class Hit:
    """One answer: which image, how good (higher is better), and its place (1 is best)."""

    image_id: str
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Ranking(Sequence[Hit]):
    """The answers to one query, sorted by ``(-score, image_id)``: a total order, the same on every run."""

    query_id: str
    hits: tuple[Hit, ...]

    @classmethod
    def from_scores(cls, query_id: str, scores: Mapping[str, float]) -> Ranking:
        """Rank ``image_id -> score``."""
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return cls(query_id, tuple(Hit(i, float(s), r) for r, (i, s) in enumerate(ordered, start=1)))

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, item):  # type: ignore[no-untyped-def]  # Sequence's own overloads apply
        return self.hits[item]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Run:
    """What a system answered: one ranking per query. ``name`` is the TREC tag."""

    name: str
    rankings: Mapping[str, Ranking]


@dataclass(frozen=True, slots=True)
class Qrels:
    """What is right: ``query_id -> image_id -> grade``. Grade > 0 is relevant, 0 is judged not relevant.

    ``ignored[query_id]`` are images that count neither way for that query (VOC2007's "difficult").
    """

    grades: Mapping[str, Mapping[str, int]]
    ignored: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyMap:
    """How much each place of a picture speaks for a text.

    ``values`` (h, w) float32 in [0, 1] cover the whole upright picture edge to edge, whatever the encoder cuts off: the
    cell (y, x) is the picture's part from x/w to (x+1)/w and from y/h to (y+1)/h. ``score``: the similarity of the
    whole picture and the text, as a search gives it. ``method``: how the map was made, such as "projected".
    """

    values: NDArray[np.float32]
    text: str
    method: str = ""
    score: float = 0.0


class Box(NamedTuple):
    """A rectangle of the upright original picture in pixels: ``left <= x < right``, ``top <= y < bottom``.

    ``score`` orders the boxes of one picture: higher is better.
    """

    left: int
    top: int
    right: int
    bottom: int
    score: float = 0.0
