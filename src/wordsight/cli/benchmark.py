"""``wordsight benchmark``: how fast encoders are on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli.options import JsonOption, RuntimeOption, choose_runtime, notice
from wordsight.errors import BadInput, WordsightError


def benchmark(
    encoders: Annotated[str, typer.Option(help="Names or paths, separated by commas.")] = "mini",
    photos: Annotated[
        Path | None, typer.Option(help="A folder of photos to read; made-up JPEGs of 640 x 480 unless told.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each encoder reads photos.")] = 4.0,
    runtime: RuntimeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure encoders here: photos a second from files to vectors, milliseconds a query, memory.

    The fastest runtime is found first, and remembered for later jobs. Exit status 1 when an encoder failed.
    """
    from wordsight.speed import measure

    choose_runtime(runtime)
    names = [name.strip() for name in encoders.split(",") if name.strip()]
    if not names:
        raise BadInput("expected at least one encoder, such as --encoders mini,vit/")
    if not as_json:
        typer.echo(f"{'encoder':<40}{'images/s':>10}{'ms a query':>12}{'first':>8}{'MB':>7}{'dim':>6}  runtime")
    failed = False
    for name in names:
        try:
            speed = measure(name, photos, seconds=seconds)
        except WordsightError as error:  # the others are measured all the same
            notice(str(error))
            failed = True
            continue
        if as_json:
            typer.echo(json.dumps(asdict(speed)))
            continue
        memory = "-" if speed.peak_memory is None else f"{speed.peak_memory / 1e6:.0f}"
        typer.echo(
            f"{name:<40}{speed.images_per_second:>10.1f}{speed.query_ms:>12.1f}{speed.first_query_ms:>8.0f}{memory:>7}"
            f"{speed.dim:>6}  {speed.runtime or '-'}"
        )
    if failed:
        raise typer.Exit(1)
