"""Who takes part in which scenario, and why one is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wordsight.comparison.material import Material
from wordsight.comparison.scenarios import Reach, Scenario
from wordsight.comparison.setup import CLASSICAL, Setup
from wordsight.datasets.task import TaskKind
from wordsight.errors import BadInput
from wordsight.protocols import Encoder

BACKBONES = "learned engines"
"""The one line of a sweep over the learned engines."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """The engines that are compared: ``encoders`` by name, and with ``classical`` the one that is fitted here.

    ``can_do``: whether the task knows what a setup asks for. Raises ``BadInput`` for no engine at all.
    """

    encoders: Mapping[str, Encoder]
    classical: bool
    material: Material
    can_do: Callable[[Setup], bool]

    def __post_init__(self) -> None:
        if not self.names:
            raise BadInput("expected at least one engine to compare")

    @property
    def names(self) -> list[str]:
        """The engines that get a row of their own."""
        return [*self.encoders, *([CLASSICAL] if self.classical else [])]

    @property
    def files(self) -> list[str]:
        """Those that were fitted elsewhere, and are what they are."""
        return [name for name, encoder in self.encoders.items() if encoder.vocabulary is not None]

    @property
    def can_fit(self) -> bool:
        """Whether the classical engine can be fitted as scenarios ask, be it for those alone."""
        return self.classical or (bool(self.files) and self.material.pictures is not None)

    def lines(self, scenario: Scenario) -> list[str]:
        """Return the engines that the scenario changes, none where the task is too small for it.

        Where the classical engine must be fitted otherwise, one that is fitted here stands for those from files.
        """
        open_ = [name for name in self.encoders if name not in self.files]
        if scenario.varies == "engine":
            return [BACKBONES] if len(open_) > 1 else []
        fitted = [CLASSICAL] if self.can_fit else []
        every = [*open_, *fitted] if scenario.fits else self.names
        able = {Reach.EVERY: every, Reach.OPEN: open_, Reach.FITTED: fitted}[scenario.reach]
        places = scenario.places(self.material.limits)
        probe = scenario.setups("", places[0][1]) if places else []
        return able if len(places) > 1 and all(map(self.can_do, probe)) else []

    def steady(self, scenario: Scenario) -> list[str]:
        """Return the engines that the scenario cannot change."""
        moving = {*self.lines(scenario), *map(str, scenario.values)}
        return [] if scenario.reach is Reach.EVERY else [name for name in self.names if name not in moving]

    def setups(self, scenario: Scenario) -> list[Setup]:
        """Return all experiments of the scenario."""
        places = scenario.places(self.material.limits)
        return [s for name in self.lines(scenario) for _, value in places for s in scenario.setups(name, value)]

    def notes(self, scenarios: Sequence[Scenario]) -> tuple[str, ...]:
        """Say which scenarios are left out, and where a fitted engine stands for one that comes as a file."""
        notes = [
            f"the scenario {scenario.name} was left out: {self._why_not(scenario)}"
            for scenario in scenarios
            if not self.lines(scenario)
        ]
        fits = [scenario.name for scenario in scenarios if scenario.fits and self.lines(scenario)]
        if self.files and fits:
            stands = f"the classical engine, fitted here from the exemplars, stands in its place ({CLASSICAL})"
            instead = stands if self.can_fit else "there are no exemplars here to fit another from"
            notes.append(f"{' and '.join(self.files)} cannot be fitted anew, as {', '.join(fits)} ask for: {instead}")
        return tuple(notes)

    def _why_not(self, scenario: Scenario) -> str:
        if self.material.task.kind is TaskKind.CAPTION and scenario.reach is not Reach.FITTED:
            return "it is about labels"
        if scenario.varies == "wording":
            return "no coarser and finer words are known for these labels"
        if scenario.reach is Reach.FITTED and not self.can_fit:
            known = "for which there are no exemplars" if self.files else "which is not compared"
            return f"it varies the classical engine, {known}"
        if scenario.reach is Reach.OPEN:
            return "no learned engine is compared"
        return "the task is too small for it"
