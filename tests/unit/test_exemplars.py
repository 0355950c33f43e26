"""Exemplars of known data sets and of one's own, and the wall between them and a gallery."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from wordsight.datasets import load_task
from wordsight.datasets.exemplars import content_key, load_exemplars, read_pictures, refuse_shared
from wordsight.errors import BadInput, DatasetNotFound
from wordsight.testing import colour_image


def class_folders(root: Path, each: int = 3) -> Path:
    for colour in ("red", "blue"):
        (root / colour / "more").mkdir(parents=True)
        for number in range(each):
            folder = root / colour / "more" if number == 0 else root / colour
            colour_image(colour, size=20 + number).save(folder / f"{number}.png")
    (root / "red" / "notes.txt").write_text("no picture")
    return root


def cifar(root: Path) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("data_batch_1", "test_batch"):
        content = {b"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8), b"labels": [n % 10 for n in range(20)]}
        (folder / name).write_bytes(pickle.dumps(content))
    return root


def test_class_folders_become_labels(tmp_path: Path) -> None:
    found = load_exemplars("folder", class_folders(tmp_path))
    assert found.labels == ("blue", "red")
    assert [item.image_id for item in found.items][:3] == ["blue/1.png", "blue/2.png", "blue/more/0.png"]
    assert found.targets().tolist() == [[1, 0]] * 3 + [[0, 1]] * 3


def test_class_folders_with_splits_are_fitted_on_the_one_for_training(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", each=1)
    assert len(load_exemplars("folder", tmp_path).items) == 6
    assert len(load_task("folder", tmp_path).images) == 2


def test_a_folder_without_class_folders_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a folder for each label with pictures in it, such as"):
        load_exemplars("folder", tmp_path)
    with pytest.raises(BadInput, match="there is none at"):
        load_exemplars("folder", tmp_path / "nothing")


def test_samples_are_drawn_by_seed_and_leave_the_rest(tmp_path: Path) -> None:
    everything = load_exemplars("cifar10", cifar(tmp_path))
    chosen, rest = everything.sample(1, seed=3)
    assert chosen.targets().sum(0).tolist() == [1] * 10
    assert len(rest.items) == 10
    assert {item.image_id for item in chosen.items}.isdisjoint(item.image_id for item in rest.items)
    assert everything.sample(1, seed=3)[0] == chosen
    assert everything.sample(1, seed=4)[0] != chosen
    assert everything.sample(None)[0].items == everything.items
    with pytest.raises(BadInput, match="must be at least 1, got 0"):
        everything.sample(0)


def test_a_gallery_may_not_share_a_picture(tmp_path: Path) -> None:
    root = cifar(tmp_path)
    pictures = read_pictures(load_exemplars("cifar10", root).items)
    gallery = load_task("cifar10", root)
    refuse_shared(pictures.keys, gallery)
    shared = content_key(gallery.images[4].load(None))
    with pytest.raises(BadInput) as caught:
        refuse_shared([*pictures.keys, shared], gallery)
    assert str(caught.value) == (
        "1 of the 20 pictures of the gallery cifar10 (test) are exemplars too (test_batch/00004): results on them "
        "would mean nothing; fit on other pictures"
    )


def test_content_tells_pictures_apart_not_names() -> None:
    assert content_key(colour_image("red")) == content_key(colour_image("red"))
    assert content_key(colour_image("red")) != content_key(colour_image("red", size=33))
    assert content_key(colour_image("red")) != content_key(colour_image("blue"))


def labelled_json(root: Path, content: object) -> Path:
    (root / "images").mkdir()
    for name in ("a.png", "b.png"):
        colour_image("red").save(root / "images" / name)
    (root / "labels.json").write_text(json.dumps(content))
    return root


def test_labels_in_json_may_be_several_or_difficult(tmp_path: Path) -> None:
    root = labelled_json(tmp_path, {"b.png": {"car": 0, "diningtable": 1}, "a.png": {"car": 1, "person": 1}})
    found = load_exemplars("voc2007", root)
    assert found.labels == ("car", "dining table", "person")
    assert found.targets().tolist() == [[1, 0, 1], [-1, 1, 0]]
    assert len(read_pictures(found.items).images) == 2


@pytest.mark.parametrize("content", [[1], {"a.png": 3}, {"../a.png": {"car": 1}}])
def test_json_that_is_not_labels(tmp_path: Path, content: object) -> None:
    with pytest.raises(BadInput, match="should hold picture -> label -> 1 or 0"):
        load_exemplars("voc2007", labelled_json(tmp_path, content))


def test_voc_trainval_in_its_own_layout(tmp_path: Path) -> None:
    base = tmp_path / "VOCdevkit" / "VOC2007"
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "JPEGImages").mkdir()
    for name in ("000005", "000007"):
        colour_image("red").save(base / "JPEGImages" / f"{name}.jpg")
    (base / "ImageSets" / "Main" / "car_trainval.txt").write_text("000005  1\n000007 -1\n")
    (base / "ImageSets" / "Main" / "tvmonitor_trainval.txt").write_text("000005  0\n000007  1\n")
    found = load_exemplars("voc2007", tmp_path)
    assert found.labels == ("car", "tv monitor")
    assert found.targets().tolist() == [[1, -1], [0, 1]]


def test_caltech_leaves_out_its_background(tmp_path: Path) -> None:
    class_folders(tmp_path / "101_ObjectCategories")
    (tmp_path / "101_ObjectCategories" / "BACKGROUND_Google").mkdir()
    colour_image("green").save(tmp_path / "101_ObjectCategories" / "BACKGROUND_Google" / "1.png")
    assert load_exemplars("caltech101", tmp_path).labels == ("blue", "red")
    assert load_exemplars("caltech101", tmp_path / "101_ObjectCategories").labels == ("blue", "red")
    with pytest.raises(DatasetNotFound, match="Caltech-101 was not found"):
        load_exemplars("caltech101", tmp_path / "101_ObjectCategories" / "red")


def test_caltech_trains_on_thirty_of_each_class_and_tests_on_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "101_ObjectCategories" / "wild_cat"
    folder.mkdir(parents=True)
    for number in range(34):
        colour_image("red").save(folder / f"image_{number:04d}.jpg")
    fitted = {item.image_id for item in load_exemplars("caltech101", tmp_path).items}
    tested = {image.image_id for image in load_task("caltech101", tmp_path).images}
    assert (len(fitted), len(tested)) == (30, 4)
    assert fitted.isdisjoint(tested)
    assert fitted | tested == {image.image_id for image in load_task("caltech101", tmp_path, "all").images}


def test_unreadable_exemplars_are_skipped_with_a_reason(tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "red" / "1.png").write_bytes(b"no picture")
    found = read_pictures(load_exemplars("folder", tmp_path).items)
    assert len(found.images) == 5
    assert list(found.skipped) == ["red/1.png"]
    with pytest.raises(BadInput, match="no exemplar could be read"):
        read_pictures([])


def test_large_pictures_are_kept_small(tmp_path: Path) -> None:
    (tmp_path / "red").mkdir()
    colour_image("red", size=900).save(tmp_path / "red" / "1.png")
    assert max(read_pictures(load_exemplars("folder", tmp_path).items).images[0].size) <= 480


def test_unknown_tasks_are_listed() -> None:
    with pytest.raises(BadInput) as caught:
        load_exemplars("imagenet", Path())
    assert str(caught.value) == (
        "no task with exemplars is called 'imagenet'; "
        "there are cifar10, cifar100, cifar100-coarse, voc2007, caltech101, folder"
    )


@pytest.mark.data
def test_the_development_exemplars_are_not_in_the_gallery(data: Path) -> None:
    exemplars = load_exemplars("cifar10", data / "cifar10")
    refuse_shared(read_pictures(exemplars.items).keys, load_task("cifar10", data / "cifar10"))
