"""Coarser and finer words for the labels of known data sets: animal > dog > terrier."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Wording(NamedTuple):
    """``coarse``: the kind of thing that the label is; ``fine``: kinds of the label."""

    coarse: str
    fine: tuple[str, ...]


_PLANE = Wording("vehicle", ("airliner", "fighter jet"))
_CAR = Wording("vehicle", ("convertible", "taxi"))
_SHIP = Wording("vehicle", ("sailing boat", "ferry"))
_BIKE = Wording("vehicle", ("scooter", "moped"))
_BIRD = Wording("animal", ("sparrow", "ostrich"))
_CAT = Wording("animal", ("tabby cat", "kitten"))
_DOG = Wording("animal", ("terrier", "poodle"))
_HORSE = Wording("animal", ("pony", "stallion"))

WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        "airplane": _PLANE,
        "aeroplane": _PLANE,
        "automobile": _CAR,
        "car": _CAR,
        "bird": _BIRD,
        "cat": _CAT,
        "deer": Wording("animal", ("stag", "fawn")),
        "dog": _DOG,
        "frog": Wording("animal", ("tree frog", "toad")),
        "horse": _HORSE,
        "ship": _SHIP,
        "boat": _SHIP,
        "truck": Wording("vehicle", ("fire engine", "pickup truck")),
        "bicycle": Wording("vehicle", ("mountain bike", "tandem")),
        "bottle": Wording("household object", ("beer bottle", "wine bottle")),
        "bus": Wording("vehicle", ("double-decker bus", "minibus")),
        "chair": Wording("furniture", ("armchair", "stool")),
        "cow": Wording("animal", ("bull", "calf")),
        "dining table": Wording("furniture", ("desk", "kitchen table")),
        "motorbike": _BIKE,
        "person": Wording("people", ("child", "woman")),
        "potted plant": Wording("household object", ("flower pot", "cactus")),
        "sheep": Wording("animal", ("lamb", "ram")),
        "sofa": Wording("furniture", ("couch", "studio couch")),
        "train": Wording("vehicle", ("steam locomotive", "tram")),
        "tv monitor": Wording("household object", ("television", "computer screen")),
    }
)
"""Label, as it is asked for -> words. A coarse word is right for the pictures of all its labels; a fine one counts as
right for all pictures of its label, as nobody marked the finer kinds."""
