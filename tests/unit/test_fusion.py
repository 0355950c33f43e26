import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wordsight.errors import BadInput
from wordsight.fusion import ranks, reciprocal_rank_fusion, score_fusion

matrices = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.integers(-40, 40).map(lambda n: n / 8)
)
both_kinds = pytest.mark.parametrize(
    "fuse",
    [reciprocal_rank_fusion, score_fusion, lambda parts, **more: score_fusion(parts, scale="minmax", **more)],
    ids=["rrf", "zscore", "minmax"],
)


def test_reciprocal_ranks_by_hand():
    first, second = np.array([[0.9, 0.5, 0.1]]), np.array([[1.0, 3.0, 2.0]])
    expected = [[1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62]]
    assert reciprocal_rank_fusion([first, second]) == pytest.approx(np.array(expected))


def test_scores_by_hand():
    first, second = np.array([[0.0, 1.0, 4.0]]), np.array([[-3.0, -1.0, -2.0]])
    assert score_fusion([first, second], scale="minmax").tolist() == [[0.0, 1.25, 1.5]]
    spread = np.sqrt(2 / 3)
    assert score_fusion([second], scale="zscore")[0] == pytest.approx([-1 / spread, 1 / spread, 0])


def test_equal_scores_share_the_best_of_their_ranks():
    assert ranks(np.array([[3.0, 7.0, 3.0, 1.0]])).tolist() == [[2, 1, 2, 4]]


@both_kinds
@given(matrices)
def test_fusing_an_engine_with_itself_keeps_its_order(fuse, scores):
    fused = fuse([scores, scores])
    for row, before in zip(fused, scores, strict=True):
        assert ranks(row[None].round(9)).tolist() == ranks(before[None]).tolist()


@both_kinds
@given(matrices, st.randoms(use_true_random=False))
def test_the_order_of_engines_and_pictures_does_not_matter(fuse, scores, random):
    other = scores[:, ::-1] ** 2
    columns = list(range(scores.shape[1]))
    random.shuffle(columns)
    fused = fuse([scores, other])
    assert fuse([other, scores]) == pytest.approx(fused)
    assert fuse([scores[:, columns], other[:, columns]]) == pytest.approx(fused[:, columns])


@both_kinds
@given(matrices, st.floats(0.5, 8), st.integers(-5, 5))
def test_the_unit_of_an_engine_does_not_matter(fuse, scores, factor, offset):
    other = np.roll(scores, 1, axis=1)
    assert fuse([scores * factor + offset, other]) == pytest.approx(fuse([scores, other]), abs=1e-9)


@both_kinds
def test_an_engine_that_abstains_leaves_the_query_to_the_others(fuse):
    knows, not_all = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([[np.nan, np.nan], [5.0, 1.0]])
    fused = fuse([knows, not_all])
    assert fused[0].tolist() == fuse([knows])[0].tolist()
    assert fused[1].tolist() == fuse([knows[1:], not_all[1:]])[0].tolist()
    assert np.isnan(fuse([not_all])[0]).all()


@both_kinds
def test_weights_decide_who_counts(fuse):
    first, second = np.array([[3.0, 2.0, 1.0]]), np.array([[1.0, 2.0, 3.0]])
    assert fuse([first, second], weights=[1, 0]).tolist() == fuse([first]).tolist()
    assert fuse([first, second], weights=[1, 3])[0].argmax() == 2


@both_kinds
@pytest.mark.parametrize(
    "parts",
    [[], [np.zeros((1, 2)), np.zeros((1, 3))], [np.zeros(3)], [np.array([[1.0, np.nan]])]],
    ids=["none", "shapes", "flat", "holes"],
)
def test_what_does_not_fit_is_refused(fuse, parts):
    with pytest.raises(BadInput):
        fuse(parts)


def test_negative_weights_and_constants_are_refused():
    with pytest.raises(BadInput, match="weight"):
        score_fusion([np.zeros((1, 1))], weights=[-1.0])
    with pytest.raises(BadInput, match="constant k"):
        reciprocal_rank_fusion([np.zeros((1, 1))], k=-2)
