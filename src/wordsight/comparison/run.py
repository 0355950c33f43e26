"""The whole comparison: every engine under the conditions of the task, fusions, scenarios, costs, statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from wordsight.comparison.advice import summarised
from wordsight.comparison.cache import Store
from wordsight.comparison.choice import Candidate, choose_engine
from wordsight.comparison.cost import Cost, Fit, measure_cost
from wordsight.comparison.judging import compared, disagreement, fused, judged
from wordsight.comparison.lineup import Lineup
from wordsight.comparison.machine import machine, peak_memory, versions
from wordsight.comparison.material import Material
from wordsight.comparison.measuring import MEASURES, cut, figures, main_measure, threshold_for
from wordsight.comparison.results import Comparison, Curve, Disagreement, EngineResult, Point, Provenance, TaskFacts
from wordsight.comparison.scenarios import Scenario, Value
from wordsight.comparison.setup import CLASSICAL, Setup, digest
from wordsight.comparison.workbench import Scored, Workbench
from wordsight.datasets.task import TaskKind
from wordsight.encoders import cluster_file
from wordsight.encoders.cluster import ClusterEncoder
from wordsight.errors import BadInput
from wordsight.protocols import MANY, Encoder, TunableEncoder
from wordsight.types import Scores

Tell: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and how many there are."""

_QUERY_TEXTS = 8
MODEL_FILE = "classical.wsc"
"""The classical engine that was fitted, in the folder of the report."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared: ``encoders`` by the name that ``load_encoder`` knows, the classical engine or not, and how.

    ``folder``: where a folder of one's own lies, which is then given an engine; ``command``: for the report.
    """

    encoders: Mapping[str, Encoder]
    classical: bool
    scenarios: tuple[Scenario, ...]
    asked: str
    seed: int
    threads: int
    command: str
    folder: Path | None = None


def compare(material: Material, plan: Plan, store: Store, tell: Tell = lambda *_: None) -> Comparison:
    """Compare engines on one material.

    What the store holds already is not done again. Raises ``BadInput`` for fewer than one engine, and as engines do.
    """
    return _Run(material, plan, store, tell).whole()


class _Run:
    """One comparison while it is made."""

    def __init__(self, material: Material, plan: Plan, store: Store, tell: Tell) -> None:
        self._material, self._plan, self._store, self._tell = material, plan, store, tell
        self._bench = Workbench(material, plan.encoders, store, seed=plan.seed, threads=plan.threads)
        self._lineup = Lineup(plan.encoders, plan.classical, material, self._bench.can_do)
        self._names = self._lineup.names
        self._done, self._all = 0, 1
        self._started = time.perf_counter()
        self._about = machine()
        self._clock = digest("seconds", material.digest, plan.asked, plan.seed)
        self._made = self._before = store.result(self._clock) or {}

    def whole(self) -> Comparison:
        """Do everything."""
        curves_of = [scenario for scenario in self._plan.scenarios if self._lineup.lines(scenario)]
        setups = [setup for scenario in curves_of for setup in self._lineup.setups(scenario)]
        self._all = len(self._names) * 2 + len(setups)
        self._tune()
        fit = self._fit() if self._plan.classical else None
        answers = {name: self._answer(name) for name in self._names}
        costs = {name: self._cost(name, fit if name == CLASSICAL else None) for name in self._names}
        curves = tuple(self._curve(scenario, answers) for scenario in curves_of)
        self._step("statistics")
        everything = {**answers, **fused(answers)}
        engines = tuple(self._judged(name, answer, costs) for name, answer in everything.items())
        comparison = Comparison(
            task=self._facts(),
            engines=engines,
            tests=compared(everything),
            curves=curves,
            disagreements=self._disagreements(answers),
            choice=None,
            summary=(),
            notes=(*self._material.notes, *self._lineup.notes(self._plan.scenarios)),
            skipped=dict(self._material.skipped),
            provenance=self._provenance(),
        )
        if self._plan.folder is not None:
            choice = choose_engine(self._candidates(answers, costs), self._plan.folder, seed=self._plan.seed)
            comparison = replace(comparison, choice=choice)
        return replace(comparison, summary=summarised(comparison))

    def _candidates(self, answers: Mapping[str, Scored], costs: Mapping[str, Cost]) -> dict[str, Candidate]:
        return {
            name: Candidate(
                answer, engine.label_prompts[0], engine.vocabulary is not None, costs[name].seconds_a_picture
            )
            for name, answer in answers.items()
            for engine in (self._engines[name],)
        }

    def _context(self, engine: str) -> str:
        fingerprint = self._plan.encoders[engine].fingerprint if engine in self._plan.encoders else engine
        return digest(self._material.digest, fingerprint, self._plan.seed, versions(()))

    def _step(self, what: str, steps: int = 0) -> None:
        self._done += steps
        self._tell(what, min(self._done, self._all), self._all)

    def _tune(self) -> None:
        for encoder in self._plan.encoders.values():
            if isinstance(encoder, TunableEncoder) and len(self._material.task.images) >= MANY:
                self._step(f"{encoder.name}: what runs it fastest")
                encoder.tune()

    def _fit(self) -> Fit:
        """Fit the classical engine and keep it as a file, or take the one that is kept."""
        key = digest("fit", self._context(CLASSICAL))
        file = self._store.folder / MODEL_FILE
        known = self._store.result(key)
        if known is not None and file.is_file():
            return Fit(**known)
        self._step("fitting the classical engine")
        started = time.perf_counter()
        exemplars = self._material.exemplars
        labels = () if exemplars is None else exemplars.labels
        model = self._bench.variations.model(Setup(CLASSICAL), labels)
        fit = Fit(round(time.perf_counter() - started, 2), peak_memory())
        cluster_file.write(model, file)
        self._keep(key, asdict(fit))
        return fit

    @cached_property
    def _engines(self) -> dict[str, Encoder]:
        """The engines by name, the classical one as its file says; ask after the fit."""
        file = self._store.folder / MODEL_FILE
        fitted: dict[str, Encoder] = {CLASSICAL: ClusterEncoder.load(file)} if self._plan.classical else {}
        return {**self._plan.encoders, **fitted}

    def _answer(self, name: str) -> Scored:
        """Return the answer of an engine under the conditions of the task; its scores are kept."""
        self._step(f"{name}: the gallery", 1)
        self._bench.progress = lambda done, total: self._tell(
            f"{name}: picture {done:,} of {total:,}", self._done, self._all
        )
        key = Setup(name).key(self._context(name))
        fresh: list[Scored] = []

        def scores() -> Scores:
            fresh.append(self._bench.run(Setup(name)))
            return fresh[0].scores

        kept = self._store.array(f"{key}-scores", scores, lasting=True)
        if np.isnan(kept).all():
            raise BadInput(f"{name} knows none of the labels of {self._material.task.name}: leave it out")
        if not fresh:
            estimates = self._store.array(f"{key}-estimates", lambda: np.empty(0, np.float32), lasting=True)
            return Scored(self._material.task, kept, estimates if estimates.size else None)
        given = fresh[0].estimates
        self._store.array(f"{key}-estimates", lambda: np.empty(0, np.float32) if given is None else given, lasting=True)
        return fresh[0]

    def _cost(self, name: str, fit: Fit | None) -> Cost:
        self._step(f"{name}: what it costs", 1)
        key = digest("cost", self._context(name))
        known = self._store.result(key)
        if known is None:
            opened = str(self._store.folder / MODEL_FILE) if name == CLASSICAL else name
            engine, queries = self._engines[name], self._material.task.queries
            texts = [text for query in queries for text in (*query.texts, query.query_id)][: 4 * _QUERY_TEXTS]
            asked = [text for text in texts if engine.vocabulary is None or text in engine.vocabulary]
            cost = measure_cost(opened, engine.dim, self._material.task.images, asked[:_QUERY_TEXTS], fit)
            known = asdict(cost)
            self._keep(key, known)
        return Cost(**known)

    def _curve(self, scenario: Scenario, answers: Mapping[str, Scored]) -> Curve:
        measure = scenario.measure or main_measure(self._material.task.kind)
        lines = {}
        self._fit_ahead(scenario)
        for name in self._lineup.lines(scenario):
            points = []
            for at, value in scenario.places(self._material.limits):
                draws = [self._cell(scenario, setup, answers)[measure] for setup in scenario.setups(name, value)]
                points.append(_point(at, draws))
            lines[name] = tuple(points)
        still = {name: figures(answers[name]).means[measure] for name in self._lineup.steady(scenario)}
        fixed = dict(scenario.fixed)
        return Curve(
            scenario.name, scenario.question, scenario.axis, measure, fixed, scenario.logarithmic, lines, still
        )

    def _fit_ahead(self, scenario: Scenario) -> None:
        """Fit what the scenario needs and is not kept; a threshold is laid on answers that are there."""
        missing = [
            setup
            for setup in self._lineup.setups(scenario)
            if setup.accepted is None and self._store.result(setup.key(self._context(setup.engine))) is None
        ]
        if any(setup.engine == CLASSICAL for setup in missing):
            self._step(f"{scenario.name}: fitting")
            self._bench.fit_ahead(missing)

    def _cell(self, scenario: Scenario, setup: Setup, answers: Mapping[str, Scored]) -> dict[str, float]:
        """Return the figures of one experiment, made or kept."""
        self._step(f"{scenario.name}: {setup.engine}", 1)
        key = setup.key(self._context(setup.engine))
        known = self._store.result(key)
        if known is None:
            if setup.accepted is not None:
                answer = answers[setup.engine]
                found = cut(answer, threshold_for(answer, setup.accepted))
                known = {"F1": found.f1, "precision": found.precision, "recall": found.recall}
            else:
                result = figures(self._bench.run(setup))
                known = {**result.means, "abstained": result.abstained}
            self._keep(key, known)
        return known

    def _judged(self, name: str, answer: Scored, costs: Mapping[str, Cost]) -> EngineResult:
        if name not in self._names:
            about = f"of {' and '.join(self._names)}"
            return judged(name, "fusion", answer, fingerprint="", about=about, cost=None)
        encoder = self._engines[name]
        closed = encoder.vocabulary
        about = "any text" if closed is None else f"{len(closed)} labels"
        if isinstance(encoder, ClusterEncoder):
            learned = encoder.model.about
            about += f", {learned.get('exemplars', '?')} exemplars, {learned.get('features', '?')}"
        kind = "learned" if closed is None else "classical"
        return judged(name, kind, answer, fingerprint=encoder.fingerprint, about=about, cost=costs[name])

    def _disagreements(self, answers: Mapping[str, Scored]) -> tuple[Disagreement, ...]:
        names: Sequence[str] = list(answers)
        return tuple(disagreement(names[0], other, answers) for other in names[1:])

    def _facts(self) -> TaskFacts:
        material = self._material
        captions = material.task.kind is TaskKind.CAPTION
        return TaskFacts(
            name=material.task.name,
            kind=material.task.kind.value,
            split=material.task.split,
            labels=() if captions else tuple(query.query_id for query in material.task.queries),
            images=len(material.task.images),
            exemplars=None if material.pictures is None else len(material.pictures.items),
            main=main_measure(material.task.kind),
            each=MEASURES[material.task.kind][0],
        )

    def _keep(self, key: str, result: dict[str, Any]) -> None:
        self._store.keep(key, result)
        self._clock_in()

    def _clock_in(self) -> None:
        """Keep when and where this was made, and how long this run and those that it continues took, also if killed."""
        seconds = float(self._before.get("seconds", 0)) + time.perf_counter() - self._started
        date = datetime.now(UTC).isoformat(timespec="minutes")
        self._made = {"seconds": round(seconds, 1), "date": date, "machine": self._about}
        self._store.keep(self._clock, self._made)

    def _provenance(self) -> Provenance:
        if self._made is not self._before or "date" not in self._made:  # else only the report is written again
            self._clock_in()
        return Provenance(
            command=self._plan.command,
            date=self._made["date"],
            seconds=self._made["seconds"],
            seed=self._plan.seed,
            scenarios=self._plan.asked,
            material=self._material.digest,
            versions=versions(),
            machine=self._made["machine"],
        )


def _point(at: Value, draws: Sequence[float]) -> Point:
    return Point(at, round(float(np.mean(draws)), 6), round(min(draws), 6), round(max(draws), 6), len(draws))
