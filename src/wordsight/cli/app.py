"""The commands of ``wordsight``. Everything heavy is imported inside them: ``--help`` waits for nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from wordsight.cli.evaluate import evaluate
from wordsight.cli.fit import fit
from wordsight.cli.index import forget, index, recall, status
from wordsight.cli.search import search

app = typer.Typer(
    name="wordsight",
    help="Find pictures by words, offline: index a folder of photos once, then search it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(index)
app.command()(search)
app.command()(status)
app.command()(forget)
app.command()(recall)
app.command()(evaluate)
app.command()(fit)


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from wordsight import __version__

        typer.echo(f"wordsight {__version__}")
        raise typer.Exit
