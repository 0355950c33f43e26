"""Answers for people at a terminal: a table with clickable paths, and the words for "nothing here matches"."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.cli.text import place, printable
from wordsight.library.hits import Answer, PhotoHit

if TYPE_CHECKING:  # rich costs 70 ms: imported where a table is really drawn
    from rich.console import Console
    from rich.text import Text

_WIDE = 80  # columns of a terminal that has room for everything
_BAR_CELLS = 6
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show(answers: Answer | Sequence[Answer], console: Console | None = None) -> None:
    """Draw the hits as one table per answer, on stdout or ``console``; nothing for an answer without hits.

    Columns: rank, score, match estimate with a bar, width and height, which part matched, capture date, and the path as
    a link; where several encoders were fused, also the rank with each. Columns that would be empty throughout are left
    out, on narrow terminals also the bar, the size and the part; paths below the working folder or home are shown from
    there.
    """
    from rich.console import Console

    console = Console(highlight=False) if console is None else console
    several = [answers] if isinstance(answers, Answer) else answers
    for answer in several:
        if answer.hits:
            _show_one(answer, console, titled=len(several) > 1)


def nothing_matches(answer: Answer, *, anyway: str = "--all") -> str:
    """Return the text for an answer of which the calibration says that nothing matches; one or two lines.

    ``anyway`` is the option that shows the nearest photos all the same.
    """
    asked = printable(" ".join(answer.query.source.split()))
    asked = asked if '"' in asked else f'"{asked}"'
    searched = "1 photo was" if answer.searched == 1 else f"{answer.searched:,} photos were"
    estimates = [hit.match for hit in answer.hits if hit.match is not None]
    if answer.searched == 0:
        return f"Nothing here matches {asked}: no photo was searched. Loosen the filters, or index a folder first."
    best = f"; the best match estimate is {percent(max(estimates))}" if estimates else ""
    return f"Nothing here matches {asked}: {searched} searched{best}.\nTo see the nearest photos anyway, add {anyway}."


def percent(share: float) -> str:
    """Return a share in [0, 1] as a whole percentage; only 0 and 1 themselves read as 0 % and 100 %."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def near(path: Path) -> str:
    """Return the path from the working folder where it lies below it, from ``~`` where it lies in the home folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # OSError: the working folder is gone
        pass
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def _show_one(answer: Answer, console: Console, *, titled: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    hits = answer.hits
    with_match = any(hit.match is not None for hit in hits)
    wide = console.width >= _WIDE
    with_region = wide and any(hit.region is not None for hit in hits)
    with_date = any(hit.captured_at is not None for hit in hits)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    if titled:
        table.title, table.title_justify = Text(printable(answer.query.source), "bold italic"), "left"
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right")
    for name in answer.encoders:
        table.add_column(printable(Path(name).name), justify="right", style="dim")
    if with_match:
        table.add_column("match", no_wrap=True)
    if wide:
        table.add_column("size", justify="right", style="dim", no_wrap=True)
    if with_region:
        table.add_column("where", no_wrap=True)
    if with_date:
        table.add_column("date", no_wrap=True)
    table.add_column("path", overflow="fold", ratio=1)
    for hit in hits:
        ranks = ("-" if rank is None else str(rank) for _, rank in hit.ranks)
        cells: list[str | Text] = [str(hit.rank), f"{hit.score:.3f}", *ranks]
        if with_match:
            cells.append(_match(hit, bar=wide))
        if wide:
            cells.append(f"{hit.width}×{hit.height}")  # noqa: RUF001  # the sign for dimensions
        if with_region:
            cells.append("" if hit.region is None else place(hit.region, hit.width, hit.height))
        if with_date:
            cells.append("" if hit.captured_at is None else f"{hit.captured_at:%Y-%m-%d}")
        cells.append(_link(hit))
        table.add_row(*cells)
    console.print(table)


def _match(hit: PhotoHit, *, bar: bool) -> Text:
    from rich.text import Text

    if hit.match is None:
        return Text("")
    colour = "green" if hit.match >= 0.5 else "yellow" if hit.match >= 0.2 else "red"
    eighths = round(min(max(hit.match, 0.0), 1.0) * _BAR_CELLS * 8)
    if not bar:
        return Text(f"{percent(hit.match):>6}", colour)
    blocks = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return Text.assemble((blocks.ljust(_BAR_CELLS), colour), f" {percent(hit.match):>6}")


def _link(hit: PhotoHit) -> Text:
    from rich.style import Style
    from rich.text import Text

    folder, name = os.path.split(near(hit.path))
    text = Text.assemble((printable(folder + os.sep) if folder else "", "dim"), printable(name))
    text.stylize(Style(link=hit.path.absolute().as_uri()))
    return text
