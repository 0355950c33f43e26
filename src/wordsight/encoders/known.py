"""Models that can be had, with what their authors and the tables of OpenCLIP say of them.

Quality: zero-shot accuracy on CIFAR-10, and the share of Flickr30k's captions (test) whose photo is the first hit. The
shipped model's figures are in its ``model.json`` and model card.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """``megabytes``: weights in float32, as published; qualities in percent, ``None`` where none is published."""

    name: str
    megabytes: int
    cifar10: float | None
    flickr30k: float | None
    licence: str


KNOWN = (
    Known("openclip:RN50/openai", 408, 71.6, 57.4, "MIT"),
    Known("openclip:RN50/cc12m", 408, 52.4, 45.9, "MIT"),
    Known("openclip:RN101/openai", 480, 80.8, None, "MIT"),
    Known("openclip:ViT-B-32/openai", 604, 89.8, 58.8, "MIT"),
    Known("openclip:ViT-B-32/laion2b_s34b_b79k", 604, 93.6, 66.8, "MIT"),
    Known("openclip:ViT-B-16/openai", 599, None, None, "MIT"),
    Known("openclip:ViT-L-14/openai", 1711, None, None, "MIT"),
    Known("openclip:ViT-B-16-SigLIP/webli", 813, None, None, "Apache-2.0"),
    Known("openclip:MobileCLIP2-S0/dfndr2b", 299, None, None, "Apple AMLR: research only"),
    Known("immich-app/ViT-B-32__openai", 604, 89.8, 58.8, "MIT"),
)
