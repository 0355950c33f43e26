"""Statistics of pictures, each a pure function images -> vectors, without learning and without a network.

``parse("hog,colour,lbp", preset="small")`` returns features; each is a frozen value that is called with pictures.
Local features (``parse_local("sift")``) return many descriptors a picture, for a codebook.
"""

from wordsight.features.base import Descriptors, Feature, LocalFeature
from wordsight.features.patches import Patches, Whitening
from wordsight.features.registry import (
    FEATURES,
    LOCAL_FEATURES,
    Preset,
    from_description,
    local_from_description,
    parse,
    parse_local,
)

__all__ = [
    "FEATURES",
    "LOCAL_FEATURES",
    "Descriptors",
    "Feature",
    "LocalFeature",
    "Patches",
    "Preset",
    "Whitening",
    "from_description",
    "local_from_description",
    "parse",
    "parse_local",
]
