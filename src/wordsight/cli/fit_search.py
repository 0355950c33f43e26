"""Exemplars found by the learned engine in an indexed folder, and shown for confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordsight.cli.options import notice, open_library
from wordsight.cli.sheet import write_sheet
from wordsight.datasets.exemplars import Exemplar, Exemplars
from wordsight.datasets.layout import file_loader
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.library import Answer, PhotoHit

_LIKELY = 0.5
_SHOWN = 10
"""Of each label so many are shown at least: a person who confirms sees in a moment what the estimate is unsure of."""


def found_by_search(
    folder: Path,
    labels: Sequence[str],
    *,
    each: int,
    encoder: str,
    catalog: Path | None,
    sheet: Path,
    ask: bool,
) -> Exemplars:
    """Return up to ``each`` photos below ``folder`` for every label, likely ones where the search can tell.

    A photo found for several labels goes to the one it matches best. With ``ask``, the best ten are shown even if they
    are not likely, and the user may leave some out.
    Raises ``BadInput`` for a label without photos.
    """
    from wordsight.types import Query

    if len(set(labels)) < 2 or len(set(labels)) != len(labels):
        raise BadInput(f"expected at least two different labels, got {', '.join(labels) or 'none'}")
    with open_library(encoder, catalog) as library:
        answers = [library.search(Query.of(label), top=each, within=[folder]) for label in labels]
    answers = _one_label_each([_likely(answer, _SHOWN if ask else 0) for answer in answers])
    missing = [answer.query.source for answer in answers if not answer.hits]
    if missing:
        raise BadInput(f"no photo in {folder} shows {' or '.join(missing)}: leave it out, or say it in other words")
    for reason in write_sheet(answers, sheet, title="Exemplars"):
        notice(reason)
    left_out = _confirmed(answers, sheet) if ask else frozenset()
    items = [
        Exemplar(str(hit.path), file_loader(hit.path), (answer.query.source,))
        for number, answer, hit in _numbered(answers)
        if number not in left_out
    ]
    gone = [label for label in labels if not any(label in item.labels for item in items)]
    if gone:
        raise BadInput(f"no exemplar is left of {', '.join(gone)}")
    return Exemplars("search", tuple(labels), tuple(items))


def _likely(answer: Answer, least: int) -> Answer:
    """Keep the hits that are likely right, and the first ``least`` in any case."""
    if not answer.calibrated:
        return answer
    return replace(answer, hits=tuple(hit for hit in answer.hits if hit.rank <= least or _is_likely(hit)))


def _is_likely(hit: PhotoHit) -> bool:
    return hit.match is None or hit.match >= _LIKELY


def _one_label_each(answers: Sequence[Answer]) -> list[Answer]:
    """Give a photo that several answers hold to the one it matches best, the first of equals."""

    def value(hit: PhotoHit) -> float:
        return hit.score if hit.match is None else hit.match

    best: dict[str, tuple[float, int]] = {}
    for place, answer in enumerate(answers):
        for hit in answer.hits:
            if value(hit) > best.get(hit.sha256, (float("-inf"), 0))[0]:
                best[hit.sha256] = value(hit), place
    return [
        replace(answer, hits=tuple(hit for hit in answer.hits if best[hit.sha256][1] == place))
        for place, answer in enumerate(answers)
    ]


def _numbered(answers: Sequence[Answer]) -> list[tuple[int, Answer, PhotoHit]]:
    pairs = [(answer, hit) for answer in answers for hit in answer.hits]
    return [(number, answer, hit) for number, (answer, hit) in enumerate(pairs, start=1)]


def _confirmed(answers: Sequence[Answer], sheet: Path) -> frozenset[int]:
    """Show what was found and return the numbers to leave out; raises ``typer.Abort`` when the user stops."""
    rows = _numbered(answers)
    for number, answer, hit in rows:
        match = "" if hit.match is None else f" {hit.match:4.0%}"
        notice(f"{number:4} {answer.query.source}{match} {hit.path}")
    for answer in answers:
        unsure = sum(not _is_likely(hit) for hit in answer.hits)
        if unsure:
            notice(f"{answer.query.source}: {unsure} of {len(answer.hits)} are not likely to show it: look at them")
    notice(f"contact sheet: {sheet.absolute().as_uri()}")
    while True:
        text = typer.prompt(
            "Numbers to leave out, 3 5-8 (Enter: none, q: stop)", default="", show_default=False, err=True
        )
        if text.strip() == "q":
            raise typer.Abort
        numbers = _numbers(text, len(rows))
        if numbers is not None:
            return numbers
        notice(f"expected numbers from 1 to {len(rows)}, got {text!r}")


def _numbers(text: str, most: int) -> frozenset[int] | None:
    """Return the numbers of a list such as "3, 5-8"; ``None`` where it holds anything else or more than ``most``."""
    found: set[int] = set()
    for word in text.replace(",", " ").split():
        first, _, last = word.partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= most):
            return None
        found.update(range(int(first), int(last) + 1))
    return frozenset(found)
