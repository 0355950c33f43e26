"""Relevance feedback: Rocchio's formula, and queries that are moved or saved on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wordsight.cli import run
from wordsight.errors import BadInput
from wordsight.library import Filters, Library
from wordsight.library.feedback import rocchio
from wordsight.library.groups import paths
from wordsight.library.notes import Mark, Notes, SavedQuery, qrels
from wordsight.testing import ColourEncoder, colour_image
from wordsight.types import Metric

ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(4)), elements=st.floats(0, 1, width=32))
NONE = np.empty((0, 4), np.float32)


def unit(*numbers: float) -> np.ndarray:
    vector = np.asarray(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def test_a_hand_worked_case() -> None:
    query, liked = unit(1, 0, 0, 0), np.stack([unit(0, 1, 0, 0), unit(0, 0, 1, 0)])
    moved = rocchio(query, liked, unit(0, 0, 0, 1)[None])
    np.testing.assert_allclose(moved, unit(1, 0.375, 0.375, -0.15), atol=1e-6)
    np.testing.assert_allclose(rocchio(query, NONE, NONE), query)
    np.testing.assert_allclose(rocchio(0 * query, liked[:1], NONE), liked[0], atol=1e-6)


def test_points_give_a_point_among_them() -> None:
    query, liked, disliked = np.float32([2, 0, 0, 0]), np.float32([[4, 0, 0, 0]]), np.float32([[1, 0, 0, 0]])
    moved = rocchio(query, liked, disliked, metric=Metric.EUCLIDEAN)
    np.testing.assert_allclose(moved, [(2 + 0.75 * 4 - 0.15 * 1) / 1.6, 0, 0, 0], rtol=1e-6)


@given(ROWS, ROWS)
def test_what_is_liked_comes_nearer(liked: np.ndarray, disliked: np.ndarray) -> None:
    query = unit(1, 1, 0, 0)
    moved = rocchio(query, liked, NONE)
    towards = liked.mean(axis=0)
    if np.linalg.norm(towards) > 0.01:
        assert moved @ towards >= query @ towards - 1e-5
    away = rocchio(query, liked, disliked)
    assert abs(np.linalg.norm(away) - 1) < 1e-5
    np.testing.assert_allclose(rocchio(query, liked[::-1], disliked), away, atol=1e-6)  # in any order


def test_what_cannot_be() -> None:
    zero = np.zeros(4, np.float32)
    with pytest.raises(BadInput, match="nothing is left"):
        rocchio(zero, NONE, NONE)
    with pytest.raises(BadInput, match="nothing is left"):
        rocchio(zero, NONE, unit(1, 0, 0, 0)[None], metric=Metric.EUCLIDEAN)
    with pytest.raises(BadInput, match="at least 0"):
        rocchio(unit(1, 0, 0, 0), NONE, NONE, beta=-1)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("red", "blue", "green", "red blue", "red green"):
        colour_image(*name.split()).save(photos / f"{name}.png")
    library = Library(ColourEncoder())
    library.sync(photos)
    return library


def told(monkeypatch, capfdbinary, *words: str) -> tuple[int, list[dict]]:
    monkeypatch.setattr("sys.argv", ["wordsight", "search", *words, "--encoder", "colours", "--json"])
    status = run()
    return status, [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]


def test_liked_pictures_on_the_command_line(library, tmp_path: Path, monkeypatch, capfdbinary) -> None:
    photos = tmp_path / "photos"
    _, plain = told(monkeypatch, capfdbinary, "red")
    assert Path(plain[0]["path"]).stem == "red"
    _, moved = told(monkeypatch, capfdbinary, "red", "--like", str(photos / "blue.png"))
    assert Path(moved[0]["path"]).stem == "red blue"
    _, away = told(monkeypatch, capfdbinary, "red", "--dislike", str(photos / "green.png"))
    assert [Path(hit["path"]).stem for hit in away[-1:]] == ["green"]
    assert told(monkeypatch, capfdbinary, "red", "--like", "x.png", "--fuse", "mini")[0] == 2


def test_saved_queries_on_the_command_line(library, monkeypatch, capfdbinary) -> None:
    blue = library.search("blue", top=1).hits[0].sha256
    notes = Notes(library.location)
    notes.save(SavedQuery("my sky", "green", liked=(blue,)))
    notes.save(SavedQuery("only words", "green"))
    notes.save(SavedQuery("other", "green", encoder="mini"))
    notes.save(SavedQuery("alone", liked=(blue,)))
    _, sky = told(monkeypatch, capfdbinary, "@my", "sky")
    assert [Path(hit["path"]).stem for hit in sky[:2]] == ["green", "blue"]
    _, words = told(monkeypatch, capfdbinary, "@only words")
    assert words == told(monkeypatch, capfdbinary, "green")[1]
    assert Path(told(monkeypatch, capfdbinary, "@alone")[1][0]["path"]).stem == "blue"
    assert told(monkeypatch, capfdbinary, "@other")[0] == 2
    assert told(monkeypatch, capfdbinary, "@nothing")[0] == 2


def test_a_picture_by_its_digest(library, monkeypatch, capfdbinary) -> None:
    blue = library.search("blue", top=1).hits[0].sha256
    _, hits = told(monkeypatch, capfdbinary, f"picture:{blue[:10]}", "+", "0.5:red")
    assert [Path(hit["path"]).stem for hit in hits[:2]] == ["red blue", "blue"]


def test_marks_are_qrels_of_the_run(library, tmp_path: Path, monkeypatch, capfd) -> None:
    """What was marked scores what was searched: the file names agree."""
    notes = Notes(library.location)
    for hit in library.search("red", top=5).hits:
        notes.mark(Mark("red", hit.sha256, int("red" in hit.path.stem)))
    monkeypatch.setattr("sys.argv", ["wordsight", "marks", "-o", str(tmp_path / "q.txt")])
    assert run() == 0
    capfd.readouterr()
    monkeypatch.setattr("sys.argv", ["wordsight", "search", "red", "--encoder", "colours", "--trec"])
    assert run() == 0
    (tmp_path / "run.txt").write_text(capfd.readouterr().out)
    argv = ["wordsight", "evaluate", "--qrels", str(tmp_path / "q.txt"), "--run", str(tmp_path / "run.txt")]
    monkeypatch.setattr("sys.argv", [*argv, "--measure", "AP", "--json"])
    assert run() == 0
    assert '"mAP": 1.0' in capfd.readouterr().out


def test_marks_of_photos_that_are_gone_are_left_out(library) -> None:
    red = library.search("red", top=1).hits[0]
    marks = [Mark("a", "0" * 64, 1), Mark("b", red.sha256, 1)]
    found, names = qrels(lambda sha256: paths(library.catalogue, sha256, Filters()), marks)
    assert names == {"1": "a", "2": "b"}
    assert list(found.grades) == ["2"]


def test_notes_wait_for_a_catalogue(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "nowhere")
    assert (notes.recent(), notes.saved(), notes.marks()) == ([], [], [])
    with pytest.raises(Exception, match="no catalogue"):
        notes.remember("red")


def test_recent_queries_are_bounded(library) -> None:
    notes = Notes(library.location)
    for number in range(230):
        notes.remember(f"query {number}")
    notes.remember("query 100")
    assert notes.recent(most=1000)[:2] == ["query 100", "query 229"]
    assert len(notes.recent(most=1000)) <= 200
