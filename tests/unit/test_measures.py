"""Measures against cases worked by hand, properties, and an independent library."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.errors import BadInput
from wordsight.evaluation import evaluate_run, evaluate_scores, parse, run_from_scores
from wordsight.evaluation.measures import Judged
from wordsight.types import Qrels

NAMES = ["AP", "AP11", "AP2010", "RR", "Rprec", "nDCG", "P@1", "P@3", "R@3", "Success@1", "Success@3", "nDCG@3"]


def of(name: str, grades: list[int], ideal: list[int] | None = None) -> float:
    """Measure one ranking, given as the grades from rank 1 down."""
    best = sorted(grades if ideal is None else ideal, reverse=True)
    row = Judged(np.array([grades], np.int64).reshape(1, -1), np.array([best], np.int64))
    (value,) = parse(name).compute(row)
    return float(value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Relevant at ranks 1, 3, 6; a fourth relevant image was not found. Precision there: 1, 2/3, 3/6.
        ("AP", (1 + 2 / 3 + 1 / 2) / 4),
        # Best precision from recall t on: 1 up to t = 0.2, 2/3 up to 0.5, 1/2 up to 0.7, then 0.
        ("AP11", (3 * 1 + 3 * 2 / 3 + 2 * 1 / 2) / 11),
        ("AP2010", (1 + 2 / 3 + 1 / 2) / 4),
        ("RR", 1.0),
        ("Rprec", 2 / 4),
        ("P@1", 1.0),
        ("P@3", 2 / 3),
        ("P@10", 3 / 10),
        ("R@3", 2 / 4),
        ("R@10", 3 / 4),
        ("Success@1", 1.0),
        ("nDCG@3", (1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2)),
    ],
)
def test_a_ranking_worked_by_hand(name, expected):
    assert of(name, [1, 0, 1, 0, 0, 1], [1, 1, 1, 1]) == pytest.approx(expected, abs=1e-12)


def test_late_first_hit():
    ranking = [0, 0, 1, 1]
    assert of("RR", ranking) == 1 / 3
    assert of("AP", ranking) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert of("AP2010", ranking) == of("AP11", ranking) == 1 / 2  # the later precision is the better one
    assert (of("Success@2", ranking), of("Success@3", ranking)) == (0.0, 1.0)


def test_eleven_points_count_whole_images():
    # Of ten relevant images the first three ranks hold three: recall 0.3 is reached, with precision 1.
    assert of("AP11", [1, 1, 1], [1] * 10) == pytest.approx(4 / 11)


def test_ndcg_gains_are_the_grades():
    assert of("nDCG@2", [1, 3, 2]) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 2 / math.log2(3)))
    assert of("nDCG", [1, 3, 2]) == pytest.approx((1 + 3 / math.log2(3) + 2 / 2) / (3 + 2 / math.log2(3) + 1 / 2))


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_is_a_failure(name):
    assert of(name, [], [1, 1]) == 0.0
    assert of(name, [0, 0], [1, 1]) == 0.0


@pytest.mark.parametrize("name", ["P@10", "AP", "AP11", "RR", "nDCG@10", "Success@5", "R@100", "Rprec", "accuracy"])
def test_parse_gives_the_name_back(name):
    measure = parse(name)
    assert measure.name == str(measure) == name
    assert measure.definition
    assert measure.formula
    assert measure.source


def test_names_of_means_and_the_other_direction():
    assert parse("mAP") == parse("AP")
    assert [parse(name).mean_name for name in ("AP", "AP11", "RR", "P@10")] == ["mAP", "mAP11", "MRR", "P@10"]
    turned = parse("image_to_text Success@5")
    assert (turned.turned, turned.mean_name) == (True, "image_to_text Success@5")


@pytest.mark.parametrize("name", ["", "P", "P@", "P@0", "P@-1", "P@1.5", "recall@5", "map", "image_to_text accuracy"])
def test_other_names_are_errors(name):
    with pytest.raises(BadInput):
        parse(name)


def test_the_error_lists_what_there_is():
    with pytest.raises(BadInput, match=r"'MAP'.*AP11.*Success@k"):
        parse("MAP")


def _all(scores, grades, names=NAMES):
    """Evaluate a matrix, row i column j being query qi and image j, in an order of ids that is that of the columns."""
    queries = [f"q{row}" for row in range(len(scores))]
    images = [f"i{column:04d}" for column in range(np.shape(scores)[1])]
    qrels = Qrels(
        {q: {i: int(g) for i, g in zip(images, row, strict=True)} for q, row in zip(queries, grades, strict=True)}, {}
    )
    return evaluate_scores(np.asarray(scores, np.float32), queries, images, qrels, [parse(name) for name in names])


rankings = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 3)), min_size=1, max_size=30).filter(
    lambda pairs: any(grade for _, grade in pairs)
)


@given(rankings)
def test_values_lie_between_0_and_1_and_depend_on_the_order_only(pairs):
    scores, grades = zip(*pairs, strict=True)
    means = _all([scores], [grades]).means()
    assert all(0 <= value <= 1 + 1e-12 for value in means.values())
    assert _all([np.exp(np.array(scores) / 50) * 3 - 7], [grades]).means() == means


@given(rankings)
def test_the_best_order_gets_1(pairs):
    grades = [grade for _, grade in pairs]
    means = _all([grades], [grades]).means()
    for name in ("mAP", "mAP11", "mAP2010", "MRR", "Rprec", "nDCG", "nDCG@3", "Success@1", "P@1"):
        assert means[name] == pytest.approx(1)


@given(rankings)
def test_the_complete_run_gets_what_the_matrix_gets(pairs):
    scores, grades = zip(*pairs, strict=True)
    images = [f"i{column:04d}" for column in range(len(pairs))][::-1]
    matrix = np.array([scores], np.float32)
    qrels = Qrels({"q": dict(zip(images, grades, strict=True))}, {"q": frozenset(images[:2])})
    measures = [parse(name) for name in NAMES]
    try:
        expected = evaluate_scores(matrix, ["q"], images, qrels, measures).means()
    except BadInput:  # both relevant images were ignored
        return
    assert evaluate_run(run_from_scores("r", matrix, ["q"], images), qrels, measures).means() == expected


def test_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    scores = rng.permuted(np.tile(np.arange(300.0), (4, 1)), axis=1)
    grades = rng.integers(0, 4, scores.shape) * (rng.random(scores.shape) < 0.2)
    result = _all(scores, grades, ["AP", "nDCG@10", "nDCG"]).per_query()
    for row, (row_scores, row_grades) in enumerate(zip(scores, grades, strict=True)):
        expected = metrics.average_precision_score(row_grades > 0, row_scores)
        assert result["AP"][f"q{row}"] == pytest.approx(expected, abs=1e-12)
        expected = metrics.ndcg_score([row_grades], [row_scores], k=10)
        assert result["nDCG@10"][f"q{row}"] == pytest.approx(expected, abs=1e-12)


def test_large_matrices_take_seconds_at_most():
    rng = np.random.default_rng(0)
    scores = rng.random((5000, 1000), np.float32)
    queries, images = [f"q{i}" for i in range(5000)], [f"i{i}" for i in range(1000)]
    qrels = Qrels({query: {images[row // 5]: 1} for row, query in enumerate(queries)}, {})
    measures = [parse(name) for name in ("Success@1", "Success@10", "RR", "image_to_text Success@10")]
    started = time.process_time()
    evaluate_scores(scores, queries, images, qrels, measures)
    assert time.process_time() - started < 10
