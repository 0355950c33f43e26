"""Speed of the classical engine, each beside what it is compared with, in one run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median as _median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Bar, Result, median_ratio
from wordsight.clustering.kmeans import kmeans_large, nearest
from wordsight.datasets import load_task
from wordsight.datasets.exemplars import load_exemplars, read_pictures
from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoders.cluster_model import FitConfig, fit_model
from wordsight.evaluation.rules import Assigned
from wordsight.protocols import Image
from wordsight.types import Embeddings

_DESCRIPTORS, _WORDS = 1_000_000, 1_024
_REPEATS = 5
_BATCH = 128
_COMPARED = 300  # pictures given to the slow way, scaled up
_ONE = "hog(soft=false)"
_THREE = f"{_ONE},lbp(kind=rotation,grid=2),colour(first=12,second=4,third=4,levels=1)"
Map: TypeAlias = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]


def words(result: Result, data: Path) -> None:  # noqa: ARG001  # the same signature as the other parts
    """1,000,000 made-up SIFT-like descriptors to 1,024 words, against scikit-learn's MiniBatchKMeans."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    centres = 20 * rng.gamma(1, 1, (3_000, 128)).astype(np.float32)
    noise = rng.gamma(4, 0.25, (_DESCRIPTORS, 128)).astype(np.float32)
    rows = np.minimum(centres[rng.integers(len(centres), size=_DESCRIPTORS)] * noise, 255)
    with threadpool_limits(1):
        wall, cpu = time.perf_counter(), time.process_time()
        ours = kmeans_large(rows, _WORDS, seed=0)
        result.add("1,000,000 descriptors to 1,024 words", time.perf_counter() - wall, "s", Bar("<", 15))
        result.add("the same, processor time", time.process_time() - cpu, "s")
        for batch in (4_096, 16_384):
            cpu = time.process_time()
            theirs = MiniBatchKMeans(_WORDS, batch_size=batch, n_init=1, init="random", random_state=0).fit(rows)
            result.add(f"scikit-learn, batches of {batch:,}, processor time", time.process_time() - cpu, "s")
            _, squares = nearest(rows, theirs.cluster_centers_.astype(np.float32))
            result.add("its error over ours", float(squares.sum(dtype=np.float64)) / ours.inertia, "x")


def pipeline(result: Result, data: Path) -> None:
    """3,000 CIFAR pictures from pixels to labels, 10 exemplars a class, with one statistic and with three.

    By one thread, and by as many as there are cores. Arithmetic libraries are kept to one thread of their own.

    The slow way is that of the usual script: scikit-image's functions and ``KMeans.predict``, picture by picture, which
    a second core does not help. Definitions and settings of the statistics are the same in both.
    """
    from threadpoolctl import threadpool_limits

    task = load_task("cifar10", data / "cifar10")
    gallery = [image.load(None) for image in task.images]
    chosen = load_exemplars("cifar10", data / "cifar10").sample(10, seed=0)[0]
    exemplars = read_pictures(chosen.items).images
    cores = os.cpu_count() or 1
    result.setting = {
        "pictures": len(gallery),
        "scikit-image's way measured on": _COMPARED,
        "threads of 'one thread'": 1,
        "threads of 'all cores'": cores,
        "threads of scikit-image's way": 1,
    }
    with threadpool_limits(1), ThreadPoolExecutor(cores) as pool:
        for name, features in (("HOG", _ONE), ("HOG, LBP and colour", _THREE)):
            encoder = ClusterEncoder(
                fit_model(exemplars, chosen.targets(), chosen.labels, FitConfig(features=features))
            )
            usual = _Usual(exemplars, chosen.targets(), several=features == _THREE)
            texts = encoder.encode_texts(encoder.model.labels)
            encoder.encode_images(gallery[:64])  # tables are made on first use
            taken: dict[str, list[float]] = {"one thread": [], "all cores": [], "scikit-image": []}
            for _ in range(_REPEATS):
                taken["one thread"].append(_seconds(lambda: _labels(encoder, texts, gallery, map)))  # noqa: B023
                taken["all cores"].append(_seconds(lambda: _labels(encoder, texts, gallery, pool.map)))  # noqa: B023
                seconds = _seconds(lambda: [usual.label(pixels) for pixels in _arrays(gallery[:_COMPARED])])  # noqa: B023
                taken["scikit-image"].append(seconds * len(gallery) / _COMPARED)
            result.raw[features] = taken
            result.add(f"{name}: scikit-image and predict, picture by picture", _median(taken["scikit-image"]), "s")
            for how in ("one thread", "all cores"):
                result.add(f"{name}: 3,000 pictures from pixels to labels, {how}", _median(taken[how]), "s")
                times = median_ratio(taken["scikit-image"], taken[how])
                result.add(f"{name}, {how}: times as fast", times, "x", Bar(">=", 50))


def _labels(encoder: ClusterEncoder, texts: Embeddings, gallery: Sequence[Image], mapped: Map) -> NDArray[np.bool_]:
    """Return the label of each picture, worked on in batches as ``run_task`` does."""
    batches = [gallery[start : start + _BATCH] for start in range(0, len(gallery), _BATCH)]
    return Assigned().select(texts @ np.concatenate(list(mapped(encoder.encode_images, batches))).T)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _arrays(pictures: Sequence[Image]) -> list[NDArray[np.uint8]]:
    return [np.asarray(image) for image in pictures]


class _Usual:
    """The usual script: statistics of one picture at a time, and scikit-learn's KMeans, fitted here."""

    def __init__(self, exemplars: Sequence[Image], targets: NDArray[np.float32], *, several: bool) -> None:
        from sklearn.cluster import KMeans

        self._several = several
        known = np.stack([_usual_statistics(pixels, several) for pixels in _arrays(exemplars)])
        means = np.stack([known[column > 0].mean(axis=0) for column in targets.T])
        self._clusters = KMeans(len(means), init=means, n_init=1).fit(known)

    def label(self, pixels: NDArray[np.uint8]) -> int:
        """Return the cluster of one picture."""
        return int(self._clusters.predict(_usual_statistics(pixels, self._several)[None])[0])


def _usual_statistics(pixels: NDArray[np.uint8], several: bool) -> NDArray[np.float64]:
    from skimage.color import rgb2gray, rgb2hsv
    from skimage.feature import hog, local_binary_pattern

    grey = rgb2gray(pixels)
    edges = hog(grey, orientations=9, pixels_per_cell=(4, 4), cells_per_block=(2, 2))
    if not several:
        return np.asarray(edges, np.float64)
    patterns = local_binary_pattern((grey * 255).astype(np.uint8), 8, 1, "uniform")
    texture = np.concatenate(
        [np.histogram(cell, 10, (0, 10))[0] for half in np.split(patterns, 2) for cell in np.split(half, 2, axis=1)]
    )
    hsv = rgb2hsv(pixels).reshape(-1, 3)
    colour = np.histogramdd(hsv, (12, 4, 4), ((0, 1),) * 3)[0].ravel()
    return np.concatenate([edges, texture / 256, colour / 1024]).astype(np.float64)
