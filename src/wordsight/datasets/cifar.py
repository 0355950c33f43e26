"""CIFAR-10: the python batches, or one folder of pictures a class (Krizhevsky 2009, "Learning multiple layers")."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.datasets import array_pickle
from wordsight.datasets.layout import IMAGE_SUFFIXES, file_loader, not_found, safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.protocols import Image
from wordsight.types import Qrels

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PUBLISHED = "https://www.cs.toronto.edu/~kriz/cifar.html (cifar-10-python.tar.gz)"
_BATCHES = "cifar-10-batches-py"
_SIDE = 32


def load_cifar10(root: Path, split: str | None = None) -> RetrievalTask:
    """Read the ``split`` ("test" unless told; or "train") of CIFAR-10.

    ``root`` is or holds ``cifar-10-batches-py``, or holds ``<split>/<class>/*.{jpg,png}``. Raises ``DatasetNotFound``,
    and ``BadInput`` for damaged batches.
    """
    split = split or "test"
    if split not in ("train", "test"):
        raise BadInput(f"CIFAR-10 has the splits train and test, not {split!r}")
    names = ["test_batch"] if split == "test" else [f"data_batch_{number}" for number in range(1, 6)]
    for folder in (root / _BATCHES, root):
        batches = [folder / name for name in names if (folder / name).is_file()]
        if batches:
            return _from_batches(folder, batches, split)
    for folder in (root / split, root / "cifar10" / split):
        if folder.is_dir():
            return _from_folders(folder, split)
    expected = [root / names[0], root / _BATCHES / names[0], root / split / "<class>" / "*.png"]
    raise not_found("CIFAR-10", expected, PUBLISHED)


def _from_batches(folder: Path, batches: list[Path], split: str) -> RetrievalTask:
    labels = _label_names(folder)
    images: list[TaskImage] = []
    relevant: dict[str, dict[str, int]] = {label: {} for label in labels}
    for path in batches:
        pixels, numbers = _read_batch(path, len(labels))
        for row, number in enumerate(numbers):
            image_id = f"{path.name}/{row:05d}"
            images.append(TaskImage(image_id, partial(_picture, pixels[row])))
            relevant[labels[number]][image_id] = 1
    return _task(split, labels, images, relevant)


def _label_names(folder: Path) -> tuple[str, ...]:
    meta = folder / "batches.meta"
    if not meta.is_file():
        return LABELS
    names = array_pickle.read_dict(meta).get("label_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{meta} should hold the list label_names")
    return tuple(names)


def _read_batch(path: Path, classes: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Return pixels (n, 3, 32, 32) and n label numbers."""
    content = array_pickle.read_dict(path)
    data, labels = content.get("data"), content.get("labels")
    length = 3 * _SIDE * _SIDE
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != length:
        raise BadInput(f"{path} should hold data, an array of bytes (n, {length})")
    numbers = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if (
        not isinstance(numbers, list)
        or len(numbers) != len(data)
        or not all(isinstance(number, int) and 0 <= number < classes for number in numbers)
    ):
        raise BadInput(f"{path} should hold labels, a number from 0 to {classes - 1} for each of {len(data)} pictures")
    return data.reshape(-1, 3, _SIDE, _SIDE), numbers


def _picture(planes: NDArray[np.uint8], side: int | None) -> Image:  # noqa: ARG001  # nothing to shrink at 32 pixels
    return PILImage.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))


def _from_folders(folder: Path, split: str) -> RetrievalTask:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    images: list[TaskImage] = []
    relevant: dict[str, dict[str, int]] = {}
    for class_folder in classes:
        files = sorted(path for path in class_folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        ids = [safe_id(f"{class_folder.name}/{path.name}") for path in files]
        images += [TaskImage(image_id, file_loader(path)) for image_id, path in zip(ids, files, strict=True)]
        relevant[class_folder.name] = dict.fromkeys(ids, 1)
    if not images:
        raise not_found("CIFAR-10", [folder / "<class>" / "*.jpg", folder / "<class>" / "*.png"], PUBLISHED)
    return _task(split, tuple(relevant), images, relevant)


def _task(
    split: str, labels: tuple[str, ...], images: list[TaskImage], relevant: dict[str, dict[str, int]]
) -> RetrievalTask:
    return RetrievalTask(
        name="cifar10",
        kind=TaskKind.SINGLE_LABEL,
        split=split,
        queries=tuple(TaskQuery(safe_id(label), (label.replace("_", " "),)) for label in labels),
        images=tuple(images),
        qrels=Qrels({safe_id(label): relevant[label] for label in labels}, {}),
    )
