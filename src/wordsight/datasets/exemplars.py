"""Exemplars: pictures with labels, for fitting the classical engine; and the wall between them and a gallery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.datasets.cifar import load_cifar10, load_cifar100, load_cifar100_coarse
from wordsight.datasets.folders import load_caltech101, load_folder, split_folders
from wordsight.datasets.layout import file_loader, read_lines, safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage
from wordsight.datasets.voc import WORDINGS, load_voc2007
from wordsight.errors import BadInput, ImageError
from wordsight.protocols import Image

_FOR_FITTING = ("trainval", "train", "training")
_READ_SIDE = 160  # decoders give at least twice that on the shorter side
_KEPT_SIDE = 480


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One picture: an id without blanks, how to read it, its labels, and those that should count neither way."""

    image_id: str
    load: Callable[[int | None], Image]
    labels: tuple[str, ...]
    difficult: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exemplars:
    """Pictures with labels. ``labels`` in the order in which an encoder will know them."""

    name: str
    labels: tuple[str, ...]
    items: tuple[Exemplar, ...]

    def sample(self, each: int | None, *, seed: int = 0) -> tuple[Exemplars, Exemplars]:
        """Return ``each`` pictures of every label (all of one with fewer; ``None``: all), and the rest.

        A picture with several labels counts for each of them. Pictures are drawn by ``seed``.
        """
        if each is not None and each < 1:
            raise BadInput(f"the number of exemplars of a label must be at least 1, got {each}")
        order = np.random.default_rng(seed).permutation(len(self.items))
        counts = dict.fromkeys(self.labels, 0)
        kept: set[int] = set()
        for place in order.tolist():
            own = self.items[place].labels
            if own and (each is None or any(counts[label] < each for label in own)):
                kept.add(place)
                for label in own:
                    counts[label] += 1
        inside = tuple(item for place, item in enumerate(self.items) if place in kept)
        outside = tuple(item for place, item in enumerate(self.items) if place not in kept)
        return Exemplars(self.name, self.labels, inside), Exemplars(self.name, self.labels, outside)

    def targets(self, items: Sequence[Exemplar] | None = None) -> NDArray[np.float32]:
        """Return (n, labels): 1 where a picture has the label, -1 where that is difficult to say, else 0."""
        items = self.items if items is None else items
        rows = np.zeros((len(items), len(self.labels)), np.float32)
        places = {label: place for place, label in enumerate(self.labels)}
        for row, item in zip(rows, items, strict=True):
            row[[places[label] for label in item.difficult if label in places]] = -1
            row[[places[label] for label in item.labels]] = 1
        return rows


@dataclass(frozen=True, slots=True)
class Pictures:
    """Exemplars that were read: those that could be, their pictures and content keys; ``skipped`` id -> reason."""

    items: tuple[Exemplar, ...]
    images: tuple[Image, ...]
    keys: tuple[bytes, ...]
    skipped: Mapping[str, str]


Reader: TypeAlias = Callable[[Path], Exemplars]


def load_exemplars(task: str, root: Path) -> Exemplars:
    """Read the exemplars of ``task`` below ``root``: the training part of a known data set, or class folders.

    Raises ``BadInput`` for an unknown task or a damaged file, ``DatasetNotFound`` where the data are not.
    """
    reader = READERS.get(task)
    if reader is None:
        raise BadInput(f"no task with exemplars is called {task!r}; there are {', '.join(READERS)}")
    return reader(Path(root).expanduser())


def read_pictures(items: Iterable[Exemplar]) -> Pictures:
    """Decode exemplars; those that cannot be read are skipped. Raises ``BadInput`` when none is left."""
    read: list[tuple[Exemplar, Image, bytes]] = []
    skipped: dict[str, str] = {}
    for item in items:
        try:
            image = item.load(_READ_SIDE)
        except ImageError as error:
            skipped[item.image_id] = error.reason
            continue
        key = content_key(image)
        if max(image.size) > _KEPT_SIDE:
            image = image.copy()
            image.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
        read.append((item, image, key))
    if not read:
        first = next(iter(skipped.items()), ("there is none", ""))
        raise BadInput(f"no exemplar could be read; the first: {': '.join(first)}")
    images, pictures, keys = zip(*read, strict=True)
    return Pictures(images, pictures, keys, skipped)


def content_key(image: Image) -> bytes:
    """Return 16 bytes that two pictures share when size and pixels are the same."""
    digest = hashlib.blake2b(repr((image.mode, image.size)).encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.digest()


def survey(images: Sequence[TaskImage], *, threads: int = 2) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the content key of each picture that can be read, and id -> reason of the others."""

    def key_or_reason(image: TaskImage) -> bytes | str:
        try:
            return content_key(image.load(_READ_SIDE))
        except ImageError as error:
            return error.reason

    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = list(zip(images, pool.map(key_or_reason, images), strict=True))
    keys = {image.image_id: answer for image, answer in found if isinstance(answer, bytes)}
    return keys, {image.image_id: answer for image, answer in found if isinstance(answer, str)}


def refuse_shared(keys: Collection[bytes], gallery: RetrievalTask) -> None:
    """Raise ``BadInput`` when a picture of the gallery is among the exemplars, whose content keys are given.

    Figures on such a gallery would tell how well an engine remembers, not how well it finds. Every picture of the
    gallery is decoded; one that cannot be read shares nothing.
    """
    refuse_known(keys, survey(gallery.images)[0], f"{gallery.name} ({gallery.split})")


def refuse_known(keys: Collection[bytes], gallery: Mapping[str, bytes], name: str) -> None:
    """Do as ``refuse_shared`` for a gallery whose content keys are known: picture -> key; ``name`` is for the error."""
    known = frozenset(keys)
    shared = [image_id for image_id, key in gallery.items() if key in known]
    if shared:
        named = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
        raise BadInput(
            f"{len(shared)} of the {len(gallery)} pictures of the gallery {name} are exemplars too ({named}): "
            "results on them would mean nothing; fit on other pictures"
        )


def from_task(task: RetrievalTask) -> Exemplars:
    """Return the pictures of a task as exemplars of the labels that are its queries."""
    names = {query.query_id: query.texts[0] for query in task.queries}
    having: dict[str, list[str]] = {image.image_id: [] for image in task.images}
    for query_id, grades in task.qrels.grades.items():
        for image_id, grade in grades.items():
            if grade > 0:
                having[image_id].append(names[query_id])
    difficult: dict[str, list[str]] = {}
    for query_id, ids in task.qrels.ignored.items():
        for image_id in ids:
            difficult.setdefault(image_id, []).append(names[query_id])
    items = [
        Exemplar(image.image_id, image.load, tuple(having[image.image_id]), tuple(difficult.get(image.image_id, ())))
        for image in task.images
    ]
    return _known_labels(task.name, tuple(dict.fromkeys(names.values())), items)


def _cifar10(root: Path) -> Exemplars:
    return from_task(load_cifar10(root, "train"))


def _cifar100(root: Path) -> Exemplars:
    return from_task(load_cifar100(root, "train"))


def _cifar100_coarse(root: Path) -> Exemplars:
    return from_task(load_cifar100_coarse(root, "train"))


def _voc2007(root: Path) -> Exemplars:
    """Read the split trainval of the original layout, or a folder of pictures with ``labels.json``."""
    return _labelled_json(root) if (root / "labels.json").is_file() else from_task(load_voc2007(root, "trainval"))


def _caltech101(root: Path) -> Exemplars:
    return from_task(load_caltech101(root, "train"))


def _folder(root: Path) -> Exemplars:
    """Read ``<label>/**``, or the part made for training where ``root`` has parts."""
    return from_task(load_folder(root, next((name for name in _FOR_FITTING if name in split_folders(root)), None)))


def _labelled_json(root: Path) -> Exemplars:
    """Read ``labels.json``: picture -> label -> 1 (there) or 0 (difficult), the pictures in ``images``."""
    file = root / "labels.json"
    try:
        content: Any = json.loads("\n".join(read_lines(file)))
        items = [
            Exemplar(
                safe_id(name),
                file_loader(_inside(root / "images", name)),
                tuple(WORDINGS.get(label, label) for label, value in row.items() if value == 1),
                tuple(WORDINGS.get(label, label) for label, value in row.items() if value == 0),
            )
            for name, row in sorted(content.items())
        ]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise BadInput(f"{file} should hold picture -> label -> 1 or 0: {error}") from error
    return _known_labels("voc2007", tuple(sorted({label for item in items for label in item.labels})), items)


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a picture in {folder.name}")
    return folder / name


def _known_labels(name: str, labels: tuple[str, ...], items: Sequence[Exemplar]) -> Exemplars:
    """Keep the labels that some picture has."""
    there = {label for item in items for label in item.labels}
    return Exemplars(name, tuple(label for label in labels if label in there), tuple(items))


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "cifar10": _cifar10,
        "cifar100": _cifar100,
        "cifar100-coarse": _cifar100_coarse,
        "voc2007": _voc2007,
        "caltech101": _caltech101,
        "folder": _folder,
    }
)
