"""KMeans, silhouettes, and the two stages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wordsight.clustering import (
    TwoStageConfig,
    best_count,
    fit_prototypes,
    kmeans,
    kmeans_large,
    nearest,
    silhouette,
    unsupervised_prototypes,
)
from wordsight.clustering.kmeans import means, squared_distances
from wordsight.errors import BadInput

ROWS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(1, 4)),
    elements=st.floats(-100, 100, width=32),
)


def blobs(centres: list[list[float]], each: int = 20, width: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(centre, width, (each, len(centre))) for centre in centres]).astype(np.float32)


@given(ROWS, st.integers(1, 5), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_kmeans_invariants(rows: np.ndarray, k: int, seed: int) -> None:
    k = min(k, len(rows))
    found = kmeans(rows, k, seed=seed)
    again = kmeans(rows, k, seed=seed)
    assert (found.centroids == again.centroids).all()
    assert found.centroids.shape == (k, rows.shape[1])
    assert found.counts.sum() == len(rows)
    exact = ((rows[:, None].astype(float) - found.centroids) ** 2).sum(2)
    own = exact[np.arange(len(rows)), found.assigned]
    np.testing.assert_allclose(own, exact.min(1), atol=0.05)  # every row is with the closest centroid
    one = ((rows - rows.mean(0)) ** 2).sum()
    assert found.inertia <= one + 1e-3 * one + 0.5  # never worse than one cluster


def test_kmeans_finds_blobs_whatever_the_seed() -> None:
    rows = blobs([[0, 0], [5, 5], [0, 9]])
    for seed in range(5):
        found = kmeans(rows, 3, seed=seed, restarts=3)
        assert sorted(found.counts.tolist()) == [20, 20, 20]


def test_a_centroid_without_rows_takes_the_farthest() -> None:
    rows = blobs([[0, 0], [5, 5]])
    found = kmeans(rows, 3, start=np.asarray([[0, 0], [5, 5], [900, 900]], np.float32))
    assert (found.counts > 0).all()


@pytest.mark.parametrize("k", [0, 5])
def test_impossible_numbers_of_clusters(k: int) -> None:
    with pytest.raises(BadInput, match=f"^expected between 1 and 4 clusters for 4 vectors, got {k}$"):
        kmeans(np.zeros((4, 2), np.float32), k)


def test_growing_samples_come_close_to_lloyd() -> None:
    rows = blobs([[x, y, 0] for x in range(8) for y in range(8)], each=60, width=0.2)
    fast, slow = kmeans_large(rows, 64, seed=1), kmeans(rows, 64, seed=1, restarts=3)
    assert fast.inertia < 1.3 * slow.inertia
    assert (fast.assigned == nearest(rows, fast.centroids)[0]).all()
    assert (kmeans_large(rows, 64, seed=1).centroids == fast.centroids).all()


def test_means_and_distances_by_hand() -> None:
    rows = np.asarray([[0, 0], [2, 0], [3, 4]], np.float32)
    np.testing.assert_allclose(means(rows, np.asarray([0, 0, 2]), 3), [[1, 0], [0, 0], [3, 4]])
    np.testing.assert_allclose(squared_distances(rows, rows[2:]), [[25], [17], [0]])


def test_silhouette_by_hand() -> None:
    rows = np.asarray([[0.0], [1.0], [10.0], [11.0]], np.float32)
    # a = 1 each; b = 10.5, 9.5, 9.5, 10.5
    expected = np.mean([1 - 1 / 10.5, 1 - 1 / 9.5, 1 - 1 / 9.5, 1 - 1 / 10.5])
    assert silhouette(rows, np.asarray([0, 0, 1, 1])) == pytest.approx(expected, abs=1e-4)
    assert silhouette(rows, np.zeros(4, np.int64)) == 0
    assert silhouette(rows, np.asarray([0, 1, 2, 3])) == 0


def test_the_number_of_clusters_follows_the_data() -> None:
    assert len(best_count(blobs([[0, 0], [6, 0], [0, 6]]), 6).centroids) == 3
    assert len(best_count(np.zeros((10, 2), np.float32), 6).centroids) == 1


def two_labels() -> tuple[np.ndarray, np.ndarray]:
    rows = blobs([[0, 0], [4, 0], [0, 4]])
    targets = np.zeros((60, 2), np.float32)
    targets[:40, 0] = 1  # two clusters
    targets[40:, 1] = 1
    return rows, targets


def test_prototypes_count_and_spread() -> None:
    rows, targets = two_labels()
    found = fit_prototypes(rows, targets, ["dog", "car"], TwoStageConfig(clusters=None), seed=3)
    assert found.owners.tolist().count(0) == 2
    assert found.owners.tolist().count(1) >= 1
    assert found.counts[found.owners == 0].sum() == 40
    assert found.counts[found.owners == 1].sum() == 20
    assert found.spread[found.owners == 0] == pytest.approx(0.02, abs=0.01)
    assert (found.label_distances(rows).argmin(1) == targets.argmax(1)).all()
    assert found.drifts == ()


def test_a_picture_and_its_mirror_image_are_no_cluster() -> None:
    apart = np.eye(6, dtype=np.float32)  # all at one distance from each other
    rows = np.repeat(np.concatenate([apart, apart + 100]), 2, axis=0)
    rows[1::2] += 0.01
    targets = np.repeat(np.eye(2, dtype=np.float32), 12, axis=0)
    counted = [len(fit_prototypes(rows, targets, "ab", TwoStageConfig(None), copies=n).owners) for n in (1, 2)]
    assert counted == [12, 2]


def test_a_drift_is_put_back_and_reported() -> None:
    # Two dogs lie among many cars: the joint refinement pulls their centroid to the cars.
    cars = blobs([[0, 0]], each=50, width=0.5)
    rows = np.concatenate([cars, np.asarray([[0.3, 0], [0.4, 0]], np.float32)])
    targets = np.zeros((52, 2), np.float32)
    targets[:50, 0] = targets[50:, 1] = 1
    found = fit_prototypes(rows, targets, ["car", "dog"])
    (drift,) = found.drifts
    assert (drift.label, drift.to) == ("dog", "car")
    assert str(drift) == f"a cluster of 'dog' drifted to 'car' ({drift.share:.0%} of it is 'dog'); put back"
    np.testing.assert_allclose(found.centroids[found.owners == 1], [[0.35, 0]], atol=1e-6)


def test_exemplars_with_several_labels_take_part_in_each() -> None:
    rows = blobs([[0, 0], [4, 0]])
    targets = np.ones((40, 2), np.float32)
    targets[20:, 1] = 0
    found = fit_prototypes(rows, targets, ["person", "horse"], TwoStageConfig(joint_rounds=0))
    assert found.counts.tolist() == [40, 20]
    np.testing.assert_allclose(found.centroids, [[2, 0], [0, 0]], atol=0.1)


def test_a_label_without_exemplars() -> None:
    with pytest.raises(BadInput, match=r"^the label 'cat' has no exemplar$"):
        fit_prototypes(np.zeros((2, 2), np.float32), np.asarray([[1, 0], [1, 0]], np.float32), ["dog", "cat"])


def test_unsupervised_clusters_come_largest_first_and_can_be_named() -> None:
    rows = np.concatenate([blobs([[0, 0]], 10), blobs([[5, 5]], 30), blobs([[9, 0]], 20)])
    found, assigned = unsupervised_prototypes(rows, 3)
    assert found.counts.tolist() == [30, 20, 10]
    assert (assigned[10:40] == 0).all()
    named = found.renamed({"cluster 1": "beach", "cluster 3": "beach"})
    assert named.labels == ("beach", "cluster 2")
    assert named.owners.tolist() == [0, 1, 0]
    with pytest.raises(
        BadInput, match=r"^no cluster is called 'cluster 9'; there are cluster 1, cluster 2, cluster 3$"
    ):
        found.renamed({"cluster 9": "sea"})
