"""Scoring runs and matrices, decision rules, TREC files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.errors import BadInput
from wordsight.evaluation import (
    Assigned,
    AtLeast,
    TopK,
    evaluate_run,
    evaluate_scores,
    evaluate_selection,
    parse,
    parse_rule,
    read_qrels,
    read_run,
    run_from_scores,
    write_qrels,
    write_run,
)
from wordsight.protocols import Selection
from wordsight.types import Qrels, Ranking, Run

AP, P1, ACCURACY, PER_CLASS = (parse(name) for name in ("AP", "P@1", "accuracy", "mean_per_class"))


def run_of(**rankings: str) -> Run:
    """Make a run from ``query="best next ..."``."""
    rows = {q: {image: -float(rank) for rank, image in enumerate(text.split())} for q, text in rankings.items()}
    return Run("r", {query: Ranking.from_scores(query, row) for query, row in rows.items()})


def test_missing_queries_are_failures_and_empty_ones_are_left_out():
    qrels = Qrels({"a": {"x": 1}, "b": {"y": 1}, "c": {"x": 0}}, {})
    result = evaluate_run(run_of(a="x y", other="x"), qrels, [AP])
    assert result.per_query() == {"AP": {"a": 1.0, "b": 0.0}}
    assert result.means() == {"mAP": 0.5}
    assert (result.missing, result.left_out) == (("b",), ("c",))


def test_ignored_images_leave_the_ranking():
    qrels = Qrels({"a": {"x": 1, "d": 1}}, {"a": frozenset({"d", "e"})})
    assert evaluate_run(run_of(a="d e x y"), qrels, [AP, P1]).means() == {"mAP": 1.0, "P@1": 1.0}
    scores = np.array([[4, 3, 2, 1]], np.float32)
    assert evaluate_scores(scores, ["a"], list("dexy"), qrels, [AP, P1]).means() == {"mAP": 1.0, "P@1": 1.0}


def test_ignored_for_one_query_counts_for_the_others():
    qrels = Qrels({"a": {"x": 1}, "b": {"y": 1}}, {"a": frozenset({"d"})})
    scores = np.array([[1, 0, 2], [0, 1, 2]], np.float32)
    result = evaluate_scores(scores, ["a", "b"], ["x", "y", "d"], qrels, [AP])
    assert result.per_query()["AP"] == {"a": 1.0, "b": 0.5}


def test_equal_scores_are_ordered_by_id_whatever_the_columns():
    scores = np.zeros((1, 3), np.float32)
    qrels = Qrels({"q": {"b": 1}}, {})
    for images in (["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]):
        assert evaluate_scores(scores, ["q"], images, qrels, [AP]).means() == {"mAP": 0.5}
        assert [hit.image_id for hit in run_from_scores("r", scores, ["q"], images).rankings["q"]] == ["a", "b", "c"]


def test_accuracy_and_mean_per_class():
    # Three cats, of which two are found, and one dog, found: 3 of 4, but (2/3 + 1) / 2 by class.
    scores = np.array([[9, 9, 0, 0], [0, 0, 9, 9]], np.float32)
    qrels = Qrels({"cat": {"1": 1, "2": 1, "3": 1}, "dog": {"4": 1}}, {})
    result = evaluate_scores(scores, ["cat", "dog"], list("1234"), qrels, [ACCURACY, PER_CLASS])
    assert result.means() == {"accuracy": 0.75, "mean_per_class": pytest.approx(5 / 6)}
    assert result.per_query()["mean_per_class"] == {"cat": pytest.approx(2 / 3), "dog": 1.0}
    assert result.per_query()["accuracy"] == {"1": 1.0, "2": 1.0, "3": 0.0, "4": 1.0}


def test_a_class_without_images_does_not_count():
    scores = np.array([[1, 1], [0, 0]], np.float32)
    result = evaluate_scores(scores, ["a", "b"], ["x", "y"], Qrels({"a": {"x": 1, "y": 1}, "b": {}}, {}), [PER_CLASS])
    assert result.means() == {"mean_per_class": 1.0}
    assert result.left_out == ("b",)


def test_five_captions_any_of_which_counts():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.6]], np.float32)
    qrels = Qrels({"x#0": {"x": 1}, "x#1": {"x": 1}, "y#0": {"y": 1}}, {})
    measures = [parse("Success@1"), parse("image_to_text Success@1")]
    result = evaluate_scores(scores, list(qrels.grades), ["x", "y"], qrels, measures)
    assert result.per_query() == {
        "Success@1": {"x#0": 0.0, "x#1": 1.0, "y#0": 1.0},
        "image_to_text Success@1": {"x": 1.0, "y": 0.0},
    }


def test_relevant_images_outside_the_gallery_were_not_found():
    qrels = Qrels({"q": {"x": 1, "elsewhere": 1}}, {})
    assert evaluate_scores(np.ones((1, 1), np.float32), ["q"], ["x"], qrels, [AP]).means() == {"mAP": 0.5}


@pytest.mark.parametrize(
    ("scores", "queries", "images", "message"),
    [
        (np.zeros((1, 2)), ["q"], ["x"], r"\(1, 1\), got \(1, 2\)"),
        (np.zeros((1, 2)), ["q"], ["x", "x"], "twice"),
        (np.array([[np.nan, 1]]), ["q"], ["x", "y"], "NaN for some of its images"),
        (np.zeros((1, 1)), ["other"], ["x"], "nothing to measure"),
    ],
)
def test_bad_matrices(scores, queries, images, message):
    with pytest.raises(BadInput, match=message):
        evaluate_scores(scores.astype(np.float32), queries, images, Qrels({"q": {"x": 1}}, {}), [AP])


def test_a_query_without_an_answer_finds_nothing_and_is_found_by_nothing():
    scores = np.array([[np.nan, np.nan], [0.1, 0.9]], np.float32)
    qrels = Qrels({"a": {"x": 1}, "b": {"y": 1}}, {})
    names = ["AP", "Success@5", "nDCG", "accuracy", "image_to_text Success@5"]
    result = evaluate_scores(scores, ["a", "b"], ["x", "y"], qrels, [parse(name) for name in names])
    assert result.missing == ("a",)
    assert result.per_query() == {
        "AP": {"a": 0, "b": 1},
        "Success@5": {"a": 0, "b": 1},
        "nDCG": {"a": 0, "b": 1},
        "accuracy": {"x": 0, "y": 1},
        "image_to_text Success@5": {"x": 0, "y": 1},
    }
    run = run_from_scores("r", scores, ["a", "b"], ["x", "y"])
    assert list(run.rankings) == ["b"]
    assert evaluate_run(run, qrels, [AP]).means() == {"mAP": 0.5}


def test_intervals_lie_around_the_means():
    scores = np.random.default_rng(0).random((30, 50)).astype(np.float32)
    ids = [f"{n:02d}" for n in range(50)]
    qrels = Qrels({query: dict.fromkeys(ids[n :: n + 2], 1) for n, query in enumerate(ids[:30])}, {})
    result = evaluate_scores(scores, ids[:30], ids, qrels, [AP, parse("RR")])
    for name, interval in result.intervals().items():
        assert interval.low < result.means()[name] == interval.mean < interval.high


def test_turned_measures_need_all_scores():
    with pytest.raises(BadInput, match="accuracy cannot be read from a run"):
        evaluate_run(run_of(q="x"), Qrels({"q": {"x": 1}}, {}), [ACCURACY])


def test_a_selection_by_hand():
    selected = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    qrels = Qrels({"a": {"w": 1, "z": 2, "gone": 1}, "b": {"x": 1}, "c": {"w": 0}}, {"a": frozenset({"y"})})
    result = evaluate_selection(selected, ["a", "b", "c"], ["w", "x", "y", "z"], qrels)
    # Of a, w and x count and w is right; w, z and the one that is not in the gallery should have been found.
    assert result.per_query() == {
        "precision": {"a": 1 / 2, "b": 0},
        "recall": {"a": 1 / 3, "b": 0},
        "F1": {"a": 2 / 5, "b": 0},
    }
    assert (result.empty, result.left_out) == (("b",), ("c",))
    assert result.intervals()["recall"].mean == pytest.approx(1 / 6)


def test_selections_that_do_not_fit():
    with pytest.raises(BadInput, match=r"\(1, 1\), got \(1, 2\)"):
        evaluate_selection(np.ones((1, 2), bool), ["q"], ["x"], Qrels({"q": {"x": 1}}, {}))
    with pytest.raises(BadInput, match="nothing to measure"):
        evaluate_selection(np.ones((1, 1), bool), ["q"], ["x"], Qrels({"q": {"x": 0}}, {}))


def test_the_first_ten_as_a_selection_have_the_measures_of_the_first_ten():
    scores = np.random.default_rng(1).random((5, 40)).astype(np.float32)
    ids = [f"{n:02d}" for n in range(40)]
    qrels = Qrels({query: dict.fromkeys(ids[n :: n + 2], 1) for n, query in enumerate(ids[:5])}, {})
    ranked = evaluate_scores(scores, ids[:5], ids, qrels, [parse(name) for name in ("P@10", "R@10", "F1@10")])
    selected = evaluate_selection(parse_rule("top:10").select(scores), ids[:5], ids, qrels)
    pairs = zip(ranked.per_query().values(), selected.per_query().values(), strict=True)
    assert all(one == pytest.approx(other) for one, other in pairs)


@pytest.mark.parametrize(
    ("text", "rule"), [("top:3", TopK(3)), ("at-least:-0.5", AtLeast(-0.5)), ("assigned", Assigned())]
)
def test_rules_by_name(text, rule):
    assert parse_rule(text) == rule


@pytest.mark.parametrize("text", ["top", "top:x", "top:-1", "at-least:", "assigned:1", "best"])
def test_names_that_are_no_rule(text):
    with pytest.raises(BadInput, match="rule"):
        parse_rule(text)


@pytest.mark.parametrize("rule", [TopK(1), AtLeast(-9), Assigned()])
def test_rules_select_nothing_for_a_query_without_an_answer(rule):
    mask = rule.select(np.array([[np.nan, np.nan], [0.5, 0.25]], np.float32))
    assert not mask[0].any()
    assert mask[1].any()


SCORES = np.array([[0.9, 0.5, 0.5], [0.1, 0.5, 0.7]], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (TopK(0), [[0, 0, 0], [0, 0, 0]]),
        (TopK(2), [[1, 1, 0], [0, 1, 1]]),
        (TopK(9), [[1, 1, 1], [1, 1, 1]]),
        (AtLeast(0.5), [[1, 1, 1], [0, 1, 1]]),
        (Assigned(), [[1, 1, 0], [0, 0, 1]]),
    ],
)
def test_decision_rules(rule: Selection, expected):
    mask = rule.select(SCORES)
    assert mask.dtype == np.bool_
    assert mask.astype(int).tolist() == expected


@pytest.mark.parametrize("rule", [TopK(2), AtLeast(0.5), Assigned()])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_decision_rules_keep_the_shape(rule: Selection, shape):
    assert rule.select(np.zeros(shape, np.float32)).shape == shape


def test_top_k_is_not_negative():
    with pytest.raises(ValueError, match="-1"):
        TopK(-1)


words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=5).filter(
    lambda text: text.split() == [text]
)
numbers = st.floats(allow_nan=False, width=32)
tables = st.dictionaries(words, st.dictionaries(words, numbers, min_size=1, max_size=4), max_size=4)


@given(tables, words)
def test_runs_survive_the_round_trip(tmp_path_factory, table, tag):
    path = tmp_path_factory.getbasetemp() / "round-trip.run"
    run = Run(tag, {query: Ranking.from_scores(query, row) for query, row in table.items()})
    write_run(run, path)
    assert read_run(path) == Run(tag if table else "", run.rankings)


@given(st.dictionaries(words, st.dictionaries(words, st.integers(-1, 4), min_size=1, max_size=4), max_size=4))
def test_qrels_survive_the_round_trip(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "round-trip.qrels"
    grades = {query: {i: g for i, g in row.items() if g >= 0} for query, row in table.items()}
    ignored = {query: frozenset(row) - grades[query].keys() for query, row in table.items()}
    qrels = Qrels(grades, {query: images for query, images in ignored.items() if images})
    write_qrels(qrels, path)
    assert read_qrels(path) == qrels


def test_run_files_of_other_programs(tmp_path):
    path = tmp_path / "run.txt"
    path.write_text("\ufeffq1 Q0 low 1 0.5 them\n\nq1\tQ0\thigh\t2\t1e1\tthem\n", encoding="utf-8")
    run = read_run(path)
    assert run.name == "them"
    assert [(hit.image_id, hit.rank) for hit in run.rankings["q1"]] == [("high", 1), ("low", 2)]


def test_the_layout_of_a_run_file(tmp_path):
    write_run(Run("mini", {"dog": Ranking.from_scores("dog", {"a.jpg": 0.25, "b.jpg": 0.5})}), tmp_path / "run")
    assert (tmp_path / "run").read_text() == "dog Q0 b.jpg 1 0.5 mini\ndog Q0 a.jpg 2 0.25 mini\n"


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (read_run, "q Q0 x 1 0.5 t\nq Q0 y 2 0.5\n", "line 2: expected 'qid Q0 docid rank score tag', got 5 fields"),
        (read_run, "q Q0 x 1 high t\n", "line 1: expected a number as score, got 'high'"),
        (read_run, "q Q0 x 1 nan t\n", "line 1: expected a number"),
        (read_run, "q Q0 x 1 2 t\nq Q0 x 2 1 t\n", "line 2: x was ranked for query q before"),
        (read_qrels, "q 0 x\n", "line 1: expected 'qid 0 docid grade', got 3 fields"),
        (read_qrels, "q 0 x yes\n", "line 1: expected a whole number as grade, got 'yes'"),
        (read_qrels, "q 0 x 1\nq 0 x -1\n", "line 2: x was judged for query q before"),
    ],
)
def test_errors_name_the_line(tmp_path, reader, text, message):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        reader(path)


@pytest.mark.parametrize("reader", [read_run, read_qrels])
def test_files_that_cannot_be_read(tmp_path, reader):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("absent", "binary"):
        with pytest.raises(BadInput, match=name):
            reader(tmp_path / name)


def test_ids_with_blanks_are_not_written(tmp_path):
    with pytest.raises(BadInput, match="'a b'"):
        write_qrels(Qrels({"a b": {"x": 1}}, {}), tmp_path / "qrels")
    with pytest.raises(BadInput, match="cannot be written"):
        write_qrels(Qrels({}, {}), tmp_path)
    with pytest.raises(BadInput, match="''"):
        write_run(Run("", {"q": Ranking.from_scores("q", {"x": 1.0})}), tmp_path / "run")
