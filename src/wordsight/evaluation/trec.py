"""TREC files, so that other programs can score our runs and we theirs.

Run: ``qid Q0 docid rank score tag``; qrels: ``qid 0 docid grade``. Blanks separate, so ids hold none. A grade of -1
means ignored (trec_eval: unjudged); any other grade below 1 means not relevant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from wordsight.errors import BadInput
from wordsight.types import Qrels, Ranking, Run

_IGNORED = -1


def write_run(run: Run, path: Path) -> None:
    """Write a run; raises ``BadInput`` for ids or a name with blanks, or where it cannot be written."""
    tag = _word(run.name)
    with _created(path) as file:
        for query_id, ranking in run.rankings.items():
            query = _word(query_id)
            for hit in ranking:
                file.write(f"{query} Q0 {_word(hit.image_id)} {hit.rank} {float(hit.score)!r} {tag}\n")


def read_run(path: Path) -> Run:
    """Read a run, its name from the last column. Like trec_eval, order by score and ignore the column of ranks.

    Raises ``BadInput`` with the line that cannot be understood.
    """
    scores: dict[str, dict[str, float]] = {}
    name = ""
    for place, (query, _, image, _, score, tag) in _fields(path, "qid Q0 docid rank score tag"):
        row = scores.setdefault(query, {})
        if image in row:
            raise BadInput(f"{place}: {image} was ranked for query {query} before")
        row[image] = _number(score, place)
        name = name or tag
    return Run(name, {query: Ranking.from_scores(query, row) for query, row in scores.items()})


def write_qrels(qrels: Qrels, path: Path) -> None:
    """Write what is right; raises ``BadInput`` for ids with blanks, or where it cannot be written."""
    with _created(path) as file:
        file.writelines(qrels_lines(qrels))


def qrels_lines(qrels: Qrels) -> Iterator[str]:
    """Yield the lines of such a file; raises ``BadInput`` for ids with blanks."""
    for query_id, row in qrels.grades.items():
        ignored = dict.fromkeys(sorted(qrels.ignored.get(query_id, ())), _IGNORED)
        for image_id, grade in {**row, **ignored}.items():
            yield f"{_word(query_id)} 0 {_word(image_id)} {grade}\n"


def read_qrels(path: Path) -> Qrels:
    """Read what is right. Raises ``BadInput`` with the line that cannot be understood."""
    grades: dict[str, dict[str, int]] = {}
    ignored: dict[str, set[str]] = {}
    for place, (query, _, image, text) in _fields(path, "qid 0 docid grade"):
        row = grades.setdefault(query, {})
        if image in row or image in ignored.get(query, ()):
            raise BadInput(f"{place}: {image} was judged for query {query} before")
        try:
            grade = int(text)
        except ValueError:
            raise BadInput(f"{place}: expected a whole number as grade, got {text!r}") from None
        if grade == _IGNORED:
            ignored.setdefault(query, set()).add(image)
        else:
            row[image] = grade
    return Qrels(grades, {query: frozenset(images) for query, images in ignored.items()})


@contextmanager
def _created(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def _fields(path: Path, layout: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the place (for messages) and the fields of each line that is not empty."""
    expected = len(layout.split())
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields:
                    continue
                if len(fields) != expected:
                    raise BadInput(f"{path}, line {number}: expected {layout!r}, got {len(fields)} fields")
                yield f"{path}, line {number}", fields
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}") from error


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise BadInput(f"{place}: expected a number as score, got {text!r}")
    return value


def _word(text: str) -> str:
    if text.split() != [text]:
        raise BadInput(f"a TREC file separates by blanks, so {text!r} cannot be an id in it")
    return text
