"""Options that several commands share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from wordsight.library import Library
    from wordsight.protocols import Encoder

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
    str,
    typer.Option(help="The encoder: a name, or the path of a model folder or .wsc file.", envvar="WORDSIGHT_ENCODER"),
]
CatalogueEncoderOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="The encoder: a name, or the path of a model folder or .wsc file; mini, or what the catalogue was "
        "migrated to, unless told.",
        envvar="WORDSIGHT_ENCODER",
        show_default=False,
    ),
]
RuntimeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        help="What runs image towers: auto (by a trial), onnxruntime, openvino, openvino-fp32, cuda, coreml, directml.",
        envvar="WORDSIGHT_RUNTIME",
        show_default=False,
    ),
]
StoreOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="A store instead of the catalogue: a folder or URL of Lance tables, such as s3://bucket/photos.lance.",
        show_default=False,
    ),
]
QuietOption: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def open_library(encoder: str | None, catalog: Path | None, *, for_texts: bool = False) -> Library:
    """Return the library that the options ask for; ``for_texts`` loads the text side while the catalogue is opened."""
    from wordsight.preference import preferred
    from wordsight.registry import load_encoder

    loaded = load_encoder(encoder or preferred(catalog))
    if for_texts:
        Thread(target=_load_text_side, args=[loaded]).start()
    from wordsight.library import Library
    from wordsight.machine import cores

    return Library(loaded, catalog, threads=cores())


def _load_text_side(encoder: Encoder) -> None:
    with suppress(Exception):  # the query will meet the same error, and it will be told
        encoder.encode_texts([])


def choose_runtime(runtime: str | None) -> None:
    """Make ``--runtime`` hold for all encoders of this process, and of those it starts."""
    if runtime is not None:
        os.environ["WORDSIGHT_RUNTIME"] = runtime


def notice(text: str, *, quiet: bool = False) -> None:
    """Tell the user something on stderr; stdout belongs to results."""
    if not quiet:
        typer.echo(text, err=True)
