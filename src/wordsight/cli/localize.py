"""``wordsight localize``: how well heat maps and boxes find what texts name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import EncoderOption
from wordsight.cli.progress import progress_bar
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.localization import LocalizationResult

_COLUMNS = {"map": "map", "center": "centre", "whole_image": "whole image", "chance": "chance"}


class BoxTaskName(StrEnum):
    """The data sets of ``wordsight.datasets.boxes``."""

    VOC2007 = "voc2007"


def localize(
    task: Annotated[BoxTaskName, typer.Option(help="What to measure on.")],
    root: Annotated[Path, typer.Option(help="The folder of the data set.")],
    encoder: EncoderOption = "mini",
    method: Annotated[str, typer.Option(help="How maps are made; auto: what measured best for the encoder.")] = "auto",
    plain: Annotated[
        bool, typer.Option("--plain", help="One view at the encoder's own size, without contrast: the cheapest map.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="Boxes hold places of at least this share of the highest value.", min=0.05, max=0.8),
    ] = None,
    split: Annotated[str | None, typer.Option(help="The part of the data set; its test part unless told.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many pictures only, evenly spaced.")] = None,
    corrupt: Annotated[
        str | None, typer.Option(help="Spoil the pictures: fog:3, fog (its five strengths), or all.")
    ] = None,
    faithfulness: Annotated[
        int, typer.Option(min=0, help="Also deletion and insertion curves, on this many pictures.")
    ] = 0,
    randomised: Annotated[
        str | None,
        typer.Option(help="The encoder with random weights, for the sanity check: --faithfulness compares the maps."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --corrupt one object a line.")] = False,
) -> None:
    """Measure maps and boxes against the boxes of a data set.

    Figures are fractions in [0, 1], beside those of maps that saw no picture; docs/localization.md defines them.
    """
    if randomised is not None and not faithfulness:
        raise BadInput("--randomised goes with --faithfulness, which says on how many pictures")
    from wordsight.datasets.boxes import load_boxes
    from wordsight.images.corruptions import parse_corruptions
    from wordsight.localization import label_explainer
    from wordsight.localization import localize as measure
    from wordsight.registry import load_encoder

    scenes = parse_corruptions(corrupt) if corrupt else ()
    loaded = load_boxes(task.value, root, split)
    loaded = loaded if limit is None else loaded.sample(limit)
    explainer = label_explainer(load_encoder(encoder), method, plain=plain)
    for scene in scenes or (None,):
        seen = loaded if scene is None else loaded.altered(scene)
        with progress_bar("explaining pictures") as progress:
            result = measure(seen, explainer, threshold=threshold, progress=progress)
        report = ({} if scene is None else {"corruption": str(scene)}) | result.as_json()
        if faithfulness:
            from wordsight.faithful import faithfulness as faithful

            other = None
            if randomised is not None:
                other = label_explainer(load_encoder(randomised), explainer.method, plain=plain)
            report["faithfulness"] = faithful(seen.sample(faithfulness), explainer, other)
        if as_json:
            typer.echo(json.dumps(report, ensure_ascii=False))
        else:
            _print(result, report)


def _print(result: LocalizationResult, report: Mapping[str, object]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(markup=False, highlight=False)
    for key in ("corruption", "task", "encoder", "method", "threshold", "n_images", "n_cases", "n_alone"):
        if key in report:
            console.print(f"{key}: {report[key]}")
    table = Table("measure", *(Column(title, justify="right") for title in _COLUMNS.values()))
    for name, row in result.table.items():
        table.add_row(name, *(f"{row[of]:.4f}" for of in _COLUMNS))
    console.print(table)
    if isinstance(found := report.get("faithfulness"), dict):
        for name, value in found.items():
            if name == "curves":
                continue  # for programs
            console.print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    for image_id, reason in result.skipped.items():
        console.print(f"skipped {image_id}: {reason}")
