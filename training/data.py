"""Readers of the development data. Every reader gives plain arrays; what each set may be used for stands beside it."""

from __future__ import annotations

import csv
import io
import pickle
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (n, h, w, 3) or (h, w, 3), RGB
VOC_CLASSES = {
    "aeroplane": "aeroplane", "bicycle": "bicycle", "bird": "bird", "boat": "boat", "bottle": "bottle", "bus": "bus",
    "car": "car", "cat": "cat", "chair": "chair", "cow": "cow", "diningtable": "dining table", "dog": "dog",
    "horse": "horse", "motorbike": "motorbike", "person": "person", "pottedplant": "potted plant", "sheep": "sheep",
    "sofa": "sofa", "train": "train", "tvmonitor": "tv monitor",
}  # fmt: skip
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def open_rgb(source: Path | io.BytesIO) -> Image.Image:
    with Image.open(source) as image:
        return image.convert("RGB")


def resize(pixels: Pixels, width: int, height: int, method: int = Image.Resampling.BICUBIC) -> Pixels:
    """Antialiased, as the shipped encoder does it."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


@dataclass(frozen=True)
class Captions:
    """One split of Flickr8k: photos and, for each, five captions. `train` teaches, `dev` only measures."""

    names: list[str]
    texts: list[list[str]]


def read_captions(data: Path, split: str) -> Captions:
    grouped: dict[str, list[str]] = {}
    with (data / "flickr8k/captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                grouped.setdefault(row["image"], []).append(row["caption"])
    return Captions(list(grouped), list(grouped.values()))


def read_flickr(data: Path, names: Sequence[str]) -> Pixels:
    return np.stack([np.asarray(open_rgb(data / "flickr8k/images" / name)) for name in names])


def read_tiny(data: Path) -> tuple[Pixels, list[str]]:
    """Tiny-ImageNet train pictures (64 px) and the wnid of each. For training."""
    with zipfile.ZipFile(data / "tiny_imagenet/train_subset.zip") as archive:
        members = sorted(name for name in archive.namelist() if name.endswith(".JPEG"))
        pixels = np.stack([np.asarray(open_rgb(io.BytesIO(archive.read(name)))) for name in members])
    return pixels, [name.split("/")[0] for name in members]


def read_samples(data: Path) -> tuple[list[Pixels], list[str]]:
    """One photo for each ImageNet class, in class order (sorted by wnid). For distillation."""
    paths = sorted((data / "imagenet_samples").glob("n*.jpg"))
    return [np.asarray(open_rgb(path)) for path in paths], [path.name[:9] for path in paths]


class _ArraysOnly(pickle.Unpickler):
    """The CIFAR batches hold dictionaries, bytes and NumPy arrays: nothing else may be built from them."""

    allowed = frozenset({"ndarray", "dtype", "_reconstruct", "_frombuffer", "encode"})

    def find_class(self, module: str, name: str) -> Any:
        if name in self.allowed and (module.startswith("numpy") or module == "_codecs"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a CIFAR batch")


def read_cifar(data: Path) -> tuple[Pixels, NDArray[np.int64]]:
    """The development part's `test_batch`: 3,000 pictures (32 px). Only measures."""
    with (data / "cifar10/cifar-10-batches-py/test_batch").open("rb") as file:
        batch = _ArraysOnly(file, encoding="bytes").load()
    pixels = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), np.asarray(batch[b"labels"], np.int64)


@dataclass(frozen=True)
class VocPicture:
    """`labels`: class -> 1 present, -1 absent, 0 difficult only. `boxes`: class -> [(x0, y0, x1, y1)] not difficult."""

    name: str
    path: Path
    labels: dict[str, int]
    boxes: dict[str, list[tuple[float, float, float, float]]]


def read_voc(data: Path) -> list[VocPicture]:
    """The VOC2007 development pictures. Only measures."""
    root = data / "voc2007/VOCdevkit/VOC2007"
    labels: dict[str, dict[str, int]] = {}
    for name in VOC_CLASSES:
        for line in (root / f"ImageSets/Main/{name}_test.txt").read_text().splitlines():
            picture, value = line.split()
            labels.setdefault(picture, {})[name] = int(value)
    return [VocPicture(p, root / f"JPEGImages/{p}.jpg", found, _boxes(root, p)) for p, found in sorted(labels.items())]


def _boxes(root: Path, picture: str) -> dict[str, list[tuple[float, float, float, float]]]:
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for thing in ElementTree.parse(root / f"Annotations/{picture}.xml").iter("object"):
        if thing.findtext("difficult", "0") == "0":
            corners = [float(thing.findtext(f"bndbox/{side}", "nan")) for side in ("xmin", "ymin", "xmax", "ymax")]
            boxes.setdefault(thing.findtext("name", ""), []).append(tuple(corners))  # type: ignore[arg-type]
    return boxes


@dataclass(frozen=True)
class Node:
    """A noun synset: its words, most usual first, and the synsets it is a kind of."""

    lemmas: list[str]
    parents: list[str]


def read_wordnet(folder: Path) -> dict[str, Node]:
    """WordNet nouns by ImageNet id ("n" + offset). Format: wndb(5WN); Debian package `wordnet-base`."""
    nodes = {}
    for line in _data_lines(folder / "data.noun"):
        words = line.split("|")[0].split()
        count = int(words[3], 16)
        lemmas = [words[4 + 2 * i].replace("_", " ") for i in range(count)]
        pointers = words[5 + 2 * count :]
        parents = [
            "n" + pointers[i + 1] for i in range(0, 4 * int(words[4 + 2 * count]), 4) if pointers[i] in ("@", "@i")
        ]
        nodes["n" + words[0]] = Node(lemmas, parents)
    return nodes


def _data_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line for line in file if not line.startswith("  "))
