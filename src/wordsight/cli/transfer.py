"""``wordsight export`` and ``import``: photos with their vectors to other places, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import (
    CatalogOption,
    CatalogueEncoderOption,
    QuietOption,
    StoreOption,
    notice,
    open_library,
)
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.scale.rows import Collection


class Target(StrEnum):
    """What photos are exported to."""

    LANCE = "lance"
    PARQUET = "parquet"
    NPY = "npy"
    TREC = "trec"


def export(
    place: Annotated[str, typer.Argument(help="The store, file or folder to write.", show_default=False)],
    to: Annotated[
        Target,
        typer.Option(help="A store, a Parquet file, a folder with vectors.npy, or a TREC run of --queries."),
    ] = Target.LANCE,
    encoder: CatalogueEncoderOption = None,
    catalog: CatalogOption = None,
    store: StoreOption = None,
    queries: Annotated[
        Path | None, typer.Option(help="With --to trec: a file of queries, one a line: ID, a tab, and the words.")
    ] = None,
    top: Annotated[int, typer.Option("--top", "-t", min=1, help="With --to trec: hits for each query.")] = 1000,
    quiet: QuietOption = False,
) -> None:
    """Write the photos of the catalogue (or of --store) with their vectors to another place.

    Content ids (SHA-256), addresses and the bits of the vectors stay what they are; regions are left out.
    """
    if (to is Target.TREC) != (queries is not None):
        raise BadInput("--to trec and --queries FILE belong together: a TREC run answers queries")
    if queries is not None:
        count = _write_run(encoder, catalog, store, queries, Path(place), top)
        notice(f"{place}: {count:,} queries answered", quiet=quiet)
        return
    from wordsight.scale import files, transfer

    with _source(encoder, catalog, store) as photos:
        if to is Target.LANCE:
            transfer.to_store(photos, place)
        elif to is Target.PARQUET:
            files.write_parquet(photos, Path(place))
        else:
            files.write_npy(photos, Path(place))
    notice(f"{place}: {photos.count:,} photos exported", quiet=quiet)


def import_(
    place: Annotated[
        str, typer.Argument(help="A store, a Parquet file or a folder that was exported.", show_default=False)
    ],
    catalog: CatalogOption = None,
    store: StoreOption = None,
    moved: Annotated[
        list[str] | None,
        typer.Option(help="FROM=TO: addresses that begin with FROM are at TO here; repeatable.", show_default=False),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Read exported photos with their vectors into the catalogue, or into --store.

    A catalogue takes files of this machine only: addresses in an object storage need --moved s3://bucket=/copy.
    """
    from wordsight.library.catalogue import Catalogue
    from wordsight.registry import load_encoder
    from wordsight.scale import files, transfer
    from wordsight.scale.store import Store

    if place.endswith(".parquet"):
        photos = files.read_parquet(Path(place))
    elif (Path(place) / files.VECTORS).is_file():
        photos = files.read_npy(Path(place))
    else:
        photos = transfer.of_store(Store.open(place))
    if store is not None:
        if moved:
            raise BadInput("--moved is for catalogues: leave it out, or leave out --store")
        transfer.to_store(photos, store)
        Store.open(store).calibrate_if_due(load_encoder(photos.header.encoder))
        notice(f"{store}: {photos.count:,} photos imported", quiet=quiet)
        return
    encoder = load_encoder(photos.header.encoder)
    with Catalogue.open(catalog, create=True) as catalogue, catalogue.writing():
        done = transfer.to_catalogue(photos, catalogue, encoder, moved=dict(map(_pair, moved or ())))
    notice(f"{done.photos:,} photos imported", quiet=quiet)
    if done.left_out:
        notice(f"{done.left_out:,} photos left out: they are in an object storage; say where they are with --moved")


@contextmanager
def _source(encoder: str | None, catalog: Path | None, store: str | None) -> Iterator[Collection]:
    from wordsight.scale import transfer
    from wordsight.scale.store import Store

    if store is not None:
        yield transfer.of_store(Store.open(store))
        return
    with open_library(encoder, catalog) as library, library.catalogue.snapshot():
        yield transfer.of_catalogue(library.catalogue, library.catalogue.encoder_row(library.encoder))


def _write_run(
    encoder: str | None, catalog: Path | None, store: str | None, queries: Path, file: Path, top: int
) -> int:
    """Answer the queries of a file and write them as a TREC run; return how many."""
    from wordsight.cli.files import whole_file
    from wordsight.cli.store import open_store
    from wordsight.library.records import docid

    try:
        lines = [line for line in queries.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise BadInput(f"the queries in {queries} cannot be read: {error}") from error
    opened = open_library(encoder, catalog) if store is None else open_store(encoder, store)
    with opened as library, whole_file(file, "the run") as run:
        for number, line in enumerate(lines, start=1):
            name, tab, words = line.partition("\t")
            answer = library.search(words if tab else line, top=top)
            for hit in answer.hits:
                told = f"{hit.rank} {float(hit.score)!r} wordsight"
                run.write(f"{name.strip() if tab else number} Q0 {docid(hit.path)} {told}\n")
    return len(lines)


def _pair(text: str) -> tuple[str, str]:
    start, equals, instead = text.partition("=")
    if not (start and equals and instead):
        raise BadInput(f"expected FROM=TO, such as s3://bucket/photos=/home/me/photos, got {text!r}")
    return start, instead
