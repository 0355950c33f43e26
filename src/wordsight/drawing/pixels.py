"""A scene as a picture."""

from __future__ import annotations

from PIL import Image as PILImage
from PIL import ImageDraw

from wordsight.drawing import fonts
from wordsight.drawing.scene import Raster, Rectangle, Scene, Words, text_width
from wordsight.protocols import Image


def to_image(scene: Scene) -> Image:
    """Return the scene as an RGB picture of its size."""
    image = PILImage.new("RGB", (scene.width, scene.height), scene.ground)
    pen = ImageDraw.Draw(image)
    for shape in scene.shapes:
        if isinstance(shape, Raster):
            image.paste(shape.image, (shape.x, shape.y))
        elif isinstance(shape, Rectangle):
            _rectangle(pen, shape)
        else:
            _words(pen, shape)
    return image


def _rectangle(pen: ImageDraw.ImageDraw, shape: Rectangle) -> None:
    corners = (shape.x, shape.y, shape.x + shape.width - 1, shape.y + shape.height - 1)  # Pillow's are inclusive
    if shape.line is None:
        pen.rectangle(corners, fill=shape.colour)
    else:
        pen.rectangle(corners, outline=shape.colour, width=min(shape.line, shape.width, shape.height))


def _words(pen: ImageDraw.ImageDraw, shape: Words) -> None:
    x = shape.x - text_width(shape.text, shape.size) * {"start": 0, "middle": 0.5, "end": 1}[shape.anchor]
    for run in fonts.runs(shape.text):
        face = fonts.font(run.font, shape.size)
        pen.text((x, shape.y), run.text, fill=shape.colour, font=face, anchor="ls", direction=run.direction)
        x += face.getlength(run.text, direction=run.direction)
