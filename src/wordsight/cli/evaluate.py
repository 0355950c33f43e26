"""``wordsight evaluate``: how well an encoder does on a known task, or a TREC run on its qrels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, Unpack

import typer

from wordsight.cli.options import notice
from wordsight.cli.progress import progress_bar
from wordsight.errors import BadInput

# Everything else is imported where it is used, so that --help does not wait for numpy.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wordsight.datasets import RetrievalTask
    from wordsight.evaluation import Measure
    from wordsight.experiment import TaskResult
    from wordsight.protocols import Selection


_RUN_MEASURES = ("AP", "RR", "Rprec", "P@10", "nDCG@10", "Success@1", "Success@5", "Success@10", "R@100")


_NAMED = 3  # of the pictures that were left out; --per-query lists all of them


class TaskOptions(TypedDict):
    """What ``run_task`` is told beside task and encoder."""

    prompts: Sequence[str] | None
    measures: Sequence[Measure] | None
    softmax: float | None
    abstain: bool
    estimates: bool


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
        list[str] | None,
        typer.Option(
            help='What a label is put into at "{}", or a known set: word, photo, this, cifar, voc2007, imagenet7; '
            "repeat for an average."
        ),
    ] = None,
    softmax: Annotated[
        float | None, typer.Option(help="Rank by a softmax over the labels of scores times this; CLIP uses 100.")
    ] = None,
    abstain: Annotated[
        bool, typer.Option("--abstain", help="Labels that a closed encoder does not know count as not found.")
    ] = False,
    measure: Annotated[list[str] | None, typer.Option(help="What to compute, such as nDCG@10; repeatable.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="Also score a decision: assigned, top:10 or at-least:0.25.", show_default=False)
    ] = None,
    original: Annotated[
        bool,
        typer.Option("--original", help="Also follow the original protocol: 300 random galleries."),
    ] = False,
    candidates: Annotated[int, typer.Option(min=1, help="Pictures of each of these galleries.")] = 100,
    estimates: Annotated[bool, typer.Option("--estimates", help="Also check the match estimates of hits.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch the data set first if it is not there.")] = False,
    mirror: Annotated[
        str | None, typer.Option(envvar="WORDSIGHT_MIRROR", help="Where to fetch it from instead.", show_default=False)
    ] = None,
    write_run: Annotated[Path | None, typer.Option(help="Also write the ranking to this TREC run file.")] = None,
    write_qrels: Annotated[Path | None, typer.Option(help="Also write what is right to this TREC file.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Score --run against this TREC file, without a task.")] = None,
    run: Annotated[Path | None, typer.Option(help="The TREC run to score, also one by another program.")] = None,
    corrupt: Annotated[
        str | None, typer.Option(help="Spoil the pictures: fog:3, fog (its five strengths), or all.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; for several corruptions one a line.")
    ] = False,
    per_query: Annotated[bool, typer.Option("--per-query", help="Also give the value of each query.")] = False,
) -> None:
    """Measure an encoder on a known task or on class folders of your own, or score a TREC run.

    Figures are fractions in [0, 1]; docs/evaluation.md defines them.
    """
    if qrels is not None or run is not None:
        others = (task, root, split, limit, prompt, softmax, rule, write_run, write_qrels, corrupt)
        flags = abstain or original or estimates or download
        if qrels is None or run is None or flags or any(option is not None for option in others):
            raise BadInput("--qrels and --run go together and without a task; to write the run of a task: --write-run")
        _print(_score_files(qrels, run, measure or _RUN_MEASURES, per_query), as_json)
    elif task is None or root is None:
        raise BadInput("expected --task with --root, or --qrels with --run")
    else:
        for file in filter(None, (write_run, write_qrels)):
            if not file.parent.is_dir():  # said before the minutes of work, not after
                raise BadInput(f"{file} cannot be written: there is no folder {file.parent}")
        if corrupt is not None and ":" not in corrupt and (write_run or write_qrels):
            raise BadInput("a file is written for one corruption only: give --corrupt its strength, such as fog:3")
        from wordsight.encoders.prompts import templates
        from wordsight.evaluation import parse, parse_rule

        chosen = [parse(name) for name in measure] if measure else None
        decision = None if rule is None else parse_rule(rule)
        loaded = _load(task.value, root, split, download, mirror)
        loaded = loaded if limit is None else loaded.sample(limit)
        for scene, seen in _scenes(loaded, corrupt):
            result = _measure(
                seen,
                encoder,
                prompts=templates(prompt) if prompt else None,
                measures=chosen,
                softmax=softmax,
                abstain=abstain,
                estimates=estimates,
            )
            _tell_skipped(result)
            _write_files(result, write_run, write_qrels)
            report = scene | result.as_json(per_query=per_query)
            if rule is not None and decision is not None:
                report["decision"] = {"rule": rule} | _decided(result, decision, per_query)
            if original:
                report["original"] = _original(result, decision, candidates)
            _print(report, as_json)


def _print(report: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print_tables(report)


def _scenes(task: RetrievalTask, corrupt: str | None) -> Iterator[tuple[dict[str, object], RetrievalTask]]:
    """Yield the task as it is, or once for each corruption that is asked for, with what to say about it."""
    if corrupt is None:
        yield {}, task
        return
    from wordsight.images.corruptions import parse_corruptions

    for scene in parse_corruptions(corrupt):
        yield {"corruption": str(scene)}, task.altered(scene)


def _load(task: str, root: Path, split: str | None, download: bool, mirror: str | None) -> RetrievalTask:
    from wordsight.datasets import load_task
    from wordsight.errors import DatasetNotFound

    if not download:
        return load_task(task, root, split)
    from wordsight.datasets.download import archive_of, fetch

    archive = archive_of(task, split)
    if not (root / archive.name).exists():  # else it was fetched, but perhaps not unpacked to the end
        try:
            return load_task(task, root, split)
        except DatasetNotFound:
            pass
    with progress_bar(f"fetching {archive.name}") as progress:
        fetch(archive, root, mirror=mirror, progress=progress)
    return load_task(task, root, split)


def _measure(task: RetrievalTask, encoder: str, **options: Unpack[TaskOptions]) -> TaskResult:
    from wordsight.experiment import run_task
    from wordsight.registry import load_encoder

    with progress_bar("reading pictures") as progress:
        return run_task(task, load_encoder(encoder), progress=progress, **options)


def _tell_skipped(result: TaskResult) -> None:
    """Say on stderr which pictures the figures are without."""
    refused = frozenset(result.refused)
    unread = [image for image in result.skipped if image not in refused]
    of = f"of {len(result.skipped) + len(result.task.images):,} pictures"
    left = f"the figures are those of the other {len(result.task.images):,}"
    if refused:
        why = f"{result.encoder} was fitted on them and would only remember"
        notice(f"{len(refused):,} {of} are refused as gallery ({_some(result.refused)}): {why}; {left}")
    if unread:
        notice(f"{len(unread):,} {of} could not be read ({_some(unread)}); {left}")


def _some(images: Sequence[str]) -> str:
    return ", ".join(images[:_NAMED]) + (", ..." if len(images) > _NAMED else "")


def _decided(result: TaskResult, rule: Selection, per_query: bool) -> dict[str, object]:
    from wordsight.evaluation import evaluate_selection

    found = evaluate_selection(rule.select(result.scores), result.query_ids, result.image_ids, result.task.qrels)
    content: dict[str, object] = {"measures": {name: each.mean for name, each in found.intervals().items()}}
    content["intervals"] = {name: [each.low, each.high] for name, each in found.intervals().items()}
    content |= {"empty": len(found.empty), "left_out": len(found.left_out)}
    return content | ({"per_query": found.per_query()} if per_query else {})


def _original(result: TaskResult, rule: Selection | None, candidates: int) -> dict[str, object]:
    from wordsight.evaluation import Assigned, OriginalProtocol, original_protocol

    config = OriginalProtocol(candidates=candidates, rule=Assigned() if rule is None else rule)
    found = original_protocol(result.scores, result.judgements.relevant, config).intervals()
    return {
        "galleries": config.galleries,
        "candidates": config.candidates,
        "rule": str(config.rule),
        "seed": config.seed,
        "measures": {name: each.mean for name, each in found.items()},
        "intervals": {name: [each.low, each.high] for name, each in found.items()},
    }


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


def _print_tables(report: Mapping[str, object]) -> None:
    from rich.console import Console

    _print_part(report, Console(markup=False, highlight=False))


def _print_part(report: Mapping[str, object], console: Console) -> None:
    for key, value in report.items():
        if key == "measures" and isinstance(value, dict):
            console.print(_table("measure", value, report.get("intervals")))
        elif key == "bins" and isinstance(value, list | tuple):
            console.print(_bins(value))
        elif key == "skipped_images" and isinstance(value, dict):
            for image, reason in value.items():
                console.print(f"skipped {image}: {reason}")
        elif key == "per_query" and isinstance(value, dict):
            for name, values in value.items():
                console.print(_table(name, values))
        elif isinstance(value, dict) and key != "intervals":
            console.print(f"{key}:")
            _print_part(value, console)
        elif key != "intervals":
            console.print(f"{key}: {value}")


def _table(title: str, values: Mapping[str, float], intervals: object = None) -> Table:
    from rich.table import Column, Table

    table = Table(Column(title), Column("value", justify="right"))
    known: Mapping[str, Sequence[float]] = intervals if isinstance(intervals, dict) else {}
    if known:
        table.add_column("95 % interval", justify="right")
    for name, value in values.items():
        between = [f"{known[name][0]:.4f} - {known[name][1]:.4f}"] if name in known else []
        table.add_row(name, f"{value:.4f}", *between)
    return table


def _bins(bins: Sequence[Mapping[str, float | None]]) -> Table:
    from rich.table import Column, Table

    names = ("low", "high", "count", "estimate", "right")
    table = Table(*(Column(name, justify="right") for name in names))
    for each in bins:
        table.add_row(*("" if each[name] is None else f"{each[name]:.3g}" for name in names))
    return table
