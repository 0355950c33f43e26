"""A scene as SVG: vectors for boxes and text, which stays text, and pictures inside the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from xml.sax.saxutils import escape

from wordsight.drawing.fonts import code_point
from wordsight.drawing.scene import Raster, Rectangle, Scene, Shape, Words, text_width
from wordsight.protocols import Image

_FACES = "'DejaVu Sans', Verdana, 'Noto Sans', sans-serif"
_FEW_COLOURS = 4096  # drawings stay exact; photographs are smaller as JPEG, at a quality where it does not show


def to_svg(scene: Scene) -> str:
    """Return the scene as an SVG document that needs nothing else. What XML forbids is written as code points."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{scene.width}" height="{scene.height}" '
            f'viewBox="0 0 {scene.width} {scene.height}" role="img" font-family="{_FACES}">',
            f"<title>{_text(scene.title)}</title>",
            f'<rect width="{scene.width}" height="{scene.height}" fill="{scene.ground}"/>',
            *(line for shape in scene.shapes for line in _shape(shape)),
            "</svg>\n",
        ]
    )


def _shape(shape: Shape) -> Iterator[str]:
    if isinstance(shape, Raster):
        size = f'width="{shape.image.width}" height="{shape.image.height}"'
        yield f'<image x="{shape.x}" y="{shape.y}" {size} href="{_data(shape.image)}"/>'
    elif isinstance(shape, Rectangle):
        yield _rectangle(shape)
    else:
        yield _words(shape)


def _rectangle(shape: Rectangle) -> str:
    if shape.line is None:
        return _rect(shape.x, shape.y, shape.width, shape.height, f'fill="{shape.colour}"')
    line = min(shape.line, shape.width, shape.height)
    style = f'fill="none" stroke="{shape.colour}" stroke-width="{line}"'  # SVG strokes lie half on each side
    return _rect(shape.x + line / 2, shape.y + line / 2, shape.width - line, shape.height - line, style)


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {style}/>'


def _words(shape: Words) -> str:
    # The viewer's font may be another one: the length keeps labels within their plates.
    length = round(text_width(shape.text, shape.size), 1)
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    return (
        f'<text x="{shape.x}" y="{shape.y}" font-size="{shape.size}" fill="{shape.colour}"{anchor} '
        f'textLength="{length:g}" lengthAdjust="spacingAndGlyphs">{_text(shape.text)}</text>'
    )


def _data(image: Image) -> str:
    stream = io.BytesIO()
    kind = "jpeg" if image.getcolors(_FEW_COLOURS) is None else "png"
    image.save(stream, kind, **({"quality": 92, "subsampling": 0} if kind == "jpeg" else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _text(text: str) -> str:
    return escape("".join(letter if letter.isprintable() else code_point(letter) for letter in " ".join(text.split())))
