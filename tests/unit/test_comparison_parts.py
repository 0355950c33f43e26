"""The parts of a comparison by themselves: scenarios, what is kept, figures of a decision, counts, the choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from wordsight.comparison import SCENARIOS, Store, choose
from wordsight.comparison.choice import Candidate, choose_engine, part_of
from wordsight.comparison.counting import Count, count_nodes, count_tower
from wordsight.comparison.machine import energy
from wordsight.comparison.measuring import best_threshold, confusion, cut, figures, precision_curve, threshold_for
from wordsight.comparison.setup import Setup
from wordsight.comparison.workbench import Scored
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.registry import MODELS
from wordsight.testing import colour_image
from wordsight.types import Qrels


def task_of(right: list[list[int]], ignored: dict[str, frozenset[str]] | None = None) -> RetrievalTask:
    """Return a task whose query n has the pictures that row n marks."""
    images = tuple(TaskImage(f"i{n}", lambda side: colour_image("red")) for n in range(len(right[0])))
    grades = {f"q{m}": {f"i{n}": 1 for n, mark in enumerate(row) if mark} for m, row in enumerate(right)}
    queries = tuple(TaskQuery(name, (name,)) for name in grades)
    return RetrievalTask("toy", TaskKind.SINGLE_LABEL, "all", queries, images, Qrels(grades, ignored or {}))


def answer(right: list[list[int]], scores: list[list[float]]) -> Scored:
    return Scored(task_of(right), np.asarray(scores, np.float32))


def test_scenarios_are_chosen_by_name_and_group() -> None:
    assert [scenario.name for scenario in choose("gallery,clusters")] == ["gallery", "clusters"]
    assert len(choose("robustness")) == 8
    assert choose("none") == ()
    short = [each for each in choose("default") if not each.name.startswith("robustness")]
    assert list(choose("default,-robustness")) == list(choose("-robustness")) == short
    assert {scenario.name for scenario in choose("all")} == set(SCENARIOS)
    assert choose("backbone", ["mini", "other"])[0].setups("", "other") == [Setup("other")]
    assert "backbone" not in {scenario.name for scenario in choose("all", ["mini"])}
    with pytest.raises(BadInput, match="no scenario is called 'galery'; expected a list of default, all, none"):
        choose("galery")


def test_the_default_is_shorter_never_other() -> None:
    for short in choose("default"):
        assert set(short.values) <= set(SCENARIOS[short.name].values)
    assert sum(len(short.values) for short in choose("default")) < sum(len(each.values) for each in choose("all"))


def test_places_end_with_what_the_task_has() -> None:
    gallery, unseen = SCENARIOS["gallery"], SCENARIOS["unseen"]
    assert gallery.places({"gallery": 300}) == [(30, 30), (100, 100), (300, None)]
    assert unseen.places({"unseen": 2}) == [(1, 1), (2, 2)]
    assert [setup.seed for setup in gallery.setups("mini", 30)] == [0, 1, 2, 3, 4]
    assert gallery.setups("mini", None) == [Setup("mini")]
    assert SCENARIOS["robustness-fog"].setups("mini", 3) == [Setup("mini", scene="fog", strength=3, gallery=300)]


def test_every_condition_changes_the_key() -> None:
    changed = [
        Setup("mini"),
        Setup("other"),
        Setup("mini", gallery=3),
        Setup("mini", absent=True),
        Setup("mini", seed=1),
    ]
    assert len({setup.key("here") for setup in changed} | {changed[0].key("there")}) == len(changed) + 1
    assert Setup("mini", clusters=1).key("here") == changed[0].key("here")  # as it is anyway


def test_a_store_keeps_whole_files_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep("a", {"mAP": 0.5})
    assert store.result("a") == {"mAP": 0.5}
    (tmp_path / "cells" / "a.json").write_text('{"mAP": 0.')
    assert store.result("a") is None
    made = [store.array("x", lambda: np.ones(3, np.float32)), store.array("x", lambda: np.zeros(3, np.float32))]
    assert [array.tolist() for array in made] == [[1, 1, 1], [1, 1, 1]]
    store.array("y", lambda: np.ones(1, np.float32), lasting=True)
    store.drop_arrays()
    assert [file.name for file in sorted((tmp_path / "cells").iterdir())] == ["a.json", "y.npy"]
    assert not list(tmp_path.rglob("*.tmp"))
    store.keep("b", {})
    assert Store(tmp_path).result("b") == {}
    store.forget()
    assert Store(tmp_path).result("b") is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="choose another folder with -o"):
        Store(tmp_path / "file")


def test_figures_of_an_engine_that_knows_one_label_of_two() -> None:
    found = figures(answer([[1, 1, 0, 0], [0, 0, 1, 1]], [[4, 2, 3, 1], [np.nan] * 4]))
    assert found.values["AP"] == {"q0": pytest.approx((1 + 2 / 3) / 2), "q1": 0}
    assert found.means["accuracy"] == 0.5
    assert found.abstained == 0.5


def test_an_engine_that_says_nothing_matches_abstains_but_its_order_counts() -> None:
    given = answer([[1, 0], [0, 1]], [[2, 1], [1, 2]])
    shy = Scored(given.task, given.scores, np.asarray([[0.4, 0.1], [0.1, 0.9]], np.float32))
    assert shy.abstained == {"q0"}
    assert figures(shy).means["mAP"] == 1


def test_nothing_to_find_has_no_means() -> None:
    given = answer([[1, 0], [0, 1]], [[2, 1], [1, 2]])
    gone = Scored(given.task.restricted(["i1"]), given.scores[:, 1:])
    asked_for_what_is_gone = RetrievalTask(
        "toy", TaskKind.SINGLE_LABEL, "all", gone.task.queries[:1], gone.task.images, gone.task.qrels
    )
    assert figures(Scored(asked_for_what_is_gone, gone.scores[:1])).means == {}


def test_a_cut_by_hand() -> None:
    given = answer([[1, 1, 0], [0, 0, 1]], [[0.9, 0.4, 0.5], [0.1, 0.2, 0.3]])
    found = cut(given, 0.4)
    assert (found.precision, found.recall, found.f1) == (
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
    )
    assert found.accepted == 0.5
    assert threshold_for(given, 0.5) == pytest.approx(0.4)


def test_a_threshold_is_chosen_among_the_answers_there_are() -> None:
    given = answer([[1, 1, 0], [0, 0, 1]], [[0.9, 0.4, 0.5], [np.nan] * 3])
    assert best_threshold(given) == pytest.approx(0.4)
    assert cut(given, 0.4).recall == pytest.approx(2 / 3)
    assert threshold_for(given, 1.0) == pytest.approx(0.4)


@given(
    npst.arrays(np.float32, (2, 6), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
    npst.arrays(np.bool_, 6, elements=st.booleans()),
)
def test_no_threshold_beats_the_best_one(scores: np.ndarray, first: np.ndarray) -> None:
    right = [first.astype(int).tolist(), (~first).astype(int).tolist()]
    given = Scored(task_of(right), scores)
    best = cut(given, best_threshold(given)).f1
    assert best == max(cut(given, float(threshold)).f1 for threshold in np.unique(scores))


def test_a_precision_curve_by_hand() -> None:
    curve = precision_curve(answer([[1, 0, 1, 0]], [[4, 3, 2, 1]]), points=3)
    assert curve == [1, 1, pytest.approx(2 / 3)]


def test_confusion_by_hand() -> None:
    assert confusion(answer([[1, 1, 0], [0, 0, 1]], [[3, 1, 1], [1, 2, 2]])) == [[0.5, 0.5], [0, 1]]


def test_a_picture_of_two_labels_is_confused_with_neither() -> None:
    right = [[1, 1, 0, 1], [1, 0, 1, 0]]  # the first shows both, and the second label is on top
    assert confusion(answer(right, [[1, 3, 3, 1], [2, 1, 1, 2]])) == [[0.5, 0.5], [0.5, 0.5]]


def test_multiply_adds_by_hand() -> None:
    def node(op: str, inputs: list[list[int]], output: list[int]) -> dict[str, object]:
        return {
            "op_name": op,
            "input_type_shape": [{"float": shape} for shape in inputs],
            "output_type_shape": [{"float": output}],
        }

    conv = node("Conv", [[1, 3, 8, 8], [16, 3, 3, 3], [16]], [1, 16, 8, 8])
    gemm = node("Gemm", [[1, 16], [10, 16], [10]], [1, 10])
    assert count_nodes([conv]) == Count(16 * 27 + 16, 16 * 64 * 27)
    assert count_nodes([conv, gemm]) == Count(16 * 27 + 16 + 170, 16 * 64 * 27 + 160)
    assert count_nodes([conv, node("Attention", [[1, 2, 4]], [1, 2, 4])]).multiply_adds is None


def test_the_shipped_image_tower_is_counted() -> None:
    found = count_tower(MODELS / "mini" / "image.onnx", 224)
    assert 3.8e6 < found.parameters < 3.9e6  # EfficientNet-lite0 without its classifier, and a head of 1280 x 384
    assert found.multiply_adds is not None
    assert 3.7e8 < found.multiply_adds < 4.1e8  # its authors tell 407 million with the classifier


def test_the_shipped_text_tower_is_counted() -> None:
    found = count_tower(MODELS / "mini" / "text.onnx", 224)
    assert 1.9e7 < found.parameters < 2.1e7  # six layers of 1.8 million and 24,000 words
    assert found.multiply_adds is not None
    assert 8.4e7 < found.multiply_adds < 8.8e7  # eight tokens through 10.6 million weights, and attention


def test_energy_is_told_or_not(tmp_path: Path) -> None:
    assert energy(tmp_path) is None
    for number, value in enumerate(("1500000", "500000")):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(value)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of zone 0
    assert energy(tmp_path) == 2.0


def test_the_choice_is_confirmed_on_other_pictures() -> None:
    right = [[1] * 6 + [0] * 6, [0] * 6 + [1] * 6]
    good = answer(right, (np.asarray(right) + 0.01 * np.arange(12)).tolist())
    bad = answer(right, (1 - np.asarray(right)).tolist())
    candidates = {"bad": Candidate(bad, "{}", True), "good": Candidate(good, "a photo of a {}.", False)}
    chosen = choose_engine(candidates, Path("my photos"), seed=0)
    assert chosen is not None
    assert (chosen.engine, chosen.picked_on, chosen.confirmed_on) == ("good", 6, 6)
    assert chosen.f1 == 1
    assert chosen.commands[0] == "wordsight index 'my photos' --encoder good"
    searching = "wordsight search 'a photo of a q0.' --in 'my photos' --encoder good --min-score 1.0"
    assert chosen.commands[1].startswith(searching)
    assert "use good: picked on 6 held-out pictures (mAP 100.0 %, against bad" in chosen.sentence


def test_a_part_of_an_answer_keeps_its_columns() -> None:
    given = answer([[1, 0, 1], [0, 1, 0]], [[1, 2, 3], [4, 5, 6]])
    part = part_of(given, ["i2", "i0"])
    assert part.scores.tolist() == [[1, 3], [4, 6]]
    assert [image.image_id for image in part.task.images] == ["i0", "i2"]
