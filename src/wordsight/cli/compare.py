"""``wordsight compare``: classical and learned engines on one task or on a folder of one's own, and what to use."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import QuietOption, notice
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.comparison import Comparison, Material
    from wordsight.comparison.run import Tell
    from wordsight.protocols import Encoder

_FREE = frozenset({"folder"})
"""Tasks whose pictures are the user's own, so that a report may show them."""


def compare(
    task: Annotated[str, typer.Option(help="cifar10, voc2007, captions, ..., or folder for class folders.")],
    root: Annotated[Path, typer.Option(help="The folder of the data set, or of the class folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the report.")] = Path("report"),
    encoders: Annotated[
        str, typer.Option(help="Names, model folders and .wsc files; classical: fitted here from exemplars.")
    ] = "mini,classical",
    scenarios: Annotated[
        str, typer.Option(help="default, all, none, or a list: gallery,exemplars,...; -NAME leaves out.")
    ] = "default",
    exemplars: Annotated[
        Path | None, typer.Option(help="Labelled pictures to fit on; the training part below --root unless told.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="The part of the data set; its test part unless told.")] = None,
    limit: Annotated[int | None, typer.Option(min=4, help="Use this many pictures only.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and pictures give the same figures.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what an earlier run in this folder has done.")] = False,
    thumbnails: Annotated[
        bool | None, typer.Option(help="Show small pictures in the report; for --task folder unless told.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Compare classical and learned engines: quality, cost, scenarios, statistics; write a report.

    For class folders of your own, picks the engine and the threshold for them.
    """
    # The threads here work on pictures; numpy's own, on top, would only get into their way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from wordsight.comparison import Store, choose, open_material
    from wordsight.comparison.report import EXTRA, can_draw, write_report
    from wordsight.comparison.run import Plan
    from wordsight.comparison.run import compare as run
    from wordsight.comparison.setup import CLASSICAL
    from wordsight.machine import cores

    names = list(dict.fromkeys(name.strip() for name in encoders.split(",") if name.strip()))
    if not names:
        raise BadInput("--encoders names no engine: expected names such as mini,classical")
    opened = _opened([name for name in names if name != CLASSICAL])
    learned = [name for name, encoder in opened.items() if encoder.vocabulary is None]
    swept = choose(scenarios, learned)
    if not can_draw():
        notice(f'the report will have no plots: they need pip install "wordsight[{EXTRA}]"', quiet=quiet)
    store = Store(output)
    with _progress(quiet) as tell:
        tell("reading pictures", 0, 1)
        material = open_material(task, root, exemplars=exemplars, split=split, limit=limit, seed=seed, threads=cores())
        _refuse_fitted_on_gallery(opened, material)
        if not resume:  # only now: a mistake costs nobody the results of an earlier run
            store.forget()
        plan = Plan(
            encoders=opened,
            classical=CLASSICAL in names and material.pictures is not None,
            scenarios=swept,
            asked=scenarios,
            seed=seed,
            threads=cores(),
            command=_command(task, root, names, scenarios, exemplars, split, limit, seed),
            folder=root if task in _FREE else None,
        )
        found = run(material, plan, store, tell)
    shown = task in _FREE if thumbnails is None else thumbnails
    files = write_report(found, output, pictures=material.task.images if shown else ())
    store.drop_arrays()
    _tell(found, files[-1])


def _opened(names: list[str]) -> dict[str, Encoder]:
    from wordsight.registry import load_encoder

    return {name: load_encoder(name) for name in names}


def _refuse_fitted_on_gallery(encoders: dict[str, Encoder], material: Material) -> None:
    """Raise ``BadInput`` for a fitted file that knows a picture of the gallery."""
    from wordsight.datasets.exemplars import refuse_known
    from wordsight.protocols import FittedEncoder

    for name, encoder in encoders.items():
        if isinstance(encoder, FittedEncoder):
            try:
                refuse_known(encoder.exemplars, material.keys, material.task.name)
            except BadInput as error:
                raise BadInput(f"{name}: {error}") from error


def _command(
    task: str,
    root: Path,
    encoders: list[str],
    scenarios: str,
    exemplars: Path | None,
    split: str | None,
    limit: int | None,
    seed: int,
) -> str:
    """Return the command that makes this comparison again."""
    words = ["wordsight", "compare", "--task", task, "--root", str(root), "--encoders", ",".join(encoders)]
    words += ["--scenarios", scenarios, "--seed", str(seed)]
    for option, value in (("--exemplars", exemplars), ("--split", split), ("--limit", limit)):
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)


@contextmanager
def _progress(quiet: bool) -> Iterator[Tell]:
    """Yield what draws a bar on a terminal's stderr; elsewhere, one line for each kind of step."""
    if quiet:
        yield lambda *_: None
        return
    if not sys.stderr.isatty():
        told: list[str] = []

        def line(what: str, done: int, total: int) -> None:
            kind = what.partition(": picture")[0]
            if kind not in told:
                told.append(kind)
                notice(f"[{done}/{total}] {kind}")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(row, description=what, completed=done, total=total)


def _tell(found: Comparison, page: Path) -> None:
    """Print the summary; what to type next stands by itself."""
    if found.choice is not None:
        typer.echo(found.choice.sentence)
        for command in found.choice.commands:
            typer.echo(f"  {command}")
    for sentence in found.summary:
        typer.echo(f"- {sentence}")
    for note in found.notes:
        notice(f"note: {note}")
    notice(f"report: {page.absolute().as_uri()}")
