"""What an engine costs: measured in the same run as its quality, each engine alone in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.comparison.counting import Count, count_tower
from wordsight.datasets.task import TaskImage
from wordsight.encoders import cluster_file
from wordsight.encoders.folder import ModelFolder
from wordsight.errors import BadInput, ImageError, ModelError
from wordsight.features.codebook_lists import arrays_of
from wordsight.registry import MODELS

PICTURES = 48
_BYTES_A_NUMBER = 2  # indexes hold half precision
_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Cost:
    """What one engine costs, on one core; ``None``: this machine or this engine does not tell.

    Seconds ``a_picture`` are from decoded pixels to the vector, ``a_query`` from a text to the order of 10,000
    pictures. ``fit_seconds``: learning from the exemplars, on all cores; ``None`` where nothing is learned here.
    Bytes: ``peak_memory`` of a process that encodes and answers, ``fit_memory`` of the one that fitted, ``model_bytes``
    on disk, ``index_bytes`` of a picture. ``multiply_adds`` for one picture, ``text_multiply_adds`` for one query.
    ``runtime``: what ran the image tower, of several that may.
    """

    fit_seconds: float | None
    load_seconds: float
    seconds_a_picture: float
    cpu_seconds_a_picture: float
    seconds_a_query: float
    peak_memory: int | None
    fit_memory: int | None
    model_bytes: int | None
    index_bytes: int
    parameters: int | None
    multiply_adds: int | None
    text_multiply_adds: int | None
    joules_a_picture: float | None
    runtime: str | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How long the classical engine took to learn, and the most memory that its process had held by then."""

    seconds: float
    peak_memory: int | None


def measure_cost(
    encoder: str, dim: int, images: Sequence[TaskImage], texts: Sequence[str], fit: Fit | None = None
) -> Cost:
    """Measure the engine called ``encoder``, as ``load_encoder`` reads it, on some of the pictures.

    Raises ``BadInput`` when its process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write_pictures(images, Path(folder))
        found = _probe(Path(folder), encoder, texts)
    size = _size(encoder)
    return Cost(
        fit_seconds=None if fit is None else fit.seconds,
        load_seconds=found["load_seconds"],
        seconds_a_picture=found["seconds_a_picture"],
        cpu_seconds_a_picture=found["cpu_seconds_a_picture"],
        seconds_a_query=found["seconds_a_query"],
        peak_memory=found["peak_memory"],
        fit_memory=None if fit is None else fit.peak_memory,
        model_bytes=size.model_bytes,
        index_bytes=dim * _BYTES_A_NUMBER,
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        text_multiply_adds=size.text_multiply_adds,
        joules_a_picture=found["joules_a_picture"],
        runtime=found["runtime"],
    )


@dataclass(frozen=True, slots=True)
class _Size:
    model_bytes: int | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    text_multiply_adds: int | None = None


def _write_pictures(images: Sequence[TaskImage], folder: Path) -> None:
    step = max(1, len(images) // PICTURES)
    for number, image in enumerate(images[::step][:PICTURES]):
        with suppress(ImageError):
            np.save(folder / f"{number:04d}.npy", np.asarray(image.load(224)))


def _probe(folder: Path, encoder: str, texts: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "wordsight.comparison.probe", str(folder), encoder, *texts]
    done = subprocess.run(  # noqa: S603  # our own module, under the interpreter that runs this
        command, capture_output=True, text=True, timeout=_LONGEST, env={**os.environ, **_ONE_CORE}, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise BadInput(f"the cost of {encoder} could not be measured, its process failed: {said[0]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _size(encoder: str) -> _Size:
    """Return what the files of an engine tell; nothing for a plug-in, whose files are its own business."""
    path = MODELS / encoder if (MODELS / encoder / "model.json").is_file() else Path(encoder)
    if path.suffix == cluster_file.SUFFIX and path.is_file():
        model = cluster_file.read(path)
        learned = [model.projection.mean, model.projection.matrix, model.prototypes.centroids]
        words = [array for feature in model.features for array in arrays_of(feature).values()]
        return _Size(path.stat().st_size, sum(array.size for array in (*learned, *words)))
    try:
        folder = ModelFolder.open(path)
    except ModelError:
        return _Size()
    files = sum(folder.location(name).stat().st_size for name in folder.describe["files"])
    towers = [_tower(folder, part) for part in ("image", "text")]
    if any(tower is None for tower in towers):
        return _Size(files)
    image, text = (tower for tower in towers if tower is not None)
    return _Size(files, image.parameters + text.parameters, image.multiply_adds, text.multiply_adds)


def _tower(folder: ModelFolder, part: str) -> Count | None:
    try:
        graph = folder.file(folder.describe[part]["file"])
        return count_tower(graph, folder.preprocess.size, folder.shared_weights(part))
    except Exception:  # the runtime raises whatever it likes; a count that is not known is no reason to stop
        return None
