"""``wordsight explain``: why pictures match texts, as heat maps, boxes and numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import EncoderOption, QuietOption, notice
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.explain import ViewExplainer
    from wordsight.protocols import Image
    from wordsight.why import Explained

_HOW = "How"
_FIGURE = "Figure"


def explain(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE... TEXT...",
            help='Pictures, then texts: photo.jpg "a dog" "a frisbee"',
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write a figure; the suffix tells the format: png, jpg, webp, svg."),
    ] = None,
    encoder: EncoderOption = "mini",
    method: Annotated[
        str, typer.Option(help="How maps are made; auto: what measured best for the encoder.", rich_help_panel=_HOW)
    ] = "auto",
    negative: Annotated[
        list[str] | None,
        typer.Option("--not", help="What it is not: takes away what speaks for it.", rich_help_panel=_HOW),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="What else it could be: keeps what sets the text apart; repeatable.", rich_help_panel=_HOW),
    ] = None,
    softmax: Annotated[
        float,
        typer.Option(
            min=0,
            help="Compare with --against and --not by a softmax at this temperature (0.01 is usual); 0: by difference.",
            rich_help_panel=_HOW,
        ),
    ] = 0.0,
    sides: Annotated[
        list[int] | None,
        typer.Option("--size", help="Look at it at this many pixels a side; repeatable.", rich_help_panel=_HOW),
    ] = None,
    crops: Annotated[
        list[float] | None,
        typer.Option(
            "--crop",
            help="Look at sliding parts of this share of its sides, too (0.5: halves): finer maps; repeatable.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Look at the mirror image, too.", rich_help_panel=_HOW)] = False,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="Keep a CAM's first principal component only.", rich_help_panel=_HOW),
    ] = False,
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Cover what was found and ask again, so many times at most.", rich_help_panel=_HOW),
    ] = 1,
    threshold: Annotated[
        float | None,
        typer.Option(help="Boxes hold places of at least this share of the highest value.", rich_help_panel=_HOW),
    ] = None,
    most: Annotated[
        int, typer.Option("--boxes", min=0, help="How many boxes at most for each map.", rich_help_panel=_HOW)
    ] = 3,
    colours: Annotated[
        str, typer.Option(help="Colour map: inferno, magma, viridis, grey, jet.", rich_help_panel=_FIGURE)
    ] = "inferno",
    side: Annotated[
        int, typer.Option(min=60, max=4000, help="Longest side of a picture, in pixels.", rich_help_panel=_FIGURE)
    ] = 480,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="An animation, one text after the other.", rich_help_panel=_FIGURE)
    ] = False,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Write one picture's maps, (texts, h, w) float32, to this .npy file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for each picture and text.")] = False,
    preview: Annotated[bool, typer.Option(help="Show the heat maps in the terminal.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Show which places of pictures speak for texts.

    Prints score, match estimate and boxes for each picture and text. Exit status: 0 all pictures explained, 1 some
    could not be read, 2 error.
    """
    pictures, texts = _sorted(what)
    _check(pictures, out, map_file, colours=colours, sweep=sweep)
    from wordsight.cli.explained import json_line, sentence, thumbnail, to_figure
    from wordsight.cli.how import changed_options, cut_of, make_explainer

    changes = changed_options(
        negative=negative, against=against, softmax=softmax, sides=sides, crops=crops, flip=flip, smooth=smooth
    )
    explainer = make_explainer(encoder, method, changes)
    cut = cut_of(threshold, explainer)
    if preview:
        _tell_of_preview(quiet)
    unread: list[str] = []
    shown = []
    for image, group in _explained(explainer, pictures, texts, cut, most, rounds, unread, 2 * side):
        for one in group:
            _print(json_line(one, explainer, cut) if as_json else sentence(one))
            if preview:
                _preview(image, one, colours)
        if map_file is not None:
            _save_maps(group, map_file)
        if out is not None:
            shown.append((thumbnail(image, 2 * side), group))
    for line in dict.fromkeys(line for text in texts for line in explainer.encoder.remarks(text)):
        notice(line, quiet=quiet)
    if out is not None and shown:
        to_figure(shown, explainer, out, colours=colours, side=side, sweep=sweep)
        _tell_of_figure(out, [*texts, *(path.name for path in pictures)], quiet)
    for line in unread:
        notice(line, quiet=quiet)
    if len(unread) == len(pictures):
        raise BadInput("no picture could be explained")
    if unread:
        raise typer.Exit(1)


def _check(pictures: Sequence[Path], out: Path | None, map_file: Path | None, *, colours: str, sweep: bool) -> None:
    """Refuse before the work what could not be written after it."""
    from wordsight.drawing import checked
    from wordsight.drawing.colours import table

    table(colours)
    if sweep and out is None:
        raise BadInput("--sweep makes an animation: say where to with -o FILE.webp")
    if out is not None:
        checked(out.suffix, moving=sweep)
    for file in (out, map_file):
        _refuse_to_overwrite(file, pictures)
    if map_file is not None and (len(pictures) > 1 or map_file.suffix.lower() != ".npy"):
        raise BadInput(
            f"--map writes the maps of one picture to a .npy file, got {len(pictures)} and {map_file.name!r}"
        )


def _tell_of_figure(out: Path, captions: Sequence[str], quiet: bool) -> None:
    from wordsight.drawing import remarks

    notice(f"figure: {out.absolute().as_uri()}", quiet=quiet)
    for line in remarks(captions) if out.suffix.lower() != ".svg" else ():  # an SVG leaves fonts to its viewer
        notice(line, quiet=quiet)


def _sorted(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return pictures and texts: the first word names a picture, and each that is a file or ends like one."""
    from wordsight.images import SUFFIXES

    pictures, texts = [], []
    for place, word in enumerate(words):
        path = Path(word)
        if place == 0 or path.suffix.lower() in SUFFIXES or _is_file(path):
            pictures.append(path)
        else:
            texts.append(word)
    if _is_text(pictures[0]):
        raise BadInput(f'expected a picture first, then texts (photo.jpg "a dog"); {words[0]!r} is no file')
    if not texts or not all(text.strip() for text in texts):
        raise BadInput(f'expected a text after the pictures: {words[0]} "a dog"')
    return pictures, texts


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text too long for a name, or with a NUL
        return False


def _is_text(path: Path) -> bool:
    from wordsight.images import SUFFIXES

    return path.suffix.lower() not in SUFFIXES and not _is_file(path)


def _refuse_to_overwrite(file: Path | None, pictures: Sequence[Path]) -> None:
    if file is None or not _is_file(file):
        return
    for picture in pictures:
        if _is_file(picture) and file.samefile(picture):
            raise BadInput(f"{str(file)!r} is the picture to explain: choose another name for what is written")


def _explained(
    explainer: ViewExplainer,
    pictures: Sequence[Path],
    texts: Sequence[str],
    cut: float,
    most: int,
    rounds: int,
    unread: list[str],
    side: int,
) -> Iterator[tuple[Image, list[Explained]]]:
    from functools import partial

    from wordsight.why import Estimator, explain_files, main_boxes

    def skip(path: Path, reason: str) -> None:
        unread.append(f"skipped {path}: {reason}")

    return explain_files(
        pictures,
        texts,
        explainer,
        make_boxes=partial(main_boxes, threshold=cut, most=most),
        estimator=Estimator(explainer.encoder),
        rounds=rounds,
        threshold=cut,
        skipped=skip,
        side=side,
    )


def _print(line: str) -> None:
    from wordsight.cli.output import quiet_pipe

    with quiet_pipe(sys.stdout):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _preview(image: Image, one: Explained, colours: str) -> None:
    from wordsight.cli.explained import marked
    from wordsight.cli.preview import Graphics, detect, draw

    graphics = detect(sys.stdout)
    if graphics is not Graphics.NONE:
        _print(draw(marked(image, one, colours), graphics))


def _tell_of_preview(quiet: bool) -> None:
    from wordsight.cli.preview import Graphics, detect

    if detect(sys.stdout) is Graphics.NONE:
        notice("No preview: the output is no terminal that shows pictures; -o FILE writes a figure.", quiet=quiet)


def _save_maps(group: Sequence[Explained], file: Path) -> None:
    import numpy as np

    from wordsight.cli.files import whole_file

    with whole_file(file, "the maps", "wb") as stream:
        np.save(stream, np.stack([one.saliency.values for one in group]))
