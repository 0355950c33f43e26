"""Targets that are data sets, and what pictures say of themselves."""

from __future__ import annotations

import io
import pickle
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzz.edits import Choices, document, flipped
from fuzz.target import Target, scratch
from wordsight.datasets.boxes import load_voc2007_boxes
from wordsight.datasets.captions import load_captions
from wordsight.datasets.cifar import load_cifar10
from wordsight.datasets.exemplars import load_exemplars
from wordsight.errors import ImageError, WordsightError
from wordsight.images import metadata, read

_SENTENCES = [{"raw": "a dog in snow"}, {"raw": "a red cat"}]
_KARPATHY = {"images": [{"filename": "a.jpg", "split": "test", "sentences": _SENTENCES, "filepath": "val2014"}] * 2}
_CSV = b'image,caption_id,split,caption\na.jpg,0,test,a dog\nb.jpg,1,test,"two, cats"\n'
_LABELS = {"a.jpg": {"dog": 1, "pottedplant": 0}, "b.jpg": {"cat": 1}}
_XML = (
    b"<annotation><size><width>40</width><height>30</height></size><object><name>dog</name><difficult>0</difficult>"
    b"<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>20</xmax><ymax>25</ymax></bndbox></object></annotation>"
)


def _fresh() -> Path:
    root = scratch() / "data"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    return root


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _captions(data: bytes) -> None:
    choices, root = Choices(data), _fresh()
    if choices.byte() % 2:
        _put(root / "dataset_x.json", document(_KARPATHY, choices))
    else:
        _put(root / "captions.csv", flipped(_CSV, choices) if choices.byte() % 2 else choices.rest())
        (root / "images").mkdir()
    for split in (None, "all"):
        task = load_captions(root, split)
        for image in task.images[:2]:
            try:
                image.load(None)
            except ImageError:
                continue


def _voc(data: bytes) -> None:
    choices, root = Choices(data), _fresh()
    kind = choices.byte() % 3
    base = root / "VOC2007"
    labels = b"000001 1\n000002 0\n000003 -1\n"
    _put(base / "ImageSets" / "Main" / "dog_test.txt", flipped(labels, choices) if kind == 0 else labels)
    for name in ("000001", "000002", "000003"):
        _put(base / "Annotations" / f"{name}.xml", flipped(_XML, choices) if kind == 1 else _XML)
    if kind == 2:
        _put(root / "labels.json", document(_LABELS, choices))
        load_exemplars("voc2007", root)
    task = load_voc2007_boxes(root)
    for boxed in task.images:
        for boxes in boxed.boxes.values():
            assert all(box.left < box.right and box.top < box.bottom for box in boxes)


@cache
def _batch() -> bytes:
    content: dict[bytes, Any] = {
        b"data": np.zeros((2, 3072), np.uint8),
        b"labels": [3, 4],
        b"filenames": [b"a.png", b"b.png"],
    }
    return pickle.dumps(content, protocol=2)


def _cifar(data: bytes) -> None:
    choices, root = Choices(data), _fresh()
    folder = root / "cifar-10-batches-py"
    names = pickle.dumps({b"label_names": [b"cat", b"dog", b"deer", b"frog", b"ship"]}, protocol=2)
    kind = choices.byte() % 3
    _put(folder / "batches.meta", flipped(names, choices) if kind == 0 else names)
    batch = {0: _batch(), 1: choices.rest()}.get(kind)
    _put(folder / "test_batch", flipped(_batch(), choices) if batch is None else batch)
    task = load_cifar10(root)
    for image in task.images[:2]:
        image.load(None)


@cache
def _pictures() -> tuple[bytes, ...]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Camera 3"
    exif.get_ifd(0x8769)[0x9003] = "2021:03:04 05:06:07"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (47.0, 30.0, 1.5), "E", (8.0, 15.0, 0.0)
    made = []
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        stream = io.BytesIO()
        Image.new("RGB", (6, 4), (200, 30, 30)).save(stream, kind, exif=exif)
        made.append(stream.getvalue())
    return (*made, exif.tobytes())


def _exif(data: bytes) -> None:
    choices = Choices(data)
    kinds = _pictures()
    kind = choices.byte() % (len(kinds) + 1)
    if kind == len(kinds):
        found = metadata.from_tiff(choices.rest())
    elif kind == len(kinds) - 1:
        found = metadata.from_tiff(flipped(kinds[-1].removeprefix(b"Exif\0\0"), choices))
    else:
        picture = read(flipped(kinds[kind], choices), side=4)
        assert picture.image.mode == "RGB"
        return
    assert found.orientation is None or 1 <= found.orientation <= 8
    assert found.latitude is None or -90 <= found.latitude <= 90
    assert found.longitude is None or -180 <= found.longitude <= 180


def _every(data: bytes) -> None:
    """One byte chooses the data set."""
    readers = (_captions, _voc, _cifar)
    try:
        readers[data[0] % 3 if data else 0](data[1:])
    except WordsightError:
        return


TARGETS = (
    Target(
        "datasets",
        "captions, Karpathy's JSON, VOC2007, labels.json, CIFAR's pickles",
        _every,
        lambda: [
            *(bytes([0, 0, 0]) + _CSV, bytes([0, 0, 1, 4, 0, 9, 65]), bytes([0, 1, 0, 1, 0, 0, 5, 0, 0])),
            *(bytes([1, kind, 4, 0, place, 65]) for kind in range(3) for place in (0, 30, 100)),
            *(bytes([2, kind, 4, 0, place, 65]) for kind in (0, 2) for place in (0, 30, 100)),
            bytes([2, 1]) + _batch()[:600],
        ],
        (
            "wordsight.datasets.captions",
            "wordsight.datasets.karpathy",
            "wordsight.datasets.voc",
            "wordsight.datasets.boxes",
            "wordsight.datasets.exemplars",
            "wordsight.datasets.cifar",
            "wordsight.datasets.array_pickle",
            "wordsight.datasets.layout",
        ),
    ),
    Target(
        "exif",
        "pictures' metadata",
        _exif,
        lambda: [
            *(bytes([kind, 4, 0, place, 9]) for kind in range(5) for place in range(0, 250, 25)),
            bytes([5]) + _pictures()[-1].removeprefix(b"Exif\0\0"),
        ],
        ("wordsight.images.metadata", "wordsight.images.decode", "wordsight.images.colour", "PIL.TiffImagePlugin"),
    ),
)
