"""Class folders of one's own, divided into exemplars and a gallery that share no picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from wordsight.datasets.exemplars import Exemplars
from wordsight.datasets.layout import safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.types import Qrels


def divide(
    exemplars: Exemplars, keys: Mapping[str, bytes], share: float = 0.5, *, seed: int = 0
) -> tuple[Exemplars, Exemplars]:
    """Return two parts, the first with ``share`` of every label's pictures, rounded, at least one in each part.

    ``keys``: picture -> content key; pictures of one content stay together, pictures without a key are left out, and of
    copies under several labels all are left out, for nobody knows which label is right. Raises ``BadInput`` for a label
    with fewer than two different pictures.
    """
    labels_of: dict[bytes, set[tuple[str, ...]]] = defaultdict(set)
    for item in exemplars.items:
        if item.image_id in keys:
            labels_of[keys[item.image_id]].add(item.labels)
    first: set[bytes] = set()
    rng = np.random.default_rng(seed)
    for label in exemplars.labels:
        contents = [key for key, labels in labels_of.items() if labels == {(label,)}]
        if len(contents) < 2:
            raise BadInput(
                f"the label {label!r} has {len(contents)} different picture(s) of its own: at least two are needed, "
                "one to learn from and one to find; add pictures or leave the label out"
            )
        taken = min(max(1, round(share * len(contents))), len(contents) - 1)
        first |= {contents[place] for place in rng.permutation(len(contents))[:taken]}
    clear = [item for item in exemplars.items if item.image_id in keys and len(labels_of[keys[item.image_id]]) == 1]
    inside = tuple(item for item in clear if keys[item.image_id] in first)
    outside = tuple(item for item in clear if keys[item.image_id] not in first)
    return (
        Exemplars(exemplars.name, exemplars.labels, inside),
        Exemplars(exemplars.name, exemplars.labels, outside),
    )


def task_of(exemplars: Exemplars, name: str, split: str = "held out") -> RetrievalTask:
    """Return labelled pictures as a task: one query a label, in which an underscore reads as a blank."""
    queries = tuple(TaskQuery(safe_id(label), (label.replace("_", " "),)) for label in exemplars.labels)
    grades: dict[str, dict[str, int]] = {query.query_id: {} for query in queries}
    for item in exemplars.items:
        for label in item.labels:
            grades[safe_id(label)][item.image_id] = 1
    return RetrievalTask(
        name=name,
        kind=TaskKind.SINGLE_LABEL,
        split=split,
        queries=queries,
        images=tuple(TaskImage(item.image_id, item.load) for item in exemplars.items),
        qrels=Qrels(grades, {}),
    )
