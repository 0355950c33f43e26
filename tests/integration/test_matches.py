"""Real photos and the shipped encoder: what is there matches, what is not does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wordsight.datasets import RetrievalTask, load_task
from wordsight.library import Library
from wordsight.registry import encoder_names, load_encoder

pytestmark = pytest.mark.data

PRESENT = ("a cat", "a bus", "a train", "an aeroplane", "a tv monitor", "a bird")
ABSENT = ("a boat", "a giraffe in the savannah", "a slice of pizza", "sheet music", "an x-ray", "a xylophone")
NONSENSE = ("asdkjh qwe", "lkjhg fdsa", "glimpok", "zxczxc", "bbbbb ccccc", "31415926", "?!?!", "krell zand")


@pytest.fixture(scope="module")
def task(data: Path) -> RetrievalTask:
    """Two hundred photos of VOC2007, none of which shows a boat."""
    if "mini" not in encoder_names():
        pytest.skip("this package was built without the shipped encoder")
    whole = load_task("voc2007", data / "voc2007")
    boats = whole.qrels.grades["boat"].keys() | whole.qrels.ignored["boat"]
    return whole.restricted([image.image_id for image in whole.images if image.image_id not in boats][:200])


@pytest.fixture(scope="module")
def library(data: Path, task: RetrievalTask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    home = tmp_path_factory.mktemp("matches")
    photos = home / "photos"
    photos.mkdir()
    for image in task.images:
        file = data / "voc2007" / "VOCdevkit" / "VOC2007" / "JPEGImages" / f"{image.image_id}.jpg"
        (photos / file.name).write_bytes(file.read_bytes())
    with Library(load_encoder("mini"), home / "catalogue") as library:
        library.sync(photos)
        yield library


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_matches_nothing(library: Library, text: str) -> None:
    answer = library.search([text])
    assert answer.calibrated
    assert answer.nothing_matches
    assert library.search([text], matches_only=True).hits == ()


def test_what_is_not_there_matches_nothing(library: Library) -> None:
    matched = [text for text in ABSENT if not library.search(text).nothing_matches]
    assert len(matched) <= 1, matched


def test_what_is_there_matches(library: Library, task: RetrievalTask) -> None:
    unanswered = [text for text in PRESENT if library.search(text).nothing_matches]
    assert len(unanswered) <= 1, unanswered
    right = total = 0
    for text in PRESENT:
        label = {"tv": "tvmonitor"}.get(text.split()[1], text.split()[1])
        hits = library.search(text, matches_only=True).hits
        right += sum(task.qrels.grades[label].get(hit.path.stem, 0) for hit in hits)
        total += len(hits)
    assert right / total >= 0.7
