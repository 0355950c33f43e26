"""Models that can be had, with what their authors and the tables of OpenCLIP say of them.

Quality: zero-shot accuracy on CIFAR-10, and the share of Flickr30k's captions (test) whose photo is the first hit, from
``openclip_results.csv`` and ``openclip_retrieval_results.csv`` in OpenCLIP's ``docs``. Sizes: four bytes for each
parameter that these count, for MobileCLIP2 its paper (arXiv:2508.20691). The shipped models' figures are in their
``model.json`` and model cards.
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
    Known("openclip:RN101/openai", 479, 80.8, 58.0, "MIT"),
    Known("openclip:ViT-B-32/openai", 605, 89.8, 58.8, "MIT"),
    Known("openclip:ViT-B-32/laion2b_s34b_b79k", 605, 93.6, 66.8, "MIT"),
    Known("openclip:ViT-B-16/openai", 598, 90.8, 62.2, "MIT"),
    Known("openclip:ViT-L-14/openai", 1710, 95.6, 65.0, "MIT"),
    Known("openclip:ViT-B-16-SigLIP/webli", 813, 92.3, 74.7, "Apache-2.0"),
    Known("openclip:MobileCLIP2-S0/dfndr2b", 300, None, None, "Apple AMLR: research only"),
    Known("immich-app/ViT-B-32__openai", 605, 89.8, 58.8, "MIT"),
)
