"""Boxed pictures x explainer -> how the score follows a map's places, and the map the weights."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.datasets.boxes import LocalizationTask
from wordsight.errors import BadInput, ImageError
from wordsight.evaluation.faithfulness import agreement, area_under, deletion, insertion
from wordsight.explain import ViewExplainer
from wordsight.localization import label_texts

_SIDE = 320  # pixels: no encoder looks at more of a picture when its score is asked


def faithfulness(
    task: LocalizationTask, explainer: ViewExplainer, randomised: ViewExplainer | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Return the means over each picture of the task and its first text, the baseline being a map of noise.

    "deletion" (lower is better) and "insertion" (higher is better): mean similarity as places are blurred or made
    sharp, from the map's highest to its lowest; "curves" holds the same by name, step by step. "sanity": rank
    correlation of the maps with those of ``randomised``, the same explainer on the same network with random weights;
    near 0 is good, near 1 says that a map shows edges of the picture and nothing of the encoder. Raises ``BadInput``
    when no picture can be read.
    """
    texts = label_texts(task, explainer.encoder)
    rng = np.random.default_rng(seed)
    curves: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    agreements: list[float] = []
    for image in task.images:
        asked = sorted(image.boxes.keys() & texts.keys())[:1]
        try:
            picture = image.image.load(_SIDE)
        except ImageError:
            continue
        for text in (texts[name] for name in asked):
            values = explainer.explain([picture], [text])[0][0].values
            noise = rng.random(values.shape, np.float32)
            for of, each in (("", values), ("_chance_baseline", noise)):
                for name, changed in (("deletion", deletion), ("insertion", insertion)):
                    scores = explainer.similarities(list(changed(picture, each)), [text])[:, 0]
                    curves[f"{name}{of}"].append(scores)
            if randomised is not None:
                agreements.append(agreement(values, randomised.explain([picture], [text])[0][0].values))
    if not curves:
        raise BadInput("no picture is left to measure on: none can be read and shows what is asked for")
    means = {name: np.mean(found, axis=0) for name, found in curves.items()}
    report: dict[str, Any] = {"n_cases": len(curves["deletion"])}
    report |= {name: area_under(curve) for name, curve in means.items()}
    report |= {"sanity": float(np.mean(agreements))} if agreements else {}
    return report | {"curves": {name: [float(value) for value in curve] for name, curve in means.items()}}
