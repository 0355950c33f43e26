"""Loaders on small trees made here, and on the development data."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.datasets import LOADERS, RetrievalTask, TaskKind, TaskQuery, load_task
from wordsight.datasets.array_pickle import read_dict
from wordsight.datasets.download import ARCHIVES
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


# --- CIFAR-100 --------------------------------------------------------------------------------------------------------


def write_cifar100(folder: Path) -> Path:
    folder.mkdir(parents=True)
    meta = {
        b"fine_label_names": [b"apple", b"aquarium_fish"],
        b"coarse_label_names": [b"fish", b"fruit_and_vegetables"],
    }
    content = {
        b"data": pixels((255, 0, 0), (0, 0, 255), (250, 0, 0)),
        b"fine_labels": [0, 1, 0],
        b"coarse_labels": [1, 0, 1],
    }
    (folder / "meta").write_bytes(pickle.dumps(meta))
    for name in ("train", "test"):
        (folder / name).write_bytes(pickle.dumps(content))
    return folder


def test_cifar100_has_fine_labels_and_coarse_ones(tmp_path):
    folder = write_cifar100(tmp_path / "cifar-100-python")
    for root in (tmp_path, folder):
        task = load_task("cifar100", root)
        assert (task.name, task.split, ids(task)) == ("cifar100", "test", ["test/00000", "test/00001", "test/00002"])
        assert task.queries == (TaskQuery("apple", ("apple",)), TaskQuery("aquarium_fish", ("aquarium fish",)))
        assert task.qrels.grades["apple"] == {"test/00000": 1, "test/00002": 1}
        assert task.images[1].load(None).getpixel((9, 9)) == (0, 0, 255)
    coarse = load_task("cifar100-coarse", tmp_path, "train")
    assert coarse.queries[1] == TaskQuery("fruit_and_vegetables", ("fruit and vegetables",))
    assert coarse.qrels.grades["fish"] == {"train/00001": 1}


def test_cifar100_says_what_is_missing_in_its_files(tmp_path):
    folder = write_cifar100(tmp_path / "cifar-100-python")
    (folder / "test").write_bytes(pickle.dumps({"data": pixels((0, 0, 0)), "labels": [0]}))
    with pytest.raises(BadInput, match="test should hold fine_labels"):
        load_task("cifar100", tmp_path)
    (folder / "meta").unlink()
    with pytest.raises(BadInput, match="meta is not a pickle"):
        load_task("cifar100", tmp_path)


# --- Class folders ----------------------------------------------------------------------------------------------------


def save(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        colour_image("red").save(root / name)
    return root


def test_class_folders(tmp_path):
    save(tmp_path, "polar_bear/b.png", "polar_bear/2020/a.webp", "sea lion/c.JPG", "empty/../d.png", ".cache/x/e.png")
    (tmp_path / "sea lion" / "notes.txt").write_text("not a picture")
    (tmp_path / "empty").mkdir(exist_ok=True)
    task = load_task("folder", tmp_path)
    assert (task.name, task.kind, task.split) == ("folder", TaskKind.SINGLE_LABEL, "all")
    assert task.queries == (TaskQuery("polar_bear", ("polar bear",)), TaskQuery("sea%20lion", ("sea lion",)))
    assert task.qrels.grades == {
        "polar_bear": {"polar_bear/2020/a.webp": 1, "polar_bear/b.png": 1},
        "sea%20lion": {"sea%20lion/c.JPG": 1},
    }
    assert task.images[0].load(None).getpixel((0, 0))[0] > 250
    with pytest.raises(BadInput, match="no folder for each split, so there is no 'test'"):
        load_task("folder", tmp_path, "test")


def test_class_folders_below_folders_for_each_split(tmp_path):
    save(tmp_path, "train/cat/a.png", "val/cat/b.png", "val/dog/c.png")
    assert ids(load_task("folder", tmp_path)) == ["cat/b.png", "dog/c.png"]
    assert ids(load_task("folder", tmp_path, "train")) == ["cat/a.png"]
    with pytest.raises(BadInput, match="no split 'test'; choose one of train, val"):
        load_task("folder", tmp_path, "test")


def test_no_class_folders(tmp_path):
    with pytest.raises(BadInput, match="expected a folder for each label with pictures in it"):
        load_task("folder", tmp_path)
    with pytest.raises(BadInput, match="there is none at"):
        load_task("folder", tmp_path / "nowhere")


def test_caltech_names_its_labels_and_leaves_out_its_background(tmp_path):
    base = tmp_path / "caltech-101" / "101_ObjectCategories"
    save(base, "BACKGROUND_Google/image_0001.jpg", "Faces_easy/image_0001.jpg", "wild_cat/image_0001.jpg")
    for root in (tmp_path, base.parent, base):
        task = load_task("caltech101", root, "all")
        assert [query.texts for query in task.queries] == [("centered face",), ("wild cat",)]
        assert "BACKGROUND_Google is left out" in task.remarks
    with pytest.raises(BadInput, match="train, test and all, not 'val'"):
        load_task("caltech101", tmp_path, "val")


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


def karpathy(*images: dict) -> str:
    return json.dumps({"images": list(images), "dataset": "flickr8k"})


def described(name: str, split: str, *captions: str, **more: str) -> dict:
    sentences = [{"raw": caption, "tokens": caption.split(), "sentid": 7} for caption in captions]
    return {"filename": name, "split": split, "sentences": sentences, **more}


def test_karpathy_json_takes_five_captions_of_each_picture(tmp_path):
    save(tmp_path / "Flicker8k_Dataset", "a.jpg", "b.jpg")
    many = [f"Caption {number} ." for number in range(7)]
    content = karpathy(
        described("a.jpg", "test", *many), described("b.jpg", "test", "One .", ""), described("c", "train")
    )
    (tmp_path / "dataset_flickr8k.json").write_text(content)
    task = load_task("flickr8k", tmp_path)
    assert (task.name, task.kind, task.split, ids(task)) == ("flickr8k", TaskKind.CAPTION, "test", ["a.jpg", "b.jpg"])
    assert [query.query_id for query in task.queries] == [*(f"a.jpg#{number}" for number in range(5)), "b.jpg#0"]
    assert task.queries[4].texts == ("Caption 4 .",)
    assert task.remarks == ("the first 5 captions of each picture",)
    assert task.images[1].load(None).size == colour_image("red").size
    assert load_task("captions", tmp_path).queries == task.queries


def test_karpathy_json_of_coco_names_the_folders(tmp_path):
    save(tmp_path, "val2014/a.jpg", "images/b.jpg")
    content = karpathy(
        described("a.jpg", "test", "A .", filepath="val2014"), described("b.jpg", "test", "B .", filepath="val2014")
    )
    (tmp_path / "dataset_coco.json").write_text(content)
    task = load_task("coco", tmp_path)
    assert ids(task) == ["val2014/a.jpg", "val2014/b.jpg"]
    assert [image.load(None).mode for image in task.images] == ["RGB", "RGB"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "should hold images"),
        ("{", "should hold images"),
        (json.dumps({"images": [{"filename": "a.jpg"}]}), "should hold images"),
        (karpathy(described("../a.jpg", "test", "x")), "not a file below the folder"),
        (karpathy(described("a.jpg", "train", "x")), "none to test on; choose one of all, train"),
        (karpathy(), "no row with a picture"),
    ],
)
def test_json_that_is_not_karpathys(tmp_path, content, message):
    (tmp_path / "dataset_flickr30k.json").write_text(content)
    with pytest.raises(BadInput, match=message):
        load_task("flickr30k", tmp_path)


# --- All --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "published"),
    [
        ("cifar10", "cifar-10-batches-py/test_batch", "cs.toronto.edu"),
        ("voc2007", "VOCdevkit/VOC2007/ImageSets/Main/aeroplane_test.txt", "host.robots.ox.ac.uk"),
        ("captions", "captions.csv", "cocodataset.org"),
        ("cifar100", "cifar-100-python/test", "cifar-100-python.tar.gz"),
        ("cifar100-coarse", "cifar-100-python/test", "cs.toronto.edu"),
        ("caltech101", "101_ObjectCategories/<class>/image_0001.jpg", "data.caltech.edu"),
        ("flickr8k", "dataset_flickr8k.json", "caption_datasets.zip"),
        ("flickr30k", "dataset_flickr30k.json", "DenotationGraph"),
        ("coco", "dataset_coco.json", "val2014.zip"),
    ],
)
def test_missing_data_sets(tmp_path, name, expected, published):
    with pytest.raises(DatasetNotFound) as caught:
        load_task(name, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere" / expected) in str(caught.value)
    assert published in str(caught.value)
    assert ("--download" in str(caught.value)) == (name in ARCHIVES)


def test_unknown_tasks_and_splits(tmp_path):
    with pytest.raises(BadInput, match="'imagenet'; there are cifar10, cifar100, "):
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
