"""What ``wordsight explain`` prints and draws of one picture and text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as PILImage

from wordsight.cli.files import whole_file
from wordsight.cli.table import near, percent
from wordsight.cli.text import printable
from wordsight.drawing import View, animate, encode, figure, frames, overlay
from wordsight.drawing.marks import marks
from wordsight.drawing.pixels import to_image
from wordsight.drawing.scene import Raster, Scene
from wordsight.explain import ViewExplainer
from wordsight.protocols import Image
from wordsight.types import Box
from wordsight.why import Explained, record

PREVIEW_SIDE = 400  # pixels


def sentence(one: Explained) -> str:
    """Return one line for people: picture, text, score, match estimate, boxes with their shares."""
    where = "; ".join(f"{_place(box)}{_share(box, one.boxes)}" for box in one.boxes) or "no box"
    path, text = printable(near(one.path)), printable(" ".join(one.saliency.text.split()))
    return f'{path}: "{text}"{_turn(one)}: {numbers(one)}: {where}'


def numbers(one: Explained) -> str:
    """Return score and, where there is one, match estimate."""
    match = "" if one.match is None else f", match {percent(one.match)}"
    return f"score {one.saliency.score:.3f}{match}"


def json_line(one: Explained, explainer: ViewExplainer, threshold: float) -> str:
    """Return one JSON object, in ASCII; docs/output.md says what each member means."""
    return json.dumps(record(one, explainer, threshold), allow_nan=False)


def to_figure(
    shown: Sequence[tuple[Image, Sequence[Explained]]],
    explainer: ViewExplainer,
    file: Path,
    *,
    colours: str,
    side: int,
    sweep: bool,
) -> None:
    """Write the figure, or with ``sweep`` the animation, of pictures and what was explained of each."""
    footer = f"0: speaks least, 1: most, in each map · method {explainer.method} · encoder {explainer.encoder.name}"
    views = [to_view(image, one) for image, group in shown for one in group]
    if sweep:
        data = animate(list(frames(views, footer=footer, colours=colours, side=side)), file.suffix)
    else:
        data = encode(figure(views, footer=footer, colours=colours, side=side), file.suffix)
    with whole_file(file, "the figure", "wb") as stream:
        stream.write(data)


def thumbnail(image: Image, side: int) -> Image:
    """Return a picture of at most ``side`` pixels on its longer side."""
    image = image.copy()
    image.thumbnail((side, side), PILImage.Resampling.LANCZOS)
    return image


def marked(image: Image, one: Explained, colours: str) -> Image:
    """Return the heat map with its boxes, without captions, for a terminal."""
    image = thumbnail(image, PREVIEW_SIDE)
    heat = overlay(image, one.saliency.values, colours=colours)
    outlines = marks([(box, "") for box in one.boxes], original=one.size, at=(0, 0), drawn=image.size)
    return to_image(Scene(image.width, image.height, [Raster(0, 0, heat), *outlines], ""))


def to_view(image: Image, one: Explained) -> View:
    """Return what a figure shows of a picture and what was explained of it."""
    labels = [f"{one.saliency.text if rank == 0 else ''}{_share(box, one.boxes)}" for rank, box in enumerate(one.boxes)]
    return View(
        image=image,
        size=one.size,
        name=one.path.name,
        title=f"{one.saliency.text}{_turn(one)}",
        caption=numbers(one),
        values=one.saliency.values,
        boxes=tuple(zip(one.boxes, labels, strict=True)),
    )


def _turn(one: Explained) -> str:
    return f", round {one.turn}" if one.turn and one.turn > 1 else ""


def _place(box: Box) -> str:
    return f"{box.left},{box.top}-{box.right},{box.bottom}"


def _share(box: Box, boxes: Sequence[Box]) -> str:
    """Return a box's share of what stands out; nothing for the only one, whose 100 % would look like certainty."""
    return f" {percent(box.score)}" if len(boxes) > 1 else ""
