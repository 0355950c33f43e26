"""Loaders on small trees made here, and on the development data."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.datasets import LOADERS, RetrievalTask, TaskKind, TaskQuery, load_task
from wordsight.datasets.array_pickle import read_dict
from wordsight.errors import BadInput, DatasetNotFound, ImageError, WordsightError
from wordsight.testing import colour_image


def ids(task: RetrievalTask) -> list[str]:
    return [image.image_id for image in task.images]


# --- CIFAR-10 ---------------------------------------------------------------------------------------------------------


def pixels(*colours: tuple[int, int, int]) -> np.ndarray:
    """Rows as CIFAR stores them: the red plane, the green, the blue."""
    return np.array([np.repeat(colour, 32 * 32) for colour in colours], np.uint8)


def write_batches(folder: Path, content: dict, protocol: int = 4, name: str = "test_batch") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"red", b"big_green"]}, protocol=protocol))
    return folder


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("key", [str, str.encode])
def test_cifar_batches(tmp_path, protocol, key):
    content = {key("data"): pixels((255, 0, 0), (0, 255, 0), (254, 0, 1)), key("labels"): [0, 1, 0]}
    write_batches(tmp_path / "cifar-10-batches-py", content, protocol)
    for root in (tmp_path, tmp_path / "cifar-10-batches-py"):
        task = load_task("cifar10", root)
        assert (task.name, task.kind, task.split) == ("cifar10", TaskKind.SINGLE_LABEL, "test")
        assert task.queries == (TaskQuery("red", ("red",)), TaskQuery("big_green", ("big green",)))
        assert task.qrels.grades == {
            "red": {"test_batch/00000": 1, "test_batch/00002": 1},
            "big_green": {"test_batch/00001": 1},
        }
        pictures = [image.load(None) for image in task.images]
        assert [(p.mode, p.size, p.getpixel((31, 0))) for p in pictures] == [
            ("RGB", (32, 32), colour) for colour in ((255, 0, 0), (0, 255, 0), (254, 0, 1))
        ]


def test_cifar_labels_may_be_numpy_numbers(tmp_path):
    for labels in (np.array([1, 0]), [np.int64(1), np.int32(0)], np.array([1, 0], ">i4")):
        write_batches(tmp_path, {"data": pixels((0, 0, 0), (1, 1, 1)), "labels": labels})
        assert load_task("cifar10", tmp_path).qrels.grades["big_green"] == {"test_batch/00000": 1}


# What Python 2 wrote for the published files: old module names, dtype('u1', 0, 1), byte strings as text.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05"
    b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    b"T\x00\x0c\x00\x00" + bytes(range(256)) * 12 + b"tbU\x06labelsq\x08]q\tK\x03au."
)


def test_cifar_as_published(tmp_path):
    (tmp_path / "test_batch").write_bytes(PYTHON_2)
    task = load_task("cifar10", tmp_path)
    assert [query.query_id for query in task.queries][3] == "cat"
    assert task.qrels.grades["cat"] == {"test_batch/00000": 1}
    assert task.images[0].load(None).getpixel((5, 1)) == (37, 37, 37)


def test_cifar_train_reads_the_batches_there_are(tmp_path):
    for number in (1, 3):
        write_batches(tmp_path, {"data": pixels((0, 0, 0)), "labels": [0]}, name=f"data_batch_{number}")
    assert ids(load_task("cifar10", tmp_path, "train")) == ["data_batch_1/00000", "data_batch_3/00000"]


def test_cifar_folders(tmp_path):
    for name in ("cat/b c.png", "cat/a.jpg", "dog/a.jpg"):
        (tmp_path / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        colour_image("red").save(tmp_path / "test" / name)
    (tmp_path / "test" / "cat" / "notes.txt").write_text("not a picture")
    task = load_task("cifar10", tmp_path)
    assert task.qrels.grades == {"cat": {"cat/a.jpg": 1, "cat/b%20c.png": 1}, "dog": {"dog/a.jpg": 1}}
    assert ids(task) == ["cat/a.jpg", "cat/b%20c.png", "dog/a.jpg"]
    assert task.images[1].load(None).getpixel((0, 0)) == (255, 0, 0)


class Harm:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def hostile(marker: Path) -> list[bytes]:
    command = f"touch '{marker}'"
    calls = [(os.system, (command,)), (eval, (f"open({str(marker)!r}, 'w')",)), (Path.touch, (marker,))]
    payloads = [pickle.dumps({"data": Harm(*call), "labels": []}) for call in calls]
    payloads += [
        b"cnumpy.testing\n_private.utils.runstring\n.",
        b"cnumpy\ncore.multiarray._reconstruct\n.",
        b"c_codecs\ndecode\n(S'x'\nS'zlib'\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy\ndtype\n(N}S'fields'\nI1\nstb.",  # sets an attribute on the class
        b"c_codecs\nencode\n(N}S'__new__'\nI1\nstb.",
        b"cnumpy\nndarray\n(I1\nI99999999999\n\x85cnumpy\ndtype\n(S'u1'\ntRI00\nS'x'\ntb.",
        b"Pid\n.",
        b"garbage",
        b"",
        pickle.dumps([1, 2]),
    ]
    return payloads


@pytest.mark.parametrize("number", range(15))
def test_hostile_pickles_run_nothing(tmp_path, number):
    marker = tmp_path / "marker"
    (tmp_path / "test_batch").write_bytes(hostile(marker)[number])
    with pytest.raises(BadInput, match="test_batch"):
        load_task("cifar10", tmp_path)
    assert not marker.exists()
    assert len(hostile(marker)) == 15


def test_the_error_names_what_a_pickle_asks_for(tmp_path):
    (tmp_path / "test_batch").write_bytes(pickle.dumps(Harm(os.system, ("true",))))
    with pytest.raises(BadInput, match=r"asks for (posix|nt)\.system"):
        read_dict(tmp_path / "test_batch")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [0]}, "should hold data"),
        ({"data": np.zeros((1, 5), np.uint8), "labels": [0]}, r"\(n, 3072\)"),
        ({"data": np.zeros((1, 3072), np.int64), "labels": [0]}, "array of bytes"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "should hold labels"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0, 1]}, "for each of 1 pictures"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [2]}, "from 0 to 1"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0.0]}, "should hold labels"),
    ],
)
def test_damaged_batches(tmp_path, content, message):
    write_batches(tmp_path, content)
    with pytest.raises(BadInput, match=message):
        load_task("cifar10", tmp_path)


# --- VOC2007 ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def voc(tmp_path) -> Path:
    base = tmp_path / "VOCdevkit" / "VOC2007"
    main = base / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (base / "JPEGImages").mkdir()
    for name in ("000001", "000002", "000003"):
        colour_image("blue", size=64).save(base / "JPEGImages" / f"{name}.jpg")
    (main / "test.txt").write_text("000001\n000002\n000003\n")
    (main / "pottedplant_test.txt").write_text("000001  1\n000002 -1\n000003  0\n")
    (main / "train_test.txt").write_text("000001 -1\n000002  1\n000003  1\n")
    (main / "pottedplant_train.txt").write_text("000007  1\n")
    return tmp_path


@pytest.mark.parametrize("tail", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_voc(voc, tail):
    task = load_task("voc2007", voc / tail)
    assert (task.kind, task.split) == (TaskKind.MULTI_LABEL, "test")
    assert task.queries == (TaskQuery("pottedplant", ("potted plant",)), TaskQuery("train", ("train",)))
    assert ids(task) == ["000001", "000002", "000003"]
    assert task.qrels.grades == {"pottedplant": {"000001": 1}, "train": {"000002": 1, "000003": 1}}
    assert task.qrels.ignored == {"pottedplant": frozenset({"000003"}), "train": frozenset()}
    assert task.images[0].load(None).size == (64, 64)


def test_voc_other_splits_and_missing_pictures(voc):
    task = load_task("voc2007", voc, "train")
    assert [query.query_id for query in task.queries] == ["pottedplant"]
    with pytest.raises(ImageError, match="missing"):
        task.images[0].load(None)


def test_voc_damaged_labels(voc):
    (voc / "VOCdevkit/VOC2007/ImageSets/Main/train_test.txt").write_text("000001 -1\n000002 2\n")
    with pytest.raises(
        BadInput, match=r"train_test.txt, line 2: expected a picture and one of 1, 0, -1, got '000002 2'"
    ):
        load_task("voc2007", voc)


# --- Captions ---------------------------------------------------------------------------------------------------------


def write_captions(root: Path, text: str, *images: str) -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    for name in images:
        colour_image("red").save(root / "images" / name)
    (root / "captions.csv").write_text(text, encoding="utf-8")
    return root


HEAD = "image,caption_id,split,caption\n"


def test_captions(tmp_path):
    rows = 'a.jpg,0,train,no\nb c.jpg,0,dev,"Red, red ."\nb c.jpg,1,dev,Also\nd.jpg,0,dev,Other\nd.jpg,1,dev, \n'
    task = load_task("captions", write_captions(tmp_path, HEAD + rows))
    assert (task.kind, task.split) == (TaskKind.CAPTION, "dev")
    assert task.queries == (
        TaskQuery("b%20c.jpg#0", ("Red, red .",)),
        TaskQuery("b%20c.jpg#1", ("Also",)),
        TaskQuery("d.jpg#0", ("Other",)),
    )
    assert ids(task) == ["b%20c.jpg", "d.jpg"]
    assert task.qrels.grades["b%20c.jpg#1"] == {"b%20c.jpg": 1}


def test_captions_prefer_test_and_take_any_split_asked_for(tmp_path):
    root = write_captions(tmp_path, HEAD + "a.jpg,0,train,x\nb.jpg,0,dev,x\nc.jpg,0,test,x\n")
    assert ids(load_task("captions", root)) == ["c.jpg"]
    assert ids(load_task("captions", root, "train")) == ["a.jpg"]
    assert ids(load_task("captions", root, "all")) == ["a.jpg", "b.jpg", "c.jpg"]
    with pytest.raises(BadInput, match=r"no split 'val'; choose one of all, dev, test, train"):
        load_task("captions", root, "val")


def test_captions_without_splits_or_numbers(tmp_path):
    task = load_task("captions", write_captions(tmp_path, "caption,image\nx,a.jpg\ny,b.jpg\nz,a.jpg\n"))
    assert task.split == "all"
    assert [query.query_id for query in task.queries] == ["a.jpg#0", "b.jpg#0", "a.jpg#1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,caption\na.jpg,x\n", "should have the columns image"),
        (HEAD, "no row"),
        (HEAD + "a.jpg,0,train,x\n", "none to test on; choose one of all, train"),
        (HEAD + "a.jpg,0,dev,x\na.jpg,0,dev,y\n", "line 3: caption 'a.jpg#0' was there before"),
        (HEAD + "../secret.jpg,0,dev,x\n", "line 2: '../secret.jpg' is not a file below images/"),
    ],
)
def test_damaged_captions(tmp_path, text, message):
    with pytest.raises(BadInput, match=message):
        load_task("captions", write_captions(tmp_path, text))


# --- All --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "published"),
    [
        ("cifar10", "cifar-10-batches-py/test_batch", "cs.toronto.edu"),
        ("voc2007", "VOCdevkit/VOC2007/ImageSets/Main/aeroplane_test.txt", "host.robots.ox.ac.uk"),
        ("captions", "captions.csv", "cocodataset.org"),
    ],
)
def test_missing_data_sets(tmp_path, name, expected, published):
    with pytest.raises(DatasetNotFound) as caught:
        load_task(name, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere" / expected) in str(caught.value)
    assert published in str(caught.value)


def test_unknown_tasks_and_splits(tmp_path):
    with pytest.raises(BadInput, match="'imagenet'; there are cifar10, voc2007, captions"):
        load_task("imagenet", tmp_path)
    with pytest.raises(WordsightError, match="train and test, not 'dev'"):
        load_task("cifar10", tmp_path, "dev")


def test_unreadable_pictures_say_why(tmp_path):
    root = write_captions(tmp_path, HEAD + "a.jpg,0,dev,x\n")
    (root / "images" / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(ImageError):
        load_task("captions", root).images[0].load(None)


def test_a_sample_is_evenly_spaced_and_keeps_labels_but_not_captions(voc, tmp_path):
    task = load_task("voc2007", voc).sample(1)
    assert (ids(task), len(task.queries)) == (["000001"], 2)
    assert task.qrels.grades == {"pottedplant": {"000001": 1}, "train": {}}
    captions = load_task("captions", write_captions(tmp_path, "image,caption\na,x\nb,y\nc,z\nd,u\n"))
    half = captions.sample(2)
    assert (ids(half), [query.query_id for query in half.queries]) == (["a", "c"], ["a#0", "c#0"])
    assert captions.sample(4) is captions.sample(99) is captions


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder", "split", "images", "queries", "relevant"),
    [
        ("cifar10", "cifar10", "test", 3000, 10, 3000),
        ("voc2007", "voc2007", "test", 1200, 20, None),
        ("captions", "flickr8k", "dev", 1000, 5000, 5000),
    ],
)
def test_development_data(data, name, folder, split, images, queries, relevant):
    task = load_task(name, data / folder)
    assert (task.split, len(task.images), len(task.queries)) == (split, images, queries)
    assert len(set(ids(task))) == images
    assert relevant in (None, sum(len(row) for row in task.qrels.grades.values()))
    picture = task.images[-1].load(224)
    assert isinstance(picture, Image.Image)
    assert picture.mode == "RGB"
    assert set(LOADERS) >= {name}
