"""Deletion and insertion curves and the agreement of maps, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from wordsight.evaluation.faithfulness import agreement, area_under, deletion, insertion

maps = arrays(np.float32, (4, 5), elements=st.integers(0, 20).map(float))


def checkers() -> Image.Image:
    """Return fine black and white squares: sharp where they are seen, grey where they are blurred."""
    cells = np.indices((80, 80)).sum(axis=0) % 2 * 255
    return Image.fromarray(cells.astype(np.uint8)).convert("RGB")


def contrast(image: Image.Image) -> np.ndarray:
    """Return the mean distance from grey in the four quarters, (2, 2)."""
    grey = np.abs(np.asarray(image.convert("L"), float) - 127.5)
    return grey.reshape(2, 40, 2, 40).mean(axis=(1, 3))


def test_the_highest_places_go_first_and_come_first():
    values = np.array([[0.9, 0.1], [0.5, 0.3]], np.float32)
    gone = [contrast(image) > 60 for image in deletion(checkers(), values, steps=4)]
    assert [step.astype(int).tolist() for step in gone] == [
        [[1, 1], [1, 1]],
        [[0, 1], [1, 1]],
        [[0, 1], [0, 1]],
        [[0, 1], [0, 0]],
        [[0, 0], [0, 0]],
    ]
    come = [contrast(image) > 60 for image in insertion(checkers(), values, steps=4)]
    assert all((before != after).all() for before, after in zip(gone, come, strict=True))


@pytest.mark.parametrize("change", [deletion, insertion])
def test_curves_begin_and_end_with_the_same_pictures_whatever_the_map(change):
    rng = np.random.default_rng(0)
    one, other = (list(change(checkers(), rng.random((7, 9), np.float32), steps=3)) for _ in range(2))
    assert len(one) == 4
    assert (one[0].tobytes(), one[-1].tobytes()) == (other[0].tobytes(), other[-1].tobytes())
    assert one[1].tobytes() != other[1].tobytes()


def test_area_under_a_curve():
    assert area_under([1, 1, 1]) == 1
    assert area_under([1, 0.5, 0]) == 0.5
    assert area_under([1, 0, 0]) == 0.25


def test_agreement_by_hand():
    one = np.array([[1, 2], [3, 4]], np.float32)
    assert agreement(one, one**3) == pytest.approx(1)  # ranks only
    assert agreement(one, -one) == pytest.approx(-1)
    assert agreement(one, np.array([[1, 2], [4, 3]], np.float32)) == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert agreement(one, np.ones((2, 2), np.float32)) == 0


@given(maps, maps)
def test_agreement_is_spearmans_rank_correlation(one, other):
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    expected = 0.0
    if np.ptp(one) and np.ptp(other):
        expected = stats.spearmanr(one.ravel(), other.ravel()).statistic
    assert agreement(one, other) == pytest.approx(expected, abs=1e-9)
