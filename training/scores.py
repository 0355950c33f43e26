"""The measures on plain score matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data import VOC_CLASSES, VocPicture, open_rgb

Floats = NDArray[np.floating[Any]]


def success(similar: Floats, relevant: NDArray[np.bool_], at: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Share of rows with a relevant column among the k best (the "R@k" of CLIP papers). Ties count against."""
    best = np.where(relevant, similar, -np.inf).max(1, keepdims=True)
    rank = ((similar >= best) & ~relevant).sum(1)
    return {f"Success@{k}": float((rank < k).mean()) for k in at}


def average_precision(similar: Floats, relevant: NDArray[np.bool_]) -> tuple[float, float, float]:
    """All-point AP, VOC2007's 11-point AP, and precision@10 of one ranking (stable order for ties)."""
    hits = relevant[np.argsort(-similar, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    recall = np.cumsum(hits) / hits.sum()
    eleven = [precision[recall >= level - 1e-12].max(initial=0) for level in np.linspace(0, 1, 11)]
    return float(precision[hits].mean()), float(np.mean(eleven)), float(hits[:10].mean())


def voc_scores(similar: Floats, relevance: NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """Raw scores ranked for each class; pictures where the class is only difficult are left out of its ranking."""
    rows = {}
    for column, name in enumerate(names):
        counted = relevance[:, column] != 0
        rows[name] = average_precision(similar[counted, column], relevance[counted, column] == 1)
    mean = np.mean(list(rows.values()), axis=0)
    per_class = {name: row[0] for name, row in rows.items()}
    return {"mAP": mean[0], "mAP11": mean[1], "P@10": mean[2], "AP": per_class}


def pointing_game(
    voc: Sequence[VocPicture], feature_map: Callable[[Image.Image], Floats], texts: Floats
) -> dict[str, float]:
    """Share of (picture, class present) whose map's maximum, upsampled bilinearly, lies in a box of the class.

    Excitation backprop's pointing game (arXiv 1608.00507) without tolerance. The centre point is the baseline.
    """
    hits, centre, missed_by_centre = [], [], []
    names = list(VOC_CLASSES)
    for picture in voc:
        image = open_rgb(picture.path)
        features = feature_map(image)
        for name, boxes in picture.boxes.items():
            value = np.tensordot(texts[names.index(name)], features, 1).astype(np.float32)
            large = np.asarray(Image.fromarray(value).resize(image.size, Image.Resampling.BILINEAR))
            y, x = np.unravel_index(large.argmax(), large.shape)
            hits.append(_inside(x, y, boxes))
            centre.append(_inside(image.width / 2, image.height / 2, boxes))
            missed_by_centre += [] if centre[-1] else [hits[-1]]
    return {"map": float(np.mean(hits)), "centre_point": float(np.mean(centre)),
            "map_where_centre_misses": float(np.mean(missed_by_centre)), "n": len(hits)}  # fmt: skip


def _inside(x: float, y: float, boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)


def rounded(value: Any, digits: int = 4) -> Any:
    """The same structure with short numbers."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return round(float(value), digits) if isinstance(value, float | np.floating) else value
