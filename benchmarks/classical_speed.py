"""Speed of the classical engine, each beside what it is compared with, in one run on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

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

_DESCRIPTORS, _WORDS = 1_000_000, 1_024
_REPEATS = 3
_COMPARED = 300  # pictures given to the slow way, scaled up


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

    The slow way is that of the usual script: scikit-image's functions and ``KMeans.predict``, picture by picture. HOG
    is the plain one of scikit-image in both.
    """
    from threadpoolctl import threadpool_limits

    task = load_task("cifar10", data / "cifar10")
    gallery = [image.load(None) for image in task.images]
    chosen = load_exemplars("cifar10", data / "cifar10").sample(10, seed=0)[0]
    exemplars = read_pictures(chosen.items).images
    result.setting = {"pictures": len(gallery), "scikit-image's way measured on": _COMPARED, "threads": 1}
    with threadpool_limits(1):
        for features, bar in (("hog(soft=false)", None), ("hog(soft=false),lbp,colour", Bar(">=", 50))):
            encoder = ClusterEncoder(
                fit_model(exemplars, chosen.targets(), chosen.labels, FitConfig(features=features))
            )
            texts = encoder.encode_texts(encoder.model.labels)
            encoder.encode_images(gallery[:64])  # tables are made on first use
            ours, theirs = [], []
            for _ in range(_REPEATS):
                started = time.perf_counter()
                Assigned().select(texts @ encoder.encode_images(gallery).T)
                ours.append(time.perf_counter() - started)
                seconds = _picture_by_picture(exemplars, chosen.targets(), gallery[:_COMPARED], "lbp" in features)
                theirs.append(seconds * len(gallery) / _COMPARED)
            result.raw[features] = {"ours": ours, "scikit-image": theirs}
            result.add(f"{features}: 3,000 pictures from pixels to labels", statistics.median(ours), "s")
            result.add(f"{features}: scikit-image and predict a picture", statistics.median(theirs), "s")
            result.add(f"{features}: times as fast", median_ratio(theirs, ours), "x", bar)


def _picture_by_picture(
    exemplars: Sequence[Image], targets: NDArray[np.float32], pictures: Sequence[Image], several: bool
) -> float:
    """Return the seconds that the usual script takes for the pictures, without its fitting."""
    from sklearn.cluster import KMeans

    known = np.stack([_usual_statistics(np.asarray(image), several) for image in exemplars])
    means = np.stack([known[column > 0].mean(axis=0) for column in targets.T])
    clusters = KMeans(len(means), init=means, n_init=1).fit(known)
    pixels = [np.asarray(image) for image in pictures]
    started = time.perf_counter()
    for picture in pixels:
        clusters.predict(_usual_statistics(picture, several)[None])
    return time.perf_counter() - started


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
