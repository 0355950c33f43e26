"""``wordsight explain``: why pictures match texts, as heat maps, boxes and numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import EncoderOption, QuietOption, notice
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.explain import ViewExplainer
    from wordsight.protocols import Image
    from wordsight.types import Box, SaliencyMap
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

    explainer = _explainer(encoder, method, tuple(negative or ()), tuple(against or ()))
    cut = _cut(threshold, explainer)
    if preview:
        _tell_of_preview(quiet)
    unread: list[str] = []
    shown = []
    for image, group in _explained(explainer, pictures, texts, _boxes(cut, most), unread, 2 * side):
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


def _explainer(name: str, method: str, negative: tuple[str, ...], against: tuple[str, ...]) -> ViewExplainer:
    from wordsight.explain import explainer
    from wordsight.registry import load_encoder
    from wordsight.why import with_options

    made = explainer(load_encoder(name), method)
    own = {"contrast": against, "contrast_weight": 1.0} if against else {}
    return with_options(made, negative=negative, **own)


def _cut(threshold: float | None, explainer: ViewExplainer) -> float:
    from wordsight.explain import best_threshold

    cut = best_threshold(explainer.encoder, explainer.method) if threshold is None else threshold
    if not 0 < cut <= 1:
        raise BadInput(f"expected a threshold above 0 and at most 1, got {cut:g}")
    return cut


def _boxes(threshold: float, most: int) -> Callable[[SaliencyMap, tuple[int, int]], Sequence[Box]]:
    from functools import partial

    from wordsight.why import main_boxes

    return partial(main_boxes, threshold=threshold, most=most)


def _explained(
    explainer: ViewExplainer,
    pictures: Sequence[Path],
    texts: Sequence[str],
    make_boxes: Callable[[SaliencyMap, tuple[int, int]], Sequence[Box]],
    unread: list[str],
    side: int,
) -> Iterator[tuple[Image, list[Explained]]]:
    from wordsight.why import Estimator, explain_files

    def skip(path: Path, reason: str) -> None:
        unread.append(f"skipped {path}: {reason}")

    return explain_files(
        pictures,
        texts,
        explainer,
        make_boxes=make_boxes,
        estimator=Estimator(explainer.encoder),
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
