"""Boxed pictures x explainer -> measures: how well maps and boxes find what texts name."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordsight.datasets.boxes import BoxedImage, LocalizationTask
from wordsight.encoding import Progress, wordings
from wordsight.errors import BadInput, ImageError
from wordsight.evaluation.localization import Map, Target, baselines, best_iou, max_box_accuracy, measure
from wordsight.explain import (
    ExplainOptions,
    ViewExplainer,
    best_threshold,
    boxes,
    explainer,
)
from wordsight.protocols import Encoder
from wordsight.types import SaliencyMap

THRESHOLDS = tuple(step / 20 for step in range(1, 17))
"""Of the map's highest value; what MaxBoxAcc and the best box choose from."""

LEVEL = 0.5
OWN = "map"
"""The map that is measured; beside it stand the names of ``baselines``."""


class Case(NamedTuple):
    """One text that a picture shows, and what was measured: name of the map -> measure -> value.

    ``fits``: name of the map -> IoU of its box at each of ``THRESHOLDS``, for things alone in their picture.
    """

    image_id: str
    query_id: str
    target: Target
    values: Mapping[str, Mapping[str, float]]
    fits: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class LocalizationResult:
    """What came out, on ``cases``; boxes are those at ``threshold``. ``settings`` say what else the figures depend on.

    ``skipped``: id -> reason.
    """

    task: str
    encoder: str
    method: str
    threshold: float
    cases: tuple[Case, ...]
    skipped: Mapping[str, str]
    settings: Mapping[str, object]
    seconds: float

    @property
    def table(self) -> dict[str, dict[str, float]]:
        """Measure -> name of the map (``OWN`` and the baselines) -> mean over the cases that it is defined for."""
        rows: dict[str, dict[str, float]] = {}
        for measured in self.cases[0].values[OWN]:
            rows[measured] = self._means(measured, self.cases)
        for group in ("off_center", "small", "medium", "large"):
            chosen = [case for case in self.cases if group in case.target.groups]
            for measured in ("pointing", "energy"):
                rows[f"{measured}_{group}"] = self._means(measured, chosen)
        return rows | self._box_rows([case for case in self.cases if case.target.alone])

    @property
    def measures(self) -> dict[str, float]:
        """Name -> mean, in [0, 1]; those of baselines end in ``_center_baseline`` and so on."""
        return {
            measured if of == OWN else f"{measured}_{of}_baseline": value
            for measured, row in self.table.items()
            for of, value in row.items()
        }

    @property
    def by_label(self) -> dict[str, dict[str, float]]:
        """Query id -> its number of cases and pointing game."""
        names = sorted({case.query_id for case in self.cases})
        chosen = {name: [case for case in self.cases if case.query_id == name] for name in names}
        return {
            name: {"cases": len(cases), "pointing": self._means("pointing", cases)[OWN]}
            for name, cases in chosen.items()
        }

    def as_json(self) -> dict[str, object]:
        """Return the object described in docs/localization.md."""
        groups = [group for case in self.cases for group in case.target.groups]
        return {
            "task": self.task,
            "encoder": self.encoder,
            "method": self.method,
            "threshold": self.threshold,
            "measures": self.measures,
            "n_images": len({case.image_id for case in self.cases}),
            "n_cases": len(self.cases),
            "n_alone": sum(case.target.alone for case in self.cases),
            "n_in_group": {group: groups.count(group) for group in ("off_center", "small", "medium", "large")},
            "by_label": self.by_label,
            "skipped": dict(self.skipped),
            "seconds": round(self.seconds, 3),
            "settings": dict(self.settings),
        }

    def _means(self, measured: str, cases: Sequence[Case]) -> dict[str, float]:
        return {of: _mean([case.values[of][measured] for case in cases]) for of in self.cases[0].values}

    def _box_rows(self, alone: Sequence[Case]) -> dict[str, dict[str, float]]:
        """Return the measures of boxes, on pictures that show one thing only."""
        chosen = THRESHOLDS.index(self.threshold)
        rows: dict[str, dict[str, float]] = {f"loc@{LEVEL}": {}, "iou": {}, "iou_best": {}, "max_box_accuracy": {}}
        for of in self.cases[0].values:
            fits = np.asarray([case.fits[of] for case in alone]).reshape(len(alone), len(THRESHOLDS))
            rows[f"loc@{LEVEL}"][of] = _mean(fits[:, chosen] >= LEVEL)
            rows["iou"][of] = _mean(fits[:, chosen])
            rows["iou_best"][of] = _mean(fits.max(axis=1))
            rows["max_box_accuracy"][of] = max_box_accuracy(fits, LEVEL)
        return rows


def localize(
    task: LocalizationTask,
    maker: ViewExplainer,
    *,
    threshold: float | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> LocalizationResult:
    """Measure how well the maps of ``maker`` and boxes find what the task's texts name, in the pictures that show it.

    ``threshold`` of boxes: ``None`` takes the one fitted for encoder and method; it is rounded to ``THRESHOLDS``.
    Pictures that cannot be read are skipped. Raises ``BadInput`` when none is left.
    """
    started = time.perf_counter()
    encoder = maker.encoder
    texts = label_texts(task, encoder)
    asked = [image for image in task.images if image.boxes.keys() & texts.keys()]
    cases: list[Case] = []
    skipped = dict(task.skipped)
    with ThreadPoolExecutor(threads) as pool:
        for done, (image, found) in enumerate(zip(asked, pool.map(_Work(maker, texts), asked), strict=True), 1):
            if isinstance(found, str):
                skipped[image.image.image_id] = found
            else:
                cases += found
            if progress is not None:
                progress(done, len(asked))
    if not cases:
        first = next(iter(skipped.items()), ("there is none", "no picture shows what is asked for"))
        raise BadInput(f"no picture is left to measure on; the first: {': '.join(first)}")
    wanted = best_threshold(encoder, maker.method) if threshold is None else threshold
    settings = {
        "split": task.split,
        "texts": texts,
        "options": asdict(maker.options),
        "remarks": list(task.remarks),
    }
    return LocalizationResult(
        task=task.name,
        encoder=encoder.name,
        method=maker.method,
        threshold=min(THRESHOLDS, key=lambda each: abs(each - wanted)),
        cases=tuple(cases),
        skipped=skipped,
        settings=settings,
        seconds=time.perf_counter() - started,
    )


def label_explainer(encoder: Encoder, method: str = "auto", *, plain: bool = False) -> ViewExplainer:
    """Return the explainer that is measured: the one that users get.

    ``plain``: one view at the encoder's own size without contrast, in place of the options that measured best.
    """
    return explainer(encoder, method, ExplainOptions(prompts=encoder.vocabulary is None) if plain else None)


def label_texts(task: LocalizationTask, encoder: Encoder) -> dict[str, str]:
    """Return query id -> the one text that stands for it; for a closed encoder the one it was fitted on."""
    return {query.query_id: wordings(query, encoder)[0] for query in task.queries}


class _Work:
    """Measures one picture after the other; called from several threads."""

    def __init__(self, explainer: ViewExplainer, texts: Mapping[str, str]) -> None:
        self._explainer, self._texts = explainer, texts

    def __call__(self, image: BoxedImage) -> list[Case] | str:
        """Return the cases of a picture, or the reason why it cannot be read."""
        try:
            picture = image.image.load(None)
        except ImageError as error:
            return error.reason
        asked = sorted(image.boxes.keys() & self._texts.keys())
        maps = self._explainer.explain([picture], [self._texts[name] for name in asked])[0]
        return [self._case(image, name, saliency.values) for name, saliency in zip(asked, maps, strict=True)]

    def _case(self, image: BoxedImage, name: str, values: Map) -> Case:
        target = Target(image.size, image.boxes[name], alone=image.things == 1)
        maps = {OWN: values, **baselines(image.size, seed=zlib.crc32(image.image.image_id.encode()))}
        measured = {of: measure(each, target) for of, each in maps.items()}
        fits = {of: _fits(each, target) for of, each in maps.items()} if target.alone else {}
        return Case(image.image.image_id, name, target, measured, fits)


def _fits(values: Map, target: Target) -> NDArray[np.float64]:
    """Return the IoU of the best-scored box at each of ``THRESHOLDS``."""
    saliency = SaliencyMap(values, "")
    found = [boxes(saliency, target.size, threshold, most=1) for threshold in THRESHOLDS]
    return np.asarray([best_iou(each[0] if each else None, target.boxes) for each in found])


def _mean(values: Sequence[float] | NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
