"""What a comparison found: the nouns that reports are written from. ``as_json`` is docs/compare.md's object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wordsight.comparison.cost import Cost
from wordsight.comparison.measuring import Cut
from wordsight.comparison.scenarios import Value
from wordsight.evaluation.disagreement import PictureDisagreement, QueryDisagreement
from wordsight.evaluation.reliability import Reliability
from wordsight.evaluation.statistics import Interval

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What was compared on. ``main``: the mean that stands for quality; ``each``: its name for a single query."""

    name: str
    kind: str
    split: str
    labels: tuple[str, ...]
    images: int
    exemplars: int | None
    main: str
    each: str


@dataclass(frozen=True, slots=True)
class QueryHits:
    """One query, the main measure of it, and its first pictures: id and whether it is right."""

    query: str
    value: float
    hits: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the match estimates of an engine can be trusted.

    ``shown``: over the first ten hits of each query, which is what a search shows; ``pairs``: over all pairs of query
    and picture, most of which are easy.
    """

    shown: Reliability
    pairs: Reliability


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One engine under the conditions of the task. ``kind``: "learned", "classical" or "fusion".

    ``means``: measure -> value; ``intervals`` of the main measure and of the accuracy. ``per_query``: query -> value of
    the main measure. ``curve``: precision at 21 recalls. For tasks with labels: ``confusion``, rows are true labels;
    ``original``, the original protocol by the closest label and ``original_threshold`` by the threshold of ``cut``, the
    one with the best F1; ``estimates``, of engines that say
    how likely a match is. ``best``, ``worst``: queries and what was found for them.
    """

    name: str
    kind: str
    fingerprint: str
    about: str
    means: Mapping[str, float]
    intervals: Mapping[str, Interval]
    per_query: Mapping[str, float]
    curve: list[float]
    confusion: list[list[float]] | None
    original: Mapping[str, Interval] | None
    original_threshold: Mapping[str, Interval] | None
    cut: Cut | None
    estimates: Trust | None
    best: tuple[QueryHits, ...]
    worst: tuple[QueryHits, ...]
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired randomisation test between two engines on one measure; ``p_holm`` is corrected for all tests here."""

    measure: str
    over: str
    count: int
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    effect: float


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a curve: the mean over the draws, and the least and most of them."""

    at: Value
    value: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What one scenario found. ``lines``: engine -> points; ``still``: engines that it cannot change -> their value."""

    scenario: str
    question: str
    axis: str
    measure: str
    fixed: Mapping[str, Any]
    logarithmic: bool
    lines: Mapping[str, tuple[Point, ...]]
    still: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where two engines disagree most, the clearest first."""

    first: str
    second: str
    queries: tuple[QueryDisagreement, ...]
    pictures: tuple[PictureDisagreement, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine and threshold picked for a folder on half of the held-out pictures, and what the other half says."""

    engine: str
    threshold: float
    picked_on: int
    confirmed_on: int
    value: Interval
    f1: float
    sentence: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to make the comparison again."""

    command: str
    date: str
    seconds: float
    seed: int
    scenarios: str
    material: str
    versions: Mapping[str, str]
    machine: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole result."""

    task: TaskFacts
    engines: tuple[EngineResult, ...]
    tests: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    disagreements: tuple[Disagreement, ...]
    choice: Choice | None
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: Mapping[str, str]
    provenance: Provenance

    def engine(self, name: str) -> EngineResult:
        """Return the result of the engine called ``name``."""
        return next(engine for engine in self.engines if engine.name == name)

    def as_json(self) -> dict[str, Any]:
        """Return the whole as JSON values."""
        return {"format": FORMAT, **asdict(self)}
