"""Vectors in any number that lie like those of real photos, and real queries to ask of them.

Photos are encoded; a synthetic row lies between one of them and one of its ten nearest, moved by a part of the
difference of two others, so that the directions in which rows vary are those of the model. Half of each thousand rows
(a folder) comes from one neighbourhood, as photos of one event do.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import photos
from wordsight import images
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

_FOLDERS = ("imagenet_samples", "voc2007/VOCdevkit/VOC2007/JPEGImages", "flickr8k/images")
_MOST = 4_000
_QUERIES = 200
_NEAREST = 10
_SCENES = 50
_BLOCK = 1_000
_MOVE = 0.15
_WORDS = ("dog", "child", "mountain", "red car", "birthday cake", "bicycle", "cat", "boat", "beach", "snow")
_TEMPLATES = ("a {}", "a photo of a {}", "two people and a {}", "a {} at night", "a {} in the city", "an old {}")


@dataclass(frozen=True, slots=True)
class Space:
    """How to draw synthetic rows, and queries: by text, and by pictures that are not among the rows' origins.

    ``draw()`` begins anew: each function it returns gives the same rows.
    """

    draw: Callable[[], Callable[[int], Embeddings]]
    texts: Embeddings
    pictures: Embeddings
    label: str
    nearest_cosine: float


def space(encoder: Encoder, work: Path, *, most: int = _MOST) -> Space:
    """Return the space of ``encoder``; the embeddings of the photos are kept in ``work``."""
    data = photos.development_data()
    files = [file for folder in _FOLDERS for file in sorted((data / folder).glob("*.jpg"))]
    label = "development photos"
    if not files:
        files = photos.listing(photos.make(work / "photos-realistic", 1_000, (320, 240)))
        label = "crops of sample photos"
    files = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:most]]
    embedded = _embedded(encoder, files, work / f"embedded-{encoder.fingerprint}-{len(files)}.npy")
    held_out = min(_QUERIES, len(files) // 5)
    base = embedded[held_out:]
    cosines = base @ base.T
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1)[:, :_SCENES]
    return Space(
        lambda: _drawer(base, nearest),
        encoder.encode_texts(_texts(data)),
        embedded[:held_out],
        f"{label}: {len(base):,} embeddings, varied",
        float(np.median(cosines.max(axis=1))),
    )


def _drawer(base: Embeddings, nearest: NDArray[np.int64]) -> Callable[[int], Embeddings]:
    rng = np.random.default_rng(1)

    def block(count: int) -> Embeddings:
        scenes = nearest[rng.integers(len(base))]
        origin = np.where(rng.random(count) < 0.5, rng.choice(scenes, count), rng.integers(len(base), size=count))
        other = nearest[origin, rng.integers(min(_NEAREST, nearest.shape[1]), size=count)]
        between = rng.random((count, 1), np.float32)
        rows = (1 - between) * base[origin] + between * base[other]
        first, second = rng.integers(len(base), size=(2, count))
        rows += np.float32(_MOVE) * (base[first] - base[second])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def draw(count: int) -> Embeddings:
        return np.concatenate([block(min(_BLOCK, count - start)) for start in range(0, count, _BLOCK)])

    return draw


def _embedded(encoder: Encoder, files: list[Path], cache: Path) -> Embeddings:
    if cache.is_file():
        kept: Embeddings = np.load(cache)
        return kept
    rows = [
        encoder.encode_images([images.open_image(file, side=encoder.image_side) for file in files[start : start + 16]])
        for start in range(0, len(files), 16)
    ]
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.save(cache, np.concatenate(rows))
    return np.concatenate(rows)


def _texts(data: Path) -> list[str]:
    captions = data / "flickr8k" / "captions.csv"
    if not captions.is_file():
        return [template.format(word) for word in _WORDS for template in _TEMPLATES]
    with captions.open(newline="", encoding="utf-8") as stream:
        rows = [row["caption"] for row in csv.DictReader(stream)]
    return [rows[i] for i in np.random.default_rng(2).choice(len(rows), _QUERIES, replace=False)]
