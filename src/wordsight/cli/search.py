"""``wordsight search``: words and pictures in, photos out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from re import fullmatch
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
    from wordsight.cli.photo_bytes import PhotoBytes
    from wordsight.library import Answer, Library
    from wordsight.protocols import Encoder
    from wordsight.scale.search import StoreLibrary
    from wordsight.types import Query
    from wordsight.why import Explained

_FILTERS = "Filters"
_OUTPUT = "Output"


class FuseBy(StrEnum):
    """The names of ``wordsight.fusion.Fusion``, which would load numpy."""

    RRF = "rrf"
    ZSCORE = "zscore"
    MINMAX = "minmax"


def search(
    words: Annotated[
        list[str],
        typer.Argument(
            help='What to look for: "two dogs in snow", dog + beach - people, 2:cat + ./like-this.jpg, @saved',
            show_default=False,
        ),
    ],
    within: Annotated[
        list[str] | None, typer.Option("--in", help="Search this indexed folder only; repeatable.")
    ] = None,
    top: Annotated[int, typer.Option("--top", "-t", min=1, help="How many photos at most.")] = 10,
    matches_only: Annotated[
        bool, typer.Option("--matches-only", help="Leave out photos that probably do not match.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the nearest photos also where nothing matches.")
    ] = False,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out photos that score less; `wordsight compare` finds a good value.")
    ] = None,
    regions: Annotated[
        bool, typer.Option("--regions/--no-regions", help="Rank by parts of photos, too, where they are indexed.")
    ] = True,
    like: Annotated[list[Path] | None, typer.Option(help="A picture that is right: more like it; repeatable.")] = None,
    dislike: Annotated[
        list[Path] | None, typer.Option(help="A picture that is wrong: less like it; repeatable.")
    ] = None,
    encoder: CatalogueEncoderOption = None,
    fuse: Annotated[
        list[str] | None,
        typer.Option(help="Rank by this encoder, too, and fuse the rankings; 0.25:NAME counts a quarter; repeatable."),
    ] = None,
    fuse_by: Annotated[
        FuseBy, typer.Option(help="How: by reciprocal ranks, or by sums of scaled scores.")
    ] = FuseBy.RRF,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help='Put short terms into a sentence: "a photo of a {}.", or a set by name: photo, this, cifar, voc2007, '
            "imagenet7; repeatable: the mean is taken."
        ),
    ] = None,
    catalog: CatalogOption = None,
    store: StoreOption = None,
    since: Annotated[
        str | None, typer.Option(help="Taken then or later: 2021, 2021-06-15, 30d.", rich_help_panel=_FILTERS)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Taken then or earlier; the whole period counts.", rich_help_panel=_FILTERS)
    ] = None,
    under: Annotated[list[str] | None, typer.Option(help="In or below this folder.", rich_help_panel=_FILTERS)] = None,
    camera: Annotated[str | None, typer.Option(help="Part of the camera's name.", rich_help_panel=_FILTERS)] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="File type: jpg, png, heic.", rich_help_panel=_FILTERS)
    ] = None,
    min_size: Annotated[
        str | None, typer.Option(help="File size at least: 500kB, 2MB.", rich_help_panel=_FILTERS)
    ] = None,
    max_size: Annotated[str | None, typer.Option(help="File size at most.", rich_help_panel=_FILTERS)] = None,
    min_side: Annotated[
        int | None, typer.Option(help="Pixels of the shorter side at least.", rich_help_panel=_FILTERS)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.", rich_help_panel=_OUTPUT)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.", rich_help_panel=_OUTPUT)] = False,
    paths: Annotated[
        bool, typer.Option("--paths", "-f", "--filepath-only", help="Paths only.", rich_help_panel=_OUTPUT)
    ] = False,
    zero: Annotated[
        bool, typer.Option("-0", help="Paths that end with NUL, for xargs -0.", rich_help_panel=_OUTPUT)
    ] = False,
    trec: Annotated[bool, typer.Option("--trec", help="A TREC run.", rich_help_panel=_OUTPUT)] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write a contact sheet to this file.", rich_help_panel=_OUTPUT)
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show in --html and --json where each hit shows it.", rich_help_panel=_OUTPUT),
    ] = False,
    preview: Annotated[bool, typer.Option(help="Thumbnails in the terminal.", rich_help_panel=_OUTPUT)] = False,
    quiet: QuietOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what was searched and how long it took.")
    ] = False,
) -> None:
    """Search the catalogue. Exit status: 0 photos found, 1 none, 2 error."""
    import time

    started = time.perf_counter()
    format = _format(json=as_json, csv=as_csv, paths=paths, paths0=zero, trec=trec)
    if explain and html is None and format != "json":
        raise BadInput("--explain adds to a contact sheet or to JSON: add --html FILE or --json")
    with ExitStack() as opened:
        library: Library | StoreLibrary
        if store is None:
            library = opened.enter_context(open_library(encoder, catalog, for_texts=True))
        else:
            from wordsight.cli.store import open_store

            library = opened.enter_context(open_store(encoder, store))
        from wordsight.library import Filters  # after the text side has begun to load

        filters = Filters.read(
            since=since,
            until=until,
            under=under or (),
            camera=camera,
            types=kind or (),
            min_size=min_size,
            max_size=max_size,
            min_side=min_side,
        )
        find: Callable[..., Answer] = partial(library.search, regions=regions)
        asked: list[str] | Query = words
        if fuse:
            from wordsight.library.fused import search_fused
            from wordsight.library.library import Library

            if not isinstance(library, Library):
                raise BadInput("a store holds the vectors of one encoder: leave out --fuse")

            weights, names = zip(*map(_weighted, fuse), strict=True)
            others = [opened.enter_context(open_library(name, catalog)) for name in names]
            find = partial(
                search_fused, [library, *others], how=fuse_by.value, weights=(1.0, *weights), regions=regions
            )
        if like or dislike or words[0].startswith("@"):
            from wordsight.cli.search_feedback import moved

            if fuse:
                raise BadInput("--like, --dislike and @saved queries move the query of one encoder: leave out --fuse")
            asked, vector = moved(library, words, like or (), dislike or ())
            find = partial(find, vector=vector)
        if prompt:
            from wordsight.encoders.prompts import templates

            if fuse or like or dislike or words[0].startswith("@"):
                raise BadInput(
                    "--prompt is for plain queries of one encoder: leave out --fuse, --like, --dislike, @saved"
                )
            find = partial(find, prompts=templates(prompt))
        answer = find(asked, top=top, within=within or (), filters=filters, matches_only=matches_only)
    if min_score is not None:
        answer = _scoring(answer, min_score)
        everything = bool(answer.hits)  # the user's own threshold decides what matches
    for line in answer.notices:
        notice(line, quiet=quiet)
    # For people, ten wrong photos are worse than none; programs decide by the match estimate that they get.
    nothing = answer.nothing_matches and (matches_only or (format is None and not everything))
    found = bool(answer.hits) and not nothing
    if nothing:
        from wordsight.cli.table import nothing_matches

        notice(nothing_matches(answer))
    from wordsight.cli.photo_bytes import bytes_of

    photo = bytes_of(library)
    why = _why(answer, library.encoder, photo) if explain and found else None
    _print(answer if found else _without_hits(answer), format, why)
    if html is not None and found:
        _write_html(answer, html, quiet, why, photo)
    if preview and found:
        from wordsight.cli.preview import preview as show_thumbnails

        for line in show_thumbnails(answer, photo):
            notice(line, quiet=quiet)
    if verbose:
        seconds = time.perf_counter() - started
        used = " and ".join(answer.encoders) or library.encoder.name
        notice(f"{answer.searched:,} pictures searched with {used} in {seconds * 1e3:.0f} ms")
    if not found:
        if not nothing:
            notice("no photo passes the filters" if answer.searched == 0 else "no hit", quiet=quiet)
        raise typer.Exit(1)


def _weighted(text: str) -> tuple[float, str]:
    """Return the weight and the name of an encoder written as NAME or as 0.25:NAME."""
    number, colon, name = text.partition(":")
    if colon and name and fullmatch(r"\d+(\.\d+)?|\.\d+", number):
        return float(number), name
    return 1.0, text


def _format(**chosen: bool) -> str | None:
    names = [name for name, wanted in chosen.items() if wanted]
    if len(names) > 1:
        raise BadInput(f"choose one output format, not {' and '.join(names)}")
    return names[0] if names else None


def _scoring(answer: Answer, least: float) -> Answer:
    from dataclasses import replace

    return replace(answer, hits=tuple(hit for hit in answer.hits if hit.score >= least))


def _without_hits(answer: Answer) -> Answer:
    from dataclasses import replace

    return replace(answer, hits=())


def _why(answer: Answer, encoder: Encoder, photo: PhotoBytes) -> dict[Path, Explained]:
    from functools import partial

    from wordsight.explain import best_threshold, explainer
    from wordsight.why import explain_hits, main_boxes, quick

    made = quick(explainer(encoder))
    threshold = best_threshold(encoder, made.method)
    hits = {hit.path: hit for hit in answer.hits}
    boxes = partial(main_boxes, threshold=threshold)
    return explain_hits(answer, made, make_boxes=boxes, bytes_of=lambda path: photo(hits[path]))


def _print(answer: Answer, format: str | None, why: Mapping[Path, Explained] | None) -> None:
    from wordsight.cli import output

    if format is None and sys.stdout.isatty():
        from wordsight.cli.table import show

        with output.quiet_pipe(sys.stdout):
            show(answer)
    else:
        more = None
        if why is not None and format == "json":
            from wordsight.why import box_records

            more = {path: {"boxes": box_records(one.boxes)} for path, one in why.items()}
        output.write(answer, format or output.Format.TEXT, sys.stdout, more=more)


def _write_html(
    answer: Answer, file: Path, quiet: bool, why: Mapping[Path, Explained] | None, photo: PhotoBytes
) -> None:
    from wordsight.cli.sheet import write_sheet

    title = answer.query.source or "Photo search"
    for reason in write_sheet(answer, file, title=title, why=() if why is None else [why], bytes_of=photo):
        notice(reason, quiet=quiet)
    notice(f"contact sheet: {file.absolute().as_uri()}", quiet=quiet)
