"""What is varied: named sweeps along one axis, each a value that says how it changes the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

from wordsight.comparison.setup import PROMPTS, Setup
from wordsight.errors import BadInput
from wordsight.images.corruptions import SCENES, STRENGTHS

Value: TypeAlias = int | float | str
"""A place on the axis of a scenario."""


_ABOUT_FITS = frozenset({"exemplars", "clusters", "features"})


class Reach(Enum):
    """Which engines a scenario can change; the others are drawn as the line that they stay on."""

    EVERY = "every engine"
    OPEN = "engines that read any text"
    FITTED = "the classical engine fitted here"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A sweep: the field of ``Setup`` named ``varies`` takes each of ``values``, ``fixed`` fields stay as given.

    ``values`` that the task is too small for are left out, and where ``whole`` is set, all that the task has is the
    last of them. ``seeds``: so many draws of whatever is drawn. ``measure``: what the curve shows; ``None``: the main
    measure of the task. ``usual_values``: those of the default comparison, where they are fewer.
    """

    name: str
    question: str
    axis: str
    varies: str
    values: tuple[Value, ...]
    reach: Reach = Reach.EVERY
    fixed: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    seeds: int = 1
    measure: str | None = None
    logarithmic: bool = False
    usual_values: tuple[Value, ...] | None = None

    @property
    def fits(self) -> bool:
        """Whether the classical engine is fitted anew for it, which one that comes as a file cannot be."""
        return not _ABOUT_FITS.isdisjoint({self.varies, *self.fixed})

    def setups(self, engine: str, value: Value | None) -> list[Setup]:
        """Return the experiments at one place of the axis, one a seed; ``None``: all that the task has."""
        seeds = range(self.seeds if value is not None else 1)
        return [Setup(engine).with_(**{**self.fixed, self.varies: value, "seed": seed}) for seed in seeds]

    def places(self, limits: Mapping[str, int]) -> list[tuple[Value, Value | None]]:
        """Return what stands on the axis and the value that the field takes there.

        ``limits``: field -> the most that the task has.
        """
        limit = limits.get(self.varies)
        if limit is None:
            return [(value, value) for value in self.values]
        most = limit - 1 if self.whole else limit
        below: list[tuple[Value, Value | None]] = [(v, v) for v in self.values if isinstance(v, int) and v <= most]
        return [*below, (limit, None)] if self.whole else below


_ROBUST = tuple(
    Scenario(
        name=f"robustness-{scene}",
        question=f"What do pictures spoiled by {scene} cost?",
        axis=f"strength of {scene}",
        varies="strength",
        values=(0, *STRENGTHS),
        usual_values=(0, 3, 5),
        fixed={"scene": scene, "gallery": 300},
    )
    for scene in SCENES
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario(
                "gallery",
                "Does it get harder when more pictures are searched?",
                "pictures in the gallery",
                "gallery",
                (30, 100, 300, 1_000, 3_000, 10_000),
                whole=True,
                seeds=5,
                logarithmic=True,
            ),
            Scenario(
                "exemplars",
                "How many labelled pictures does the classical engine need?",
                "exemplars of each label",
                "exemplars",
                (1, 2, 5, 10, 20, 50, 100, 200, 500),
                reach=Reach.FITTED,
                whole=True,
                seeds=3,
                logarithmic=True,
                usual_values=(1, 5, 10, 20, 50, 100),
            ),
            Scenario(
                "clusters",
                "Do several prototypes of a label help?",
                "clusters of each label",
                "clusters",
                (1, 2, 3, 5, 8),
                reach=Reach.FITTED,
                fixed={"exemplars": 50},
            ),
            Scenario(
                "features",
                "Which statistics of a picture carry the classical engine?",
                "statistics",
                "features",
                ("colour", "lbp", "hog", "edges", "patches", "dense-sift"),
                reach=Reach.FITTED,
                usual_values=("colour", "lbp", "hog", "patches"),
                fixed={"exemplars": 50},
            ),
            Scenario(
                "prompts",
                "Does it matter how a label is put into words?",
                "prompt",
                "prompts",
                tuple(PROMPTS),
                reach=Reach.OPEN,
            ),
            Scenario(
                "wording",
                "Animal, dog or terrier: how coarse or fine may the word be?",
                "wording",
                "wording",
                ("coarse", "label", "fine"),
                fixed={"meaning": True},
            ),
            Scenario(
                "threshold",
                "How does a threshold trade what is missed for what is wrong?",
                "share of pairs let through",
                "accepted",
                (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
                measure="F1",
                logarithmic=True,
            ),
            Scenario(
                "labels",
                "Does it get harder with more labels?",
                "labels",
                "labels",
                (2, 3, 5, 10, 20, 50, 100),
                whole=True,
                seeds=3,
                fixed={"exemplars": 50},
                usual_values=(2, 5, 10, 20),
            ),
            Scenario(
                "unseen",
                "What happens to labels the classical engine was not fitted on?",
                "labels not fitted on",
                "unseen",
                (1, 2, 3, 5),
                seeds=3,
                fixed={"exemplars": 50},
            ),
            Scenario(
                "unseen-by-meaning",
                "The same, where it may read a word as the labels that mean nearly the same",
                "labels not fitted on",
                "unseen",
                (1, 2, 3, 5),
                seeds=3,
                fixed={"exemplars": 50, "meaning": True},
            ),
            Scenario(
                "absent",
                "Who says so when nothing in the gallery shows what is asked for?",
                "labels not fitted on, their pictures taken away",
                "unseen",
                (1, 2, 3, 5),
                seeds=3,
                fixed={"exemplars": 50, "absent": True},
                measure="abstained",
            ),
            *_ROBUST,
        )
    }
)
"""Name -> scenario, in the order of the report."""

BACKBONE = "backbone"
"""The sweep over the learned engines that a comparison is given."""

_GROUPS = {"robustness": tuple(scenario.name for scenario in _ROBUST)}


def choose(text: str, backbones: Sequence[str] = ()) -> tuple[Scenario, ...]:
    """Return the scenarios of a list such as "gallery,robustness", of "default", "all" or "none".

    A minus leaves one out: "default,-robustness". "default" has fewer values on some axes than "all". ``backbones``:
    the learned engines; with fewer than two, there is no sweep over them. Raises ``BadInput`` for a name that stands
    for none.
    """
    names = [part.strip() for part in text.split(",")]
    gone = {each.name for name in names if name.startswith("-") for each in _named(name[1:], backbones)}
    kept = ",".join(name for name in names if not name.startswith("-"))
    return tuple(each for each in _named(kept or "default", backbones) if each.name not in gone)


def _named(text: str, backbones: Sequence[str]) -> tuple[Scenario, ...]:
    if text == "none":
        return ()
    swept = Scenario(BACKBONE, "Which learned engine?", "learned engine", "engine", tuple(backbones), reach=Reach.OPEN)
    known = SCENARIOS if len(backbones) < 2 else {**SCENARIOS, BACKBONE: swept}
    if text == "all":
        return tuple(known.values())
    if text == "default":
        return tuple(replace(each, values=each.usual_values or each.values) for each in known.values())
    names: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name not in (BACKBONE, *_GROUPS, *known):
            expected = ", ".join(["default", "all", "none", BACKBONE, *_GROUPS, *SCENARIOS])
            raise BadInput(f"no scenario is called {name!r}; expected a list of {expected}")
        names += _GROUPS.get(name, (name,) if name in known else ())
    return tuple(known[name] for name in dict.fromkeys(names))
