"""CIFAR-10 and CIFAR-100: python batches, or class folders (Krizhevsky 2009, "Learning multiple layers")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.datasets import array_pickle
from wordsight.datasets.folders import label_query, labelled_pictures
from wordsight.datasets.layout import class_folders, not_found
from wordsight.datasets.task import RetrievalTask, TaskImage, single_label_task
from wordsight.errors import BadInput
from wordsight.protocols import Image

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PUBLISHED = "https://www.cs.toronto.edu/~kriz/cifar.html"
_SIDE = 32


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where one of the sets keeps what: its folder, the files of a split, and the keys of its pickles."""

    name: str
    title: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: str
    meta: str
    names: str


_CIFAR10 = _Layout(
    name="cifar10",
    title="CIFAR-10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test=("test_batch",),
    labels="labels",
    meta="batches.meta",
    names="label_names",
)
_CIFAR100 = _Layout(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    train=("train",),
    test=("test",),
    labels="fine_labels",
    meta="meta",
    names="fine_label_names",
)
_COARSE = _Layout(
    name="cifar100-coarse",
    title="CIFAR-100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    train=("train",),
    test=("test",),
    labels="coarse_labels",
    meta="meta",
    names="coarse_label_names",
)


def load_cifar10(root: Path, split: str | None = None) -> RetrievalTask:
    """Read the ``split`` ("test" unless told; or "train") of CIFAR-10.

    ``root`` is or holds ``cifar-10-batches-py``, or holds ``<split>/<class>/*.{jpg,png}``. Raises ``DatasetNotFound``,
    and ``BadInput`` for damaged batches.
    """
    return _load(_CIFAR10, root, split)


def load_cifar100(root: Path, split: str | None = None) -> RetrievalTask:
    """Read the ``split`` ("test" unless told; or "train") of CIFAR-100 with its 100 fine labels.

    ``root`` is or holds ``cifar-100-python``, or holds ``<split>/<class>/*.{jpg,png}``. Raises ``DatasetNotFound``,
    and ``BadInput`` for damaged files.
    """
    return _load(_CIFAR100, root, split)


def load_cifar100_coarse(root: Path, split: str | None = None) -> RetrievalTask:
    """Read CIFAR-100 as ``load_cifar100`` does, with its 20 coarse labels ("large carnivores")."""
    return _load(_COARSE, root, split)


def _load(layout: _Layout, root: Path, split: str | None) -> RetrievalTask:
    split = split or "test"
    if split not in ("train", "test"):
        raise BadInput(f"{layout.title} has the splits train and test, not {split!r}")
    names = layout.test if split == "test" else layout.train
    for folder in (root / layout.folder, root):
        batches = [folder / name for name in names if (folder / name).is_file()]
        if batches:
            return _from_batches(layout, folder, batches, split)
    for folder in (root / split, root / layout.name / split):
        if folder.is_dir():
            return _from_folders(layout, folder, split)
    expected = [root / names[0], root / layout.folder / names[0], root / split / "<class>" / "*.png"]
    raise not_found(layout.title, expected, f"{PUBLISHED} ({layout.archive})", fetched=True)


def _from_batches(layout: _Layout, folder: Path, batches: Sequence[Path], split: str) -> RetrievalTask:
    labels = _label_names(layout, folder)
    queries = [label_query(label) for label in labels]
    labelled: list[tuple[str, TaskImage]] = []
    for path in batches:
        pixels, numbers = _read_batch(path, layout.labels, len(labels))
        for row, number in enumerate(numbers):
            image = TaskImage(f"{path.name}/{row:05d}", partial(_picture, pixels[row]))
            labelled.append((queries[number].query_id, image))
    return single_label_task(layout.name, split, queries, labelled)


def _label_names(layout: _Layout, folder: Path) -> tuple[str, ...]:
    meta = folder / layout.meta
    if not meta.is_file() and layout is _CIFAR10:
        return LABELS
    names = array_pickle.read_dict(meta).get(layout.names)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{meta} should hold the list {layout.names}")
    return tuple(names)


def _read_batch(path: Path, key: str, classes: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Return pixels (n, 3, 32, 32) and n label numbers."""
    content = array_pickle.read_dict(path)
    data, labels = content.get("data"), content.get(key)
    length = 3 * _SIDE * _SIDE
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != length:
        raise BadInput(f"{path} should hold data, an array of bytes (n, {length})")
    numbers = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if (
        not isinstance(numbers, list)
        or len(numbers) != len(data)
        or not all(isinstance(number, int) and 0 <= number < classes for number in numbers)
    ):
        raise BadInput(f"{path} should hold {key}, a number from 0 to {classes - 1} for each of {len(data)} pictures")
    return data.reshape(-1, 3, _SIDE, _SIDE), numbers


def _picture(planes: NDArray[np.uint8], side: int | None) -> Image:  # noqa: ARG001  # nothing to shrink at 32 pixels
    return PILImage.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))


def _from_folders(layout: _Layout, folder: Path, split: str) -> RetrievalTask:
    queries, labelled = labelled_pictures(folder, class_folders(folder))
    if not labelled:
        expected = [folder / "<class>" / "*.jpg", folder / "<class>" / "*.png"]
        raise not_found(layout.title, expected, f"{PUBLISHED} ({layout.archive})", fetched=True)
    return single_label_task(layout.name, split, queries, labelled)
