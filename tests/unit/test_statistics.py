import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.errors import BadInput
from wordsight.evaluation.statistics import bootstrap_interval, holm, paired_test

values = st.lists(st.floats(0, 1).map(lambda x: round(x, 6)), min_size=1, max_size=30)
pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


@given(values, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_lies_around_the_mean_and_within_the_values(sample, level):
    interval = bootstrap_interval(sample, level=level, resamples=200)
    assert interval.low <= interval.mean <= interval.high
    assert interval.mean == pytest.approx(np.mean(sample))
    assert min(sample) - 1e-12 <= interval.low
    assert interval.high <= max(sample) + 1e-12


def test_more_confidence_is_wider_and_more_queries_are_narrower():
    rng = np.random.default_rng(0)
    few, many = rng.random(20), rng.random(2000)
    width = [(i.high - i.low) for i in (bootstrap_interval(few, level=level) for level in (0.5, 0.9, 0.99))]
    assert width == sorted(width)
    wide, narrow = bootstrap_interval(few), bootstrap_interval(many)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(10, rel=0.35)


def test_a_large_sample_has_the_interval_of_the_normal_distribution():
    sample = np.random.default_rng(1).normal(0.5, 0.1, 4000)
    interval = bootstrap_interval(sample)
    half = 1.96 * sample.std(ddof=1) / np.sqrt(4000)
    assert interval.low == pytest.approx(sample.mean() - half, abs=half / 20)
    assert interval.high == pytest.approx(sample.mean() + half, abs=half / 20)


def test_a_skewed_sample_has_a_skewed_interval():
    sample = np.random.default_rng(2).exponential(1.0, 40)
    interval = bootstrap_interval(sample)
    assert interval.high - interval.mean > interval.mean - interval.low


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        interval = bootstrap_interval(rng.beta(2, 5, 40), level=0.9, resamples=400)
        held += interval.low <= 2 / 7 <= interval.high
    assert 0.84 <= held / 300 <= 0.95


@pytest.mark.parametrize("unit", [1e-300, 2.4e-143, 1e-9, 1e9])
def test_the_interval_does_not_depend_on_the_unit(unit):
    sample = np.array([0.0, -1.0, 0.25, 3.0])
    one, other = bootstrap_interval(sample), bootstrap_interval(sample * unit)
    assert (other.low / unit, other.high / unit) == pytest.approx((one.low, one.high))


def test_intervals_are_seeded():
    sample = np.random.default_rng(4).random(25)
    assert bootstrap_interval(sample, seed=5) == bootstrap_interval(sample, seed=5)
    assert bootstrap_interval(sample, seed=5) != bootstrap_interval(sample, seed=6)


def test_one_value_gives_an_interval_without_width():
    interval = bootstrap_interval([0.25])
    assert (interval.low, interval.mean, interval.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("sample", "options"),
    [([], {}), ([np.nan], {}), ([[1.0]], {}), ([1.0], {"level": 1.0}), ([1.0], {"resamples": 0})],
)
def test_what_is_no_sample_is_refused(sample, options):
    with pytest.raises(BadInput):
        bootstrap_interval(sample, **options)


def test_an_exact_test_by_hand():
    # Three queries, the first engine always better: of the 8 ways to exchange, 2 are as extreme.
    result = paired_test([0.5, 0.6, 0.9], [0.4, 0.4, 0.6])
    assert result.p == pytest.approx(2 / 8)
    assert result.difference == pytest.approx(0.2)
    assert result.effect == 1.0
    assert result.cohens_d == pytest.approx(0.2 / 0.1)


def test_the_rank_biserial_correlation_by_hand():
    # Differences 1, 2, 2, -4: ranks 1, 2.5, 2.5, 4; (1 + 2.5 + 2.5 - 4) / 10.
    assert paired_test([1, 2, 2, 0], [0, 0, 0, 4]).effect == pytest.approx(0.2)


@given(pairs)
def test_exchanging_the_engines_turns_the_sign_and_nothing_else(sample):
    a, b = zip(*sample, strict=True)
    there, back = paired_test(a, b, resamples=300), paired_test(b, a, resamples=300)
    assert there.p == back.p
    assert there.difference == pytest.approx(-back.difference)
    assert there.effect == pytest.approx(-back.effect)
    assert 0 < there.p <= 1
    assert -1 <= there.effect <= 1


@given(values)
def test_an_engine_does_not_differ_from_itself(sample):
    result = paired_test(sample, sample, resamples=100)
    assert (result.p, result.difference, result.effect, result.cohens_d) == (1.0, 0.0, 0.0, None)


@given(pairs, st.randoms(use_true_random=False))
def test_the_exact_test_does_not_see_the_order_of_the_queries(sample, random):
    shuffled = sample[:10]
    random.shuffle(shuffled)
    first, second = (paired_test(*zip(*each, strict=True), resamples=1024) for each in (sample[:10], shuffled))
    assert first.p == second.p


def test_p_is_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(6)
    found = [paired_test(rng.random(30), rng.random(30), resamples=300, seed=n).p for n in range(300)]
    assert np.mean(np.asarray(found) <= 0.05) <= 0.09
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert np.quantile(found, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.09)


def test_a_clear_difference_is_found_with_the_smallest_p_there_is():
    rng = np.random.default_rng(7)
    b = rng.random(50)
    assert paired_test(b + 0.3, b, resamples=999).p == pytest.approx(1 / 1000)


def test_random_and_exact_tests_agree():
    rng = np.random.default_rng(8)
    a, b = rng.random(12) + 0.15, rng.random(12)
    assert paired_test(a, b, resamples=4095).p == pytest.approx(paired_test(a, b, resamples=4096).p, abs=0.02)


def test_unpaired_values_are_refused():
    with pytest.raises(BadInput, match="got 2 and 1"):
        paired_test([1, 2], [1])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    with pytest.raises(BadInput):
        holm([1.5])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p):
    corrected = holm(p)
    for one, changed in zip(p, corrected, strict=True):
        assert one <= changed <= min(1.0, one * len(p)) + 1e-12
    assert [x for _, x in sorted(zip(p, corrected, strict=True))] == sorted(corrected)
