"""Pictures that explain: heat maps over photographs, boxes, captions in any script, figures as pixels and vectors.

``figure`` lays out ``View``s as a ``Scene``; ``encode`` makes a file of it; ``overlay`` is the heat map alone.
"""

from wordsight.drawing.figure import View, figure, frames
from wordsight.drawing.fonts import remarks
from wordsight.drawing.overlay import overlay, veil
from wordsight.drawing.save import SUFFIXES, animate, checked, encode
from wordsight.drawing.scene import Scene

__all__ = [
    "SUFFIXES",
    "Scene",
    "View",
    "animate",
    "checked",
    "encode",
    "figure",
    "frames",
    "overlay",
    "remarks",
    "veil",
]
