"""Measures of maps and boxes, by hand-worked cases and by what must hold for any map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wordsight.evaluation.localization import (
    Target,
    baselines,
    best_iou,
    coverage,
    distance,
    energy,
    iou,
    max_box_accuracy,
    measure,
    pointing,
)
from wordsight.types import Box

SIZE = (100, 60)
DOG = Target(SIZE, (Box(0, 0, 20, 30),), alone=True)


def spot(x: int, y: int, shape: tuple[int, int] = (6, 10)) -> np.ndarray:
    """Return a map (cells of 10 x 10 pixels in ``SIZE``) with one bright cell."""
    values = np.full(shape, 0.1, np.float32)
    values[y, x] = 1
    return values


boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(0, 80),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(1, 20),
)
maps = arrays(np.float32, (6, 10), elements=st.floats(0, 1, width=32))


def test_iou_by_hand():
    assert iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0  # they touch: half open
    assert iou(Box(0, 0, 10, 10), Box(20, 20, 10, 10)) == 0  # turned inside out: no area


@given(boxes, boxes)
def test_iou_is_symmetric_and_one_only_for_the_same_box(one, other):
    assert iou(one, other) == iou(other, one)
    assert 0 <= iou(one, other) <= 1
    assert (iou(one, other) == 1) == (one == other)


@given(boxes, boxes)
def test_iou_agrees_with_counted_pixels(one, other):
    left, right = (coverage(Target(SIZE, (box,), alone=False), SIZE[::-1]) for box in (one, other))
    assert iou(one, other) == pytest.approx(float((left * right).sum() / np.maximum(left, right).sum()), abs=1e-6)


def test_best_iou_takes_the_box_that_fits_and_no_box_fits_nothing():
    assert best_iou(Box(0, 0, 10, 10), (Box(50, 50, 60, 60), Box(0, 0, 10, 20))) == pytest.approx(0.5)
    assert best_iou(None, (Box(0, 0, 10, 10),)) == 0


def test_pointing_looks_at_the_middle_of_the_highest_cell():
    assert pointing(spot(1, 2), DOG) == 1  # its middle is (15, 25)
    assert pointing(spot(2, 2), DOG) == 0  # (25, 25): five pixels to the right of the box
    assert pointing(spot(2, 2), DOG, tolerance=5) == 1
    assert pointing(spot(2, 2), DOG, tolerance=4.9) == 0
    assert pointing(spot(2, 4), DOG, tolerance=14) == 0  # (25, 45): 15 below the box
    assert pointing(spot(2, 4), DOG, tolerance=15) == 1


def test_pointing_shares_a_tie():
    values = spot(0, 0)
    values[5, 9] = 1
    assert pointing(values, DOG) == 0.5


@given(st.lists(boxes, min_size=1, max_size=3))
def test_an_even_map_points_at_chance(found):
    target = Target(SIZE, tuple(found), alone=False)
    fine = np.ones((60, 100), np.float32)
    assert pointing(fine, target) == pytest.approx(float(coverage(target, fine.shape).mean()), abs=1e-6)
    assert energy(fine, target) == pytest.approx(float(coverage(target, fine.shape).mean()), abs=1e-6)


def test_energy_by_hand():
    values = np.zeros((6, 10), np.float32)
    values[0, 0], values[5, 9] = 0.75, 0.25
    assert energy(values, DOG) == pytest.approx(0.75)
    half = Target(SIZE, (Box(5, 0, 20, 30),), alone=True)  # half of the cell (0, 0)
    assert energy(values, half) == pytest.approx(0.375)
    assert energy(np.zeros((6, 10), np.float32), DOG) == 0


def test_boxes_that_overlap_are_counted_once():
    twice = Target(SIZE, (*DOG.boxes, *DOG.boxes), alone=False)
    assert energy(spot(0, 0), twice) == pytest.approx(energy(spot(0, 0), DOG))


@given(maps, boxes)
def test_measures_are_shares_and_do_not_change_with_the_scale_of_a_map(values, box):
    target = Target(SIZE, (box,), alone=True)
    found = measure(values, target)
    assert all(0 <= value <= 1 + 1e-6 for value in found.values())
    assert found["pointing_15px"] >= found["pointing"]
    assert measure(values * np.float32(0.5), target) == pytest.approx(found, abs=1e-4)


@given(maps, boxes)
def test_mirroring_map_and_box_changes_nothing(values, box):
    mirrored = Box(SIZE[0] - box.right, box.top, SIZE[0] - box.left, box.bottom)
    there = measure(values[:, ::-1], Target(SIZE, (mirrored,), alone=True))
    assert there == pytest.approx(measure(values, Target(SIZE, (box,), alone=True)), abs=1e-5)


def test_groups():
    assert DOG.share == pytest.approx(0.1)
    assert DOG.groups == ("medium", "off_center")
    assert Target(SIZE, (Box(40, 20, 60, 38),), alone=True).groups == ("small",)
    assert Target(SIZE, (Box(0, 0, 50, 30),), alone=True).groups == ("large",)  # the centre is on its corner
    assert Target(SIZE, (Box(0, 0, 2, 2), Box(0, 0, 90, 60)), alone=False).groups == ("large",)


def test_distance_is_along_the_worse_axis():
    assert distance((5, 5), Box(0, 0, 10, 10)) == 0
    assert distance((13, 25), Box(0, 0, 10, 10)) == 15


def test_max_box_accuracy_chooses_one_threshold_for_all():
    fits = np.array([[0.6, 0.4, 0.1], [0.2, 0.9, 0.4], [0.1, 0.5, 0.5]])
    assert max_box_accuracy(fits) == pytest.approx(2 / 3)
    assert max_box_accuracy(fits, 0.7) == pytest.approx(1 / 3)
    assert max_box_accuracy(np.empty((0, 3))) == 0


def test_baselines_saw_no_picture():
    found = baselines(SIZE, seed=3)
    assert list(found) == ["center", "whole_image", "chance"]
    middle = Target(SIZE, (Box(45, 25, 55, 35),), alone=True)
    assert pointing(found["center"], middle) == 1
    assert energy(found["whole_image"], DOG) == pytest.approx(0.1)
    assert np.array_equal(found["chance"], baselines(SIZE, seed=3)["chance"])
    assert not np.array_equal(found["chance"], baselines(SIZE, seed=4)["chance"])


def test_noise_points_at_chance_in_the_mean():
    hits = [
        pointing(baselines(SIZE, seed=seed)["chance"], Target(SIZE, (Box(0, 0, 50, 60),), True)) for seed in range(200)
    ]
    assert np.mean(hits) == pytest.approx(0.5, abs=0.1)
