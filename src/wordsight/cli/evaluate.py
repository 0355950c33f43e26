"""``wordsight evaluate``: how well an encoder does on a known task, or a TREC run on its qrels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.errors import BadInput

# Everything else is imported where it is used, so that --help does not wait for numpy.
if TYPE_CHECKING:
    from rich.table import Table

    from wordsight.experiment import Progress, TaskResult

_RUN_MEASURES = ("AP", "RR", "Rprec", "P@10", "nDCG@10", "Success@1", "Success@5", "Success@10", "R@100")


class TaskName(StrEnum):
    """The tasks of ``wordsight.datasets``."""

    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"
    CIFAR100_COARSE = "cifar100-coarse"
    VOC2007 = "voc2007"
    CALTECH101 = "caltech101"
    FOLDER = "folder"
    CAPTIONS = "captions"
    FLICKR8K = "flickr8k"
    FLICKR30K = "flickr30k"
    COCO = "coco"


def evaluate(
    task: Annotated[TaskName | None, typer.Option(help="What to measure on.")] = None,
    root: Annotated[Path | None, typer.Option(help="The folder of the data set.")] = None,
    encoder: Annotated[str, typer.Option(help="The encoder, by name.")] = "mini",
    split: Annotated[str | None, typer.Option(help="The part of the data set; its test part unless told.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many pictures only, evenly spaced.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help='What a label is put into at "{}"; repeat for an average.')
    ] = None,
    measure: Annotated[list[str] | None, typer.Option(help="What to compute, such as nDCG@10; repeatable.")] = None,
    write_run: Annotated[Path | None, typer.Option(help="Also write the ranking to this TREC run file.")] = None,
    write_qrels: Annotated[Path | None, typer.Option(help="Also write what is right to this TREC file.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Score --run against this TREC file, without a task.")] = None,
    run: Annotated[Path | None, typer.Option(help="The TREC run to score, also one by another program.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    per_query: Annotated[bool, typer.Option("--per-query", help="Also give the value of each query.")] = False,
) -> None:
    """Measure an encoder on a known task, or score a TREC run.

    Figures are fractions in [0, 1]; docs/evaluation.md defines them.
    """
    if qrels is not None or run is not None:
        others = (task, root, split, limit, prompt, write_run, write_qrels)
        if qrels is None or run is None or any(option is not None for option in others):
            raise BadInput("--qrels and --run go together and without a task; to write the run of a task: --write-run")
        report = _score_files(qrels, run, measure or _RUN_MEASURES, per_query)
    elif task is None or root is None:
        raise BadInput("expected --task with --root, or --qrels with --run")
    else:
        for file in filter(None, (write_run, write_qrels)):
            if not file.parent.is_dir():  # said before the minutes of work, not after
                raise BadInput(f"{file} cannot be written: there is no folder {file.parent}")
        result = _measure(task.value, root, encoder, split, limit, prompt, measure)
        _write_files(result, write_run, write_qrels)
        report = result.as_json(per_query=per_query)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print_tables(report)


def _measure(
    task: str,
    root: Path,
    encoder: str,
    split: str | None,
    limit: int | None,
    prompts: Sequence[str] | None,
    measures: Sequence[str] | None,
) -> TaskResult:
    from wordsight.datasets import load_task
    from wordsight.evaluation import parse
    from wordsight.experiment import run_task
    from wordsight.registry import load_encoder

    chosen = [parse(name) for name in measures] if measures else None
    loaded = load_task(task, root, split)
    if limit is not None:
        loaded = loaded.sample(limit)
    with _progress() as progress:
        return run_task(loaded, load_encoder(encoder), prompts=prompts or None, measures=chosen, progress=progress)


def _write_files(result: TaskResult, run: Path | None, qrels: Path | None) -> None:
    from wordsight.evaluation import trec

    if run is not None:
        trec.write_run(result.run(), run)
    if qrels is not None:
        trec.write_qrels(result.task.qrels, qrels)


def _score_files(qrels: Path, run: Path, measures: Sequence[str], per_query: bool) -> dict[str, object]:
    from wordsight.evaluation import evaluate_run, parse, read_qrels, read_run

    truth, answers = read_qrels(qrels), read_run(run)
    evaluation = evaluate_run(answers, truth, [parse(name) for name in measures])
    report: dict[str, object] = {
        "run": answers.name,
        "n_queries": len(truth.grades),
        "n_images": len({hit.image_id for ranking in answers.rankings.values() for hit in ranking}),
        "measures": evaluation.means(),
        "missing": len(evaluation.missing),
        "left_out": len(evaluation.left_out),
    }
    return report | ({"per_query": evaluation.per_query()} if per_query else {})


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Yield a callback that draws a bar on a terminal's stderr, or None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("reading pictures", total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)


def _print_tables(report: Mapping[str, object]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    for key, value in report.items():
        if key == "measures" and isinstance(value, dict):
            console.print(_table("measure", value))
        elif key in ("settings", "per_query") and isinstance(value, dict):
            for name, item in value.items():
                console.print(_table(name, item) if isinstance(item, dict) else f"{name}: {item}")
        else:
            console.print(f"{key}: {value}")


def _table(title: str, values: Mapping[str, float]) -> Table:
    from rich.table import Column, Table

    table = Table(Column(title), Column("value", justify="right"))
    for name, value in values.items():
        table.add_row(name, f"{value:.4f}")
    return table
