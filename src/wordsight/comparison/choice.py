"""Picks the engine and the threshold for a folder of one's own, on pictures that the figure it states leaves out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wordsight.comparison.measuring import best_threshold, cut, figures, main_measure
from wordsight.comparison.results import Choice
from wordsight.comparison.wording import percent
from wordsight.comparison.workbench import Scored
from wordsight.datasets.task import RetrievalTask
from wordsight.evaluation.measures import parse
from wordsight.evaluation.statistics import bootstrap_interval


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An engine to choose from.

    ``answer`` on the gallery; ``prompt``: the sentence that it puts a label into, at "{}"; ``fitted``: it must be, on
    the user's pictures; ``seconds`` that it takes for a picture.
    """

    answer: Scored
    prompt: str
    fitted: bool
    seconds: float = 0.0


def choose_engine(candidates: Mapping[str, Candidate], folder: Path, *, seed: int) -> Choice | None:
    """Return the engine with the best main measure on half of the gallery, and its threshold with the best F1 there.

    The figures that it promises are those on the other half. Of equal engines, the one that takes less time for a
    picture. ``None`` where a half has no picture of any label.
    """
    task = next(iter(candidates.values())).answer.task
    picking, confirming = _halves(task, seed)
    if not picking or not confirming:
        return None
    measure = main_measure(task.kind)
    there = {name: part_of(candidate.answer, picking) for name, candidate in candidates.items()}
    value = {name: figures(answer).means[measure] for name, answer in there.items()}
    best = min(value, key=lambda name: (-value[name], candidates[name].seconds))
    threshold = best_threshold(there[best])
    confirmed = part_of(candidates[best].answer, confirming)
    interval = bootstrap_interval(list(figures(confirmed).values[parse(measure).name].values()), seed=seed)
    f1 = cut(confirmed, threshold).f1
    others = ", ".join(f"{name} {percent(value[name])}" for name in value if name != best)
    sentence = (
        f"For these {len(task.queries)} labels use {best}: picked on {len(picking)} held-out pictures ({measure} "
        f"{percent(value[best])}{', against ' + others if others else ''}), it reaches {measure} "
        f"{percent(interval.mean)} on {len(confirming)} others. A score of {threshold:.3f} or more is a match "
        f"(F1 {percent(f1)} there)."
    )
    asked = candidates[best].prompt.replace("{}", task.queries[0].texts[0])
    return Choice(
        engine=best,
        threshold=round(threshold, 5),
        picked_on=len(picking),
        confirmed_on=len(confirming),
        value=interval,
        f1=round(f1, 5),
        sentence=sentence,
        commands=_commands(best, candidates[best].fitted, folder, asked, threshold),
    )


def part_of(answer: Scored, image_ids: Sequence[str]) -> Scored:
    """Return the answer on some of the pictures."""
    kept = frozenset(image_ids)
    columns = [place for place, image in enumerate(answer.task.images) if image.image_id in kept]
    estimates = None if answer.estimates is None else answer.estimates[:, columns]
    return Scored(answer.task.restricted(kept), answer.scores[:, columns], estimates)


def _halves(task: RetrievalTask, seed: int) -> tuple[list[str], list[str]]:
    """Return the two halves of the gallery, every label's pictures drawn into both in turn."""
    rng = np.random.default_rng(seed)
    halves: tuple[list[str], list[str]] = ([], [])
    turn = 0
    for query in task.queries:
        own = sorted(task.qrels.grades[query.query_id])
        for place in rng.permutation(len(own)):
            halves[turn].append(own[place])
            turn = 1 - turn
    return halves


def _commands(engine: str, fitted: bool, folder: Path, word: str, threshold: float) -> tuple[str, ...]:
    """Return what to type next; the classical engine is fitted anew, now on all pictures."""
    where, said = shlex.quote(str(folder)), shlex.quote(word)
    least = f"--min-score {threshold:.3f}"
    if not fitted:
        return (
            f"wordsight index {where} --encoder {engine}",
            f"wordsight search {said} --in {where} --encoder {engine} {least}",
        )
    file = engine if engine.endswith(".wsc") else "mine.wsc"
    fit = () if engine.endswith(".wsc") else (f"wordsight fit {where} -o {file}",)
    return (
        *fit,
        f"wordsight index {where} --encoder {file} --beside",
        f"wordsight search {said} --in {where} --encoder {file} {least}",
    )
