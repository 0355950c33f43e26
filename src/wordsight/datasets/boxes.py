"""Where things are: data sets with boxes, for measuring maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from xml.etree import ElementTree

from wordsight.datasets.task import TaskImage, TaskQuery
from wordsight.datasets.voc import load_voc2007, voc_folder
from wordsight.errors import BadInput
from wordsight.protocols import Image
from wordsight.types import Box


class BoxedImage(NamedTuple):
    """A picture of ``size`` (width, height) in pixels, and query id -> boxes of what the query asks for.

    ``things``: how many are annotated in it, those that ``boxes`` leaves out as well.
    """

    image: TaskImage
    size: tuple[int, int]
    boxes: Mapping[str, tuple[Box, ...]]
    things: int


@dataclass(frozen=True, slots=True)
class LocalizationTask:
    """Texts, and pictures with boxes of what the texts name. ``skipped``: id -> why a picture is not among them."""

    name: str
    split: str
    queries: tuple[TaskQuery, ...]
    images: tuple[BoxedImage, ...]
    skipped: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    def sample(self, limit: int) -> LocalizationTask:
        """Return the task on ``limit`` pictures, evenly spaced."""
        total = len(self.images)
        places = range(total) if limit >= total else [place * total // limit for place in range(limit)]
        return replace(self, images=tuple(self.images[place] for place in places))

    def altered(self, change: Callable[[Image], Image]) -> LocalizationTask:
        """Return the task whose pictures go through ``change``, which moves nothing, after they are decoded."""
        return replace(self, images=tuple(each._replace(image=each.image.altered(change)) for each in self.images))


def load_boxes(name: str, root: Path, split: str | None = None) -> LocalizationTask:
    """Read the boxes of the data set ``name`` below ``root``; ``split`` None is its test part.

    Raises ``BadInput`` for an unknown name or when nothing can be read, ``DatasetNotFound`` where the data are not.
    """
    loader = BOX_LOADERS.get(name)
    if loader is None:
        raise BadInput(f"no task with boxes is called {name!r}; there are {', '.join(BOX_LOADERS)}")
    return loader(Path(root).expanduser(), split)


def load_voc2007_boxes(root: Path, split: str | None = None) -> LocalizationTask:
    """Read the boxes of VOC2007; ``root`` and ``split`` as in ``load_voc2007``.

    Difficult boxes are no targets: a picture whose boxes of a class are all difficult is not asked for it, and pointing
    at a difficult one counts as a miss.
    """
    split = split or "test"
    task = load_voc2007(root, split)
    annotations = voc_folder(root, split) / "Annotations"
    images: list[BoxedImage] = []
    skipped: dict[str, str] = {}
    for image in task.images:
        try:
            images.append(_read_annotation(annotations / f"{image.image_id}.xml", image))
        except (OSError, ElementTree.ParseError, ValueError) as error:
            skipped[image.image_id] = f"its annotation cannot be read: {error}"
    if not images:
        first = next(iter(skipped.items()))
        raise BadInput(f"no annotation in {annotations} can be read; the first: {': '.join(first)}")
    remark = "difficult boxes are no targets; a picture where a class has no other is not asked for it"
    return LocalizationTask(task.name, split, task.queries, tuple(images), skipped, (remark,))


def _read_annotation(file: Path, image: TaskImage) -> BoxedImage:
    root = ElementTree.fromstring(file.read_bytes())  # noqa: S314  # expat bounds how far entities may expand
    boxes: dict[str, list[Box]] = {}
    things = root.findall("object")
    for thing in things:
        if thing.findtext("difficult", "0").strip() != "1":
            boxes.setdefault(thing.findtext("name", "").strip(), []).append(_read_box(thing))
    size = (_number(root, "size/width"), _number(root, "size/height"))
    if min(size) < 1:
        raise ValueError(f"the picture's size is {size[0]} x {size[1]}")
    return BoxedImage(image, size, {name: tuple(found) for name, found in boxes.items()}, len(things))


def _read_box(thing: ElementTree.Element) -> Box:
    """Return the box; in the file, the first pixel is 1 and the last one belongs to it."""
    left, top, right, bottom = (_number(thing, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
    if right < left or bottom < top:
        raise ValueError(f"the box {left}, {top}, {right}, {bottom} is turned inside out")
    return Box(left - 1, top - 1, right, bottom)


def _number(element: ElementTree.Element, path: str) -> int:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"it has no {path}")
    return round(float(text))


BOX_LOADERS: Mapping[str, Callable[[Path, str | None], LocalizationTask]] = MappingProxyType(
    {"voc2007": load_voc2007_boxes}
)
