"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from wordsight.library import Library

CatalogOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--catalog",
        envvar="WORDSIGHT_CATALOG",
        help="Folder of the catalogue; the user's data folder unless told.",
        show_default=False,
    ),
]
EncoderOption: TypeAlias = Annotated[
    str, typer.Option(help="The encoder: a name, or the path of a model folder.", envvar="WORDSIGHT_ENCODER")
]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def open_library(encoder: str, catalog: Path | None) -> Library:
    """Return the library that the options ask for."""
    from wordsight.library import Library
    from wordsight.library.pipeline import cores
    from wordsight.registry import load_encoder

    return Library(load_encoder(encoder), catalog, threads=cores())


def notice(text: str, *, quiet: bool = False) -> None:
    """Tell the user something on stderr; stdout belongs to results."""
    if not quiet:
        typer.echo(text, err=True)
