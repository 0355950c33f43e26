"""Every measure against trec_eval itself, compiled as pytrec_eval, on synthetic runs."""

from __future__ import annotations

import numpy as np
import pytest

from wordsight.evaluation import evaluate_run, evaluate_selection, parse, parse_rule
from wordsight.evaluation.evaluate import evaluate_scores, run_from_scores
from wordsight.types import Qrels

pytrec_eval = pytest.importorskip("pytrec_eval", reason="needs pytrec-eval-terrier: pip install 'wordsight[test]'")

NAMES = {
    "AP": "map",
    "AP11": "11pt_avg",
    "RR": "recip_rank",
    "Rprec": "Rprec",
    "nDCG": "ndcg",
    **{f"P@{k}": f"P_{k}" for k in (1, 5, 10, 100, 1000)},
    **{f"R@{k}": f"recall_{k}" for k in (5, 10, 100)},
    **{f"Success@{k}": f"success_{k}" for k in (1, 5, 10)},
    **{f"nDCG@{k}": f"ndcg_cut_{k}" for k in (5, 10, 100)},
}
QUERIES, IMAGES = 60, 400


@pytest.fixture(scope="module", params=range(3))
def synthetic(request) -> tuple[np.ndarray, list[str], list[str], Qrels]:
    """Return scores without ties, ids, and graded judgements of which some are 0; one query has nothing relevant."""
    rng = np.random.default_rng(request.param)
    queries = [f"q{number:03d}" for number in range(QUERIES)]
    images = [f"d{number:04d}" for number in range(IMAGES)]
    grades = {
        query: {images[place]: int(rng.integers(0, 4)) for place in rng.permutation(IMAGES)[: rng.integers(1, 120)]}
        for query in queries
    }
    grades[queries[7]] = {images[0]: 0}
    relevant = np.array([[grades[query].get(image, 0) for image in images] for query in queries])
    # No number twice in a row: every grade moves its images up by another fraction.
    scores = (rng.permuted(np.tile(np.arange(IMAGES), (QUERIES, 1)), axis=1) + 80.25 * relevant) / IMAGES
    return scores.astype(np.float32), queries, images, Qrels(grades, {})


def trec_eval(run, qrels: Qrels, names) -> dict[str, dict[str, float]]:
    answers = {query: {hit.image_id: hit.score for hit in ranking} for query, ranking in run.rankings.items()}
    return pytrec_eval.RelevanceEvaluator(dict(qrels.grades), set(names)).evaluate(answers)


@pytest.mark.parametrize("depth", [IMAGES, 37])
def test_measures_are_those_of_trec_eval(synthetic, depth) -> None:
    scores, queries, images, qrels = synthetic
    run = run_from_scores("synthetic", scores, queries, images, depth)
    theirs = trec_eval(run, qrels, NAMES.values())
    ours = evaluate_run(run, qrels, [parse(name) for name in NAMES])
    assert ours.left_out == (queries[7],)  # trec_eval gives it 0
    for name, values in ours.per_query().items():
        assert len(values) == QUERIES - 1
        if name == "AP11":
            # trec_eval finds how many images are t/10 of R as int(t / 10 * R + 0.9): in floating point, and one too few
            # where the exact result is a whole number and a tenth. That cannot be for an R that 2 or 5 divides.
            counts = {query: sum(grade > 0 for grade in qrels.grades[query].values()) for query in values}
            values = {
                query: value for query, value in values.items() if counts[query] % 2 == 0 or counts[query] % 5 == 0
            }
            assert len(values) > QUERIES / 3
        expected = {query: theirs[query][NAMES[name]] for query in values}
        assert values == pytest.approx(expected, rel=0, abs=1e-9), name


def test_the_matrix_gets_what_trec_eval_gives_the_complete_run(synthetic) -> None:
    scores, queries, images, qrels = synthetic
    theirs = trec_eval(run_from_scores("synthetic", scores, queries, images, IMAGES), qrels, ["map", "ndcg_cut_10"])
    ours = evaluate_scores(scores, queries, images, qrels, [parse("AP"), parse("nDCG@10")]).per_query()
    assert ours["AP"] == pytest.approx({query: theirs[query]["map"] for query in ours["AP"]}, rel=0, abs=1e-9)
    assert ours["nDCG@10"] == pytest.approx({query: theirs[query]["ndcg_cut_10"] for query in ours["AP"]}, abs=1e-9)


def test_decisions_are_the_set_measures_of_trec_eval(synthetic) -> None:
    scores, queries, images, qrels = synthetic
    ours = evaluate_selection(parse_rule("top:25").select(scores), queries, images, qrels).per_query()
    run = run_from_scores("synthetic", scores, queries, images, 25)
    theirs = trec_eval(run, qrels, ["set_P", "set_recall", "set_F"])
    for name, other in {"precision": "set_P", "recall": "set_recall", "F1": "set_F"}.items():
        assert ours[name] == pytest.approx({query: theirs[query][other] for query in ours[name]}, rel=0, abs=1e-9)
