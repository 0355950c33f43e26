"""What a comparison leaves behind: report.json, report.md, report.tex and report.html, all from the same result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from wordsight.comparison.cache import write_atomically
from wordsight.comparison.report.page import page
from wordsight.comparison.report.plots import EXTRA, can_draw, draw
from wordsight.comparison.report.text import latex, markdown
from wordsight.comparison.report.thumbnails import thumbnails
from wordsight.comparison.results import Comparison
from wordsight.datasets.task import TaskImage

__all__ = ["EXTRA", "can_draw", "write_report"]


def write_report(found: Comparison, folder: Path, *, pictures: Iterable[TaskImage] = ()) -> tuple[Path, ...]:
    """Write the four files and return their paths; ``pictures`` are shown small, where their terms allow that.

    Without matplotlib the page has no plots. Raises ``BadInput`` where a file cannot be written.
    """
    content = {
        "report.json": json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "report.md": markdown(found),
        "report.tex": latex(found),
        "report.html": page(found, draw(found), thumbnails(found, pictures)),
    }
    for name, text in content.items():
        write_atomically(folder / name, text.encode())
    return tuple(folder / name for name in content)
