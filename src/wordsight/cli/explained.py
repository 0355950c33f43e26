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
from wordsight.explain.statistics import statistics
from wordsight.protocols import Image
from wordsight.types import Box
from wordsight.why import Explained

PREVIEW_SIDE = 400  # pixels


def sentence(one: Explained) -> str:
    """Return one line for people: picture, text, score, match estimate, boxes with their shares."""
    where = "; ".join(f"{_place(box)}{_share(box, one.boxes)}" for box in one.boxes) or "no box"
    path, text = printable(near(one.path)), printable(" ".join(one.saliency.text.split()))
    return f'{path}: "{text}": {numbers(one)}: {where}'


def numbers(one: Explained) -> str:
    """Return score and, where there is one, match estimate."""
    match = "" if one.match is None else f", match {percent(one.match)}"
    return f"score {one.saliency.score:.3f}{match}"


def record(one: Explained, explainer: ViewExplainer, threshold: float) -> str:
    """Return one JSON object, in ASCII; docs/output.md says what each member means."""
    about = statistics(one.saliency, one.size, threshold)
    rows, columns = one.saliency.values.shape
    members = {
        "path": str(one.path.absolute()),
        "text": one.saliency.text,
        "score": round(one.saliency.score, 6),
        "match": None if one.match is None else round(one.match, 4),
        "width": one.size[0],
        "height": one.size[1],
        "encoder": explainer.encoder.name,
        "method": one.saliency.method,
        "boxes": box_members(one.boxes),
        "map": {
            "width": columns,
            "height": rows,
            "peak": None if about.peak is None else [round(place, 1) for place in about.peak],
            "entropy": round(about.entropy, 4),
            "above": round(about.above, 4),
            "threshold": about.threshold,
        },
    }
    return json.dumps(members, allow_nan=False)


def box_members(boxes: Sequence[Box]) -> list[dict[str, float]]:
    """Return boxes as JSON objects."""
    return [{**box._asdict(), "score": round(float(box.score), 4)} for box in boxes]


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
        title=one.saliency.text,
        caption=numbers(one),
        values=one.saliency.values,
        boxes=tuple(zip(one.boxes, labels, strict=True)),
    )


def _place(box: Box) -> str:
    return f"{box.left},{box.top}-{box.right},{box.bottom}"


def _share(box: Box, boxes: Sequence[Box]) -> str:
    """Return a box's share of what stands out; nothing for the only one, whose 100 % would look like certainty."""
    return f" {percent(box.score)}" if len(boxes) > 1 else ""
