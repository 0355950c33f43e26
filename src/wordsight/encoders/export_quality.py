"""How far an exported model is from the one it was made from, on pictures and texts, and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.errors import ModelError
from wordsight.protocols import Image, SpatialEncoder
from wordsight.types import Embeddings

TEXTS = (
    "a dog",
    "two children playing on a beach at sunset",
    "a red car parked in front of an old house",
    "an aerial photograph of fields",
    "text on a sign",
    "people at a long table, eating and laughing, seen from above through a window on a rainy day",
)
LEAST_FOR_INT8 = 32
_NEAREST = 10


@dataclass(frozen=True, slots=True)
class Parity:
    """Figures of one export. A cosine near 1 alone proves little: "centred" ones are taken after subtracting the mean.

    ``image_*``: embeddings of the pictures; ``map_cosine``: all places of their maps, centred, the mean picture;
    ``text_cosine``: the worst of ``TEXTS``; ``overlap``: mean share of each picture's ten nearest that stay.
    """

    pictures: int
    source: str
    image_cosine: float
    image_centred: float
    image_centred_mean: float
    map_cosine: float
    text_cosine: float
    overlap: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures rounded."""
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


LIMITS: dict[str, dict[str, float]] = {
    "fp32": {"image_cosine": 0.9999, "image_centred": 0.999, "map_cosine": 0.999, "text_cosine": 0.9999},
    "bf16": {"image_cosine": 0.999, "image_centred_mean": 0.99, "map_cosine": 0.99, "text_cosine": 0.999},
    "fp16": {"image_cosine": 0.9995, "image_centred_mean": 0.995, "map_cosine": 0.995, "text_cosine": 0.9995},
    "int8": {"image_centred_mean": 0.98, "overlap": 0.9, "map_cosine": 0.99, "text_cosine": 0.999},
}
"""The least of each figure that an export of a precision may have."""


def measure(reference: SpatialEncoder, exported: SpatialEncoder, images: Sequence[Image], source: str) -> Parity:
    """Compare two encoders of one space on pictures."""
    rows = [encoder.encode_images(images) for encoder in (reference, exported)]
    texts = [encoder.encode_texts(TEXTS) for encoder in (reference, exported)]
    centred = _cosines(*_centred(*rows))
    few = images[:8]
    maps = [encoder.feature_maps(few) for encoder in (reference, exported)]
    return Parity(
        pictures=len(images),
        source=source,
        image_cosine=float(_cosines(*rows).min()),
        image_centred=float(centred.min()),
        image_centred_mean=float(centred.mean()),
        map_cosine=float(_map_cosines(*maps).mean()),
        text_cosine=float(_cosines(*texts).min()),
        overlap=_overlap(*rows),
    )


class NotCloseError(ModelError):
    """An export is not good enough to be kept."""


def check(parity: Parity, precision: str, name: str) -> None:
    """Raise ``NotCloseError`` with the figures when an export is not good enough to be kept."""
    figures = parity.to_json()
    limits = LIMITS[precision]
    short = [f"{key} {figures[key]} < {least}" for key, least in limits.items() if not figures[key] >= least]
    if short:
        other = "choose --precision bf16" if precision == "int8" else "this is a defect of the export: please report it"
        raise NotCloseError(
            f"{name} as {precision} is too far from the original on {parity.pictures} pictures ({parity.source}): "
            f"{'; '.join(short)}. Nothing was written; {other}"
        )


def synthetic(count: int = 16, side: int = 448) -> list[Image]:
    """Return pictures with detail of all sizes, as photographs have, for exports without photos."""
    pictures = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        pixels = np.zeros((side, side, 3))
        for cells in (2, 5, 14, 56, 224):
            coarse = PILImage.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
            pixels += np.asarray(coarse.resize((side, side), PILImage.Resampling.BICUBIC), float) * rng.uniform(0.1, 1)
        low, high = pixels.min(), pixels.max()
        pictures.append(PILImage.fromarray(((pixels - low) / (high - low) * 255).astype(np.uint8)))
    return pictures


def _centred(first: Embeddings, second: Embeddings) -> tuple[Embeddings, Embeddings]:
    mean = first.mean(axis=0, keepdims=True)
    return first - mean, second - mean


def _cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosines: NDArray[np.float32] = (first * second).sum(axis=-1) / np.maximum(lengths, 1e-12)
    return cosines


def _map_cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = first.mean(axis=(0, 2, 3), keepdims=True)
    return _cosines((first - mean).reshape(len(first), -1), (second - mean).reshape(len(second), -1))


def _overlap(first: Embeddings, second: Embeddings) -> float:
    nearest = min(_NEAREST, len(first) - 1)
    if nearest < 1:
        return 1.0
    best = []
    for rows in (first, second):
        scores = rows @ rows.T
        np.fill_diagonal(scores, -2)
        best.append(np.argsort(-scores, axis=1, kind="stable")[:, :nearest])
    shared = [len(set(a) & set(b)) / nearest for a, b in zip(*(part.tolist() for part in best), strict=True)]
    return float(np.mean(shared))
