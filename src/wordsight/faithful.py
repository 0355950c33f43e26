"""Boxed pictures x explainer -> how the score follows a map's places, and the map the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wordsight.datasets.boxes import LocalizationTask
from wordsight.errors import BadInput, ImageError
from wordsight.evaluation.faithfulness import Map, agreement, area_under, deletion, insertion
from wordsight.explain import ViewExplainer
from wordsight.localization import label_texts
from wordsight.protocols import Image

_SIDE = 320  # pixels: no encoder looks at more of a picture when its score is asked


def faithfulness(
    task: LocalizationTask, explainer: ViewExplainer, randomised: ViewExplainer | None = None, *, seed: int = 0
) -> dict[str, float]:
    """Return the means over each picture of the task and its first text, the baseline being a map of noise.

    "deletion" (lower is better) and "insertion" (higher is better): mean similarity as places are blurred or made
    sharp, from the map's highest to its lowest. "sanity": rank correlation of the maps with those of ``randomised``,
    the same explainer on the same network with random weights; near 0 is good, near 1 says that a map shows edges of
    the picture and nothing of the encoder. Raises ``BadInput`` when no picture can be read.
    """
    texts = label_texts(task, explainer.encoder)
    rng = np.random.default_rng(seed)
    rows: list[dict[str, float]] = []
    for image in task.images:
        asked = sorted(image.boxes.keys() & texts.keys())[:1]
        try:
            picture = image.image.load(_SIDE)
        except ImageError:
            continue
        for text in (texts[name] for name in asked):
            values = explainer.explain([picture], [text])[0][0].values
            noise = rng.random(values.shape, np.float32)
            row = dict(_curves(picture, values, text, explainer))
            row |= {f"{name}_chance_baseline": value for name, value in _curves(picture, noise, text, explainer)}
            if randomised is not None:
                row["sanity"] = agreement(values, randomised.explain([picture], [text])[0][0].values)
            rows.append(row)
    if not rows:
        raise BadInput("no picture is left to measure on: none can be read and shows what is asked for")
    return {"n_cases": len(rows)} | {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _curves(image: Image, values: Map, text: str, explainer: ViewExplainer) -> Iterator[tuple[str, float]]:
    for name, changed in (("deletion", deletion), ("insertion", insertion)):
        pictures = list(changed(image, values))
        yield name, area_under(explainer.similarities(pictures, [text])[:, 0])
