import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.errors import BadInput
from wordsight.evaluation.reliability import reliability


def test_two_bins_by_hand():
    found = reliability([0.1, 0.3, 0.5, 0.9], [False, True, True, True], bins=2)
    assert [(each.count, each.estimate, each.right) for each in found.bins] == [(2, 0.2, 0.5), (2, 0.7, 1.0)]
    assert found.error == pytest.approx((0.3 + 0.3) / 2)
    assert found.worst == pytest.approx(0.3)
    assert found.brier == pytest.approx((0.01 + 0.49 + 0.25 + 0.01) / 4)


def test_the_borders_belong_to_the_upper_bin_and_one_to_the_last():
    assert [each.count for each in reliability([0.0, 0.5, 1.0], [0, 0, 0], bins=2).bins] == [1, 2]


def test_an_empty_bin_has_neither_mean_nor_share():
    empty = reliability([0.9], [True], bins=2).bins[0]
    assert (empty.count, empty.estimate, empty.right) == (0, None, None)


def test_estimates_that_are_right_have_a_small_error_and_bold_ones_a_large():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    truth = rng.random(20_000) < p
    assert reliability(p, truth).error < 0.02
    bold = np.clip(4 * (p - 0.5) + 0.5, 0, 1)
    assert reliability(bold, truth).error > 0.15
    assert reliability(bold, truth).brier > reliability(p, truth).brier


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_every_estimate_is_in_one_bin_and_figures_are_fractions(sample, bins):
    found = reliability(*zip(*sample, strict=True), bins=bins)
    assert sum(each.count for each in found.bins) == found.count == len(sample)
    assert 0 <= found.error <= found.worst + 1e-12 <= 1 + 1e-9
    assert 0 <= found.brier <= 1


@pytest.mark.parametrize(("p", "truth", "bins"), [([], [], 10), ([1.5], [1], 10), ([0.5], [1, 0], 10), ([0.5], [1], 0)])
def test_what_is_no_estimate_is_refused(p, truth, bins):
    with pytest.raises(BadInput):
        reliability(p, truth, bins=bins)
