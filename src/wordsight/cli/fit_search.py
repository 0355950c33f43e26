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

    A photo found for several labels goes to the one it matches best. With ``ask``, the user may leave some out.
    Raises ``BadInput`` for a label without photos.
    """
    from wordsight.types import Query

    if len(set(labels)) < 2 or len(set(labels)) != len(labels):
        raise BadInput(f"expected at least two different labels, got {', '.join(labels) or 'none'}")
    with open_library(encoder, catalog) as library:
        answers = [library.search(Query.of(label), top=each, within=[folder]) for label in labels]
    answers = _one_label_each([_likely(answer) for answer in answers])
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


def _likely(answer: Answer) -> Answer:
    if not answer.calibrated:
        return answer
    return replace(answer, hits=tuple(hit for hit in answer.hits if (hit.match or 0) >= _LIKELY))


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
    notice(f"contact sheet: {sheet.absolute().as_uri()}")
    while True:
        text = typer.prompt("Numbers to leave out (Enter: none, q: stop)", default="", show_default=False, err=True)
        words = text.replace(",", " ").split()
        if words == ["q"]:
            raise typer.Abort
        if all(word.isdecimal() and 1 <= int(word) <= len(rows) for word in words):
            return frozenset(map(int, words))
        notice(f"expected numbers from 1 to {len(rows)}, got {text!r}")
