"""Why a picture matches a text: maps of its places, and boxes.

>>> maps = explainer(encoder).explain([image], ["a dog"])[0]
>>> boxes(maps[0], image.size)
"""

from wordsight.explain.boxes import boxes
from wordsight.explain.explainer import ViewExplainer
from wordsight.explain.methods import best_method, best_options, best_threshold, explainer, methods_of
from wordsight.explain.options import ExplainOptions
from wordsight.explain.successive import successive_maps

__all__ = [
    "ExplainOptions",
    "ViewExplainer",
    "best_method",
    "best_options",
    "best_threshold",
    "boxes",
    "explainer",
    "methods_of",
    "successive_maps",
]
