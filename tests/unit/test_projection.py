"""Normalising, fusing and projecting statistics."""

import numpy as np
import pytest

from wordsight.errors import BadInput
from wordsight.features.projection import Projection, ProjectionConfig, fit_projection, signed_sqrt
from wordsight.features.projection_ridge import Ridge, choose_weights, principal

RNG = np.random.default_rng(0)


def labelled(n: int = 60, labels: int = 3, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic that tells the labels, one that does not, and the targets."""
    numbers = np.arange(n) % labels
    told = np.eye(labels)[numbers] + RNG.normal(0, noise, (n, labels))
    return (
        told.astype(np.float32),
        RNG.normal(0, 1, (n, 20)).astype(np.float32),
        np.eye(labels, dtype=np.float32)[numbers],
    )


def test_leaving_out_equals_fitting_anew() -> None:
    told, noise, targets = labelled()
    rows = np.concatenate([told, noise], axis=1)
    rows -= rows.mean(0)
    fit, penalty, copies = Ridge.of(rows, targets), 0.05, 2
    got = fit.left_out(penalty, copies)
    strength = penalty * fit.values.sum()
    for first in (0, 20, 58):
        keep = np.setdiff1d(np.arange(60), [first, first + 1])
        # The slow way: ridge with an intercept that is not penalised.
        mean, wanted = rows[keep].mean(0), targets[keep].mean(0)
        centred = (rows[keep] - mean).astype(float)
        beta = np.linalg.solve(centred.T @ centred + strength * np.eye(23), centred.T @ (targets[keep] - wanted))
        expected = (rows[first : first + 2] - mean) @ beta + wanted - targets.mean(0)
        np.testing.assert_allclose(got[first : first + 2], expected, atol=1e-5)


def test_a_statistic_that_tells_nothing_gets_a_small_weight() -> None:
    told, noise, targets = labelled(n=150)
    weights = choose_weights([told - told.mean(0), noise - noise.mean(0)], targets)
    assert weights[0] == 1
    assert weights[1] <= 0.25


def test_the_discriminant_separates_labels_with_unit_spread() -> None:
    told, noise, targets = labelled(n=300, noise=0.2)
    projection, held_out = fit_projection([told, noise], targets, ProjectionConfig(penalty=1e-3))
    assert projection.dim == 2  # targets of one label each sum to one
    rows = projection([told, noise])
    centres = (targets.T @ rows) / targets.sum(0)[:, None]
    within = np.cov((rows - targets @ centres).T)
    np.testing.assert_allclose(within, np.eye(2), atol=0.1)
    for points in (rows, held_out):
        nearest = ((points[:, None] - centres) ** 2).sum(2).argmin(1)
        assert (nearest == targets.argmax(1)).mean() > 0.95


def test_held_out_rows_are_honest_about_noise() -> None:
    noise = RNG.normal(size=(60, 200)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    projection, held_out = fit_projection([noise], targets, ProjectionConfig(penalty=1e-3))
    fitted = projection([noise])
    centres = (targets.T @ fitted) / targets.sum(0)[:, None]

    def accuracy(rows: np.ndarray) -> float:
        return float((((rows[:, None] - centres) ** 2).sum(2).argmin(1) == targets.argmax(1)).mean())

    assert accuracy(fitted) == 1
    assert accuracy(held_out) < 0.75


def test_pca_whitens() -> None:
    rows = (RNG.normal(size=(400, 5)) * [5, 4, 3, 2, 1]).astype(np.float32)
    projection, held_out = fit_projection([rows], None, ProjectionConfig(discriminant=False, components=3))
    assert held_out is None
    np.testing.assert_allclose(np.cov(projection([rows]).T), np.eye(3), atol=1e-3)


@pytest.mark.parametrize("shape", [(5, 40), (40, 5)])
def test_principal_directions_are_those_of_the_covariance(shape: tuple[int, int]) -> None:
    rows = RNG.normal(size=shape).astype(np.float32)
    rows -= rows.mean(0)
    values, directions = principal(rows)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(np.cov(rows.T))[::-1][: len(values)], atol=1e-4)
    np.testing.assert_allclose(directions.T @ directions, np.eye(len(values)), atol=1e-4)


def test_few_exemplars_fall_back_to_equal_weights() -> None:
    told, noise, targets = labelled(n=6)
    projection, _ = fit_projection([told, noise], targets)
    assert projection.weights == (1.0, 1.0)
    assert projection.penalty == 0.01


def test_a_projection_comes_back_from_its_parts() -> None:
    told, noise, targets = labelled()
    projection, _ = fit_projection([told, noise], targets)
    again = Projection.from_parts(projection.describe(), projection.arrays())
    assert (again([told, noise]) == projection([told, noise])).all()


def test_signed_sqrt_by_hand() -> None:
    np.testing.assert_allclose(signed_sqrt(np.asarray([[4, -9, 0]], np.float32)), [[2, -3, 0]])


def test_constant_statistics_do_no_harm() -> None:
    _, _, targets = labelled()
    projection, _ = fit_projection([np.ones((60, 4), np.float32), targets], targets)
    assert np.isfinite(projection([np.ones((60, 4), np.float32), targets])).all()


def test_one_label_is_not_enough() -> None:
    with pytest.raises(BadInput, match="at least two labels"):
        fit_projection([np.ones((4, 2), np.float32)], np.ones((4, 1), np.float32))
    with pytest.raises(BadInput, match="one weight for each of 1 statistics"):
        fit_projection([np.ones((4, 2), np.float32)], np.eye(4, dtype=np.float32), ProjectionConfig(weights=(1.0, 2.0)))
    with pytest.raises(BadInput, match="positive penalty"):
        ProjectionConfig(penalty=-1.0)
