"""The commands of ``wordsight``. Everything heavy is imported inside them: ``--help`` waits for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

_MODULES = {
    "index": "index",
    "search": "search",
    "explain": "explain",
    "status": "index",
    "forget": "index",
    "export": "transfer",
    "import": "transfer",
    "compact": "store",
    "recall": "index",
    "evaluate": "evaluate",
    "localize": "localize",
    "fit": "fit",
    "compare": "compare",
    "models": "models",
    "migrate": "migrate",
    "benchmark": "benchmark",
    "serve": "serve",
    "marks": "marks",
}


_PYTHON = {"import": "import_"}  # a command that is a word of Python's


def build(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line; where ``words`` begin with a command, that one alone.

    Typer reads the signature of every command it is given, which takes longer than a search.
    """
    app = typer.Typer(
        name="wordsight",
        help="Find pictures by words, offline: index a folder of photos once, then search it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in words[:1] if words and words[0] in _MODULES else _MODULES:
        module = import_module(f"wordsight.cli.{_MODULES[name]}")
        made = getattr(module, _PYTHON.get(name, name))
        if isinstance(made, typer.Typer):
            app.add_typer(made, name=name)
        else:
            app.command(name)(made)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from wordsight import __version__

        typer.echo(f"wordsight {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None: ...
