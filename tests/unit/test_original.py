import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wordsight.errors import BadInput
from wordsight.evaluation.original import OriginalProtocol, macro_scores, original_protocol
from wordsight.evaluation.rules import AtLeast

masks = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(hnp.arrays(np.bool_, n, elements=st.booleans()) for _ in range(2)))
)


def one_label_each(labels, each):
    return np.repeat(np.eye(labels, dtype=bool), each, axis=1)


def test_macro_scores_by_hand():
    chosen = np.array([True, True, True, False, False])
    relevant = np.array([True, False, False, True, False])
    # Shows it: 1 of 3 right, 1 of 2 found; does not: 1 of 2 right, 1 of 3 found; F1 is 2/5 for both.
    assert macro_scores(chosen, relevant) == pytest.approx(((1 / 3 + 1 / 2) / 2, (1 / 2 + 1 / 3) / 2, 0.4))


@pytest.fixture(scope="module")
def metrics():
    return pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")


@given(pair=masks)
def test_macro_scores_are_those_of_scikit_learn(metrics, pair):
    chosen, relevant = pair
    expected = metrics.precision_recall_fscore_support(
        relevant, chosen, labels=[True, False], average="macro", zero_division=0
    )
    assert macro_scores(chosen, relevant) == pytest.approx(expected[:3])


def test_perfect_scores_are_perfect_and_every_label_asked_for_is_present():
    truth = one_label_each(10, 30)
    result = original_protocol(truth.astype(np.float32), truth, OriginalProtocol(galleries=50, candidates=5))
    assert result.f1.tolist() == result.precision.tolist() == result.recall.tolist() == [1.0] * 50
    # With five candidates most labels are absent from a gallery; a label drawn blindly would have no relevant picture,
    # and macro F1 could not be 1.
    assert len(set(result.labels.tolist())) > 5


def test_scores_without_information_find_what_chance_does():
    rng = np.random.default_rng(0)
    truth = one_label_each(10, 300)
    result = original_protocol(rng.random(truth.shape, np.float32), truth)
    intervals = result.intervals()
    assert intervals["F1"].low <= 0.5 <= intervals["F1"].high + 0.02
    assert intervals["F1"].mean == pytest.approx(result.f1.mean())


def test_the_threshold_rule_takes_what_reaches_it():
    truth = one_label_each(2, 2)
    scores = np.array([[0.9, 0.2, 0.6, 0.1], [0.1, 0.1, 0.9, 0.9]], np.float32)
    config = OriginalProtocol(galleries=40, candidates=4, rule=AtLeast(0.5))
    result = original_protocol(scores, truth, config)
    assert set(result.f1[result.labels == 0].tolist()) == {0.5}
    assert set(result.f1[result.labels == 1].tolist()) == {1.0}


def test_draws_are_seeded():
    truth = one_label_each(3, 40)
    scores = np.random.default_rng(1).random(truth.shape, np.float32)
    runs = [original_protocol(scores, truth, OriginalProtocol(20, 30, seed=seed)) for seed in (1, 1, 2)]
    assert runs[0].f1.tolist() == runs[1].f1.tolist() != runs[2].f1.tolist()


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(BadInput, match="one shape"):
        original_protocol(np.zeros((1, 2), np.float32), np.zeros((1, 3), bool))
    with pytest.raises(BadInput, match="no label is present"):
        original_protocol(np.zeros((1, 2), np.float32), np.zeros((1, 2), bool))
    with pytest.raises(BadInput, match="at least one gallery"):
        OriginalProtocol(galleries=0)
