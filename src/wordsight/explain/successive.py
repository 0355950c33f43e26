"""One region after the other: cover what was found, and ask again."""

from __future__ import annotations

import numpy as np
from PIL import Image as PILImage

from wordsight.errors import BadInput
from wordsight.explain.boxes import THRESHOLD, components
from wordsight.explain.masks import mean_colour
from wordsight.protocols import Explainer, Image
from wordsight.types import SaliencyMap


def successive_maps(
    explainer: Explainer, image: Image, text: str, rounds: int = 3, *, threshold: float = THRESHOLD
) -> list[SaliencyMap]:
    """Return up to ``rounds`` maps, each of the picture in which the regions of those before are covered.

    A region is the group of cells around a map's peak with at least ``threshold`` times its value; the picture's mean
    colour covers it. There are fewer maps when no place speaks for the text any more, or when nothing is left. This is
    adversarial erasing: Wei et al. 2017 (CVPR).
    """
    if rounds < 1 or not 0 < threshold <= 1:
        raise BadInput(f"expected at least one round and a threshold in (0, 1], got {rounds} and {threshold}")
    colour = mean_colour(image)
    covered = np.zeros(0, bool)
    maps: list[SaliencyMap] = []
    for _ in range(rounds):
        ((found,),) = explainer.explain([image], [text])
        if covered.size:  # what is covered cannot be found again, though its edges may still answer
            found = SaliencyMap(np.where(covered, np.float32(0), found.values), text, found.method, found.score)
        peak = np.unravel_index(int(found.values.argmax()), found.values.shape)
        if not found.values[peak] > 0:
            break
        maps.append(found)
        groups = components(found.values >= threshold * found.values[peak])
        region = groups == groups[peak]
        covered = region | covered if covered.size else region
        if covered.all():
            break
        cover = PILImage.fromarray(region).resize(image.size, PILImage.Resampling.NEAREST)
        image = PILImage.composite(PILImage.new("RGB", image.size, colour), image, cover)
    return maps
