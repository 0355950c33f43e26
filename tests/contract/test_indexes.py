"""Every vector index passes one contract suite."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex
from wordsight.index.coarse import Coarse, bounded, shortlist, united
from wordsight.index.exact import best, positions
from wordsight.index.graph import GraphIndex
from wordsight.index.lists import ListIndex
from wordsight.testing import check_index
from wordsight.types import Metric

INDEXES = {
    "exact": ExactIndex,
    "exact, two threads": lambda dim, metric: ExactIndex(dim, metric, threads=2),
    "graph": lambda dim, metric: GraphIndex(ExactIndex(dim, metric)),
    "lists": lambda dim, metric: ListIndex(ExactIndex(dim, metric)),
    "layers on lists": lambda dim, metric: LayeredIndex(ListIndex(ExactIndex(dim, metric))),
    "layers on exact": lambda dim, metric: LayeredIndex(ExactIndex(dim, metric)),
    "layers on graph": lambda dim, metric: LayeredIndex(GraphIndex(ExactIndex(dim, metric))),
}


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("seed", range(3))
def test_obeys_the_protocol(name: str, seed: int) -> None:
    check_index(INDEXES[name], seed=seed)


def test_the_suite_finds_a_wrong_order() -> None:
    class Reversed(ExactIndex):
        def search(self, queries, k, allowed=None):
            found = super().search(queries, k, allowed)
            return type(found)(found.ids[:, ::-1], found.scores[:, ::-1])

    with pytest.raises(AssertionError):
        check_index(Reversed)


def test_layers_over_a_filled_base() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 8)).astype(np.float32)
    base = ExactIndex(8, Metric.EUCLIDEAN, np.arange(50), vectors.astype(np.float16))
    layered = LayeredIndex(base, removed=np.asarray([7, 3]))
    assert len(layered) == 48
    layered.add(np.asarray([60, 5]), vectors[[7, 6]])  # 5 moves to where 6 is, 60 to where 7 was
    assert len(layered) == 49
    found = layered.search(vectors[[7, 6]], 2)
    assert found.ids[0, 0] == 60
    assert found.ids[1].tolist() == [5, 6]
    assert 3 not in layered.search(vectors[[3]], 49).ids


def filled(n: int, dim: int = 32, seed: int = 1) -> tuple[ExactIndex, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return ExactIndex(dim, Metric.COSINE, np.arange(n) * 3, vectors.astype(np.float16)), vectors


def test_graph_recall_with_and_without_filters() -> None:
    rows, _ = filled(6000)
    graph = GraphIndex.build(rows)
    queries = filled(40, seed=9)[1]
    for share in (1.0, 0.5, 0.1, 0.02, 0.001):
        allowed = None if share == 1.0 else rows.ids[: int(share * len(rows))]
        exact, found = rows.search(queries, 10, allowed), graph.search(queries, 10, allowed)
        assert found.ids.shape == exact.ids.shape
        recall = np.mean([np.isin(e, f).mean() for e, f in zip(exact.ids, found.ids, strict=True)])
        assert recall >= 0.95, f"share {share}: recall {recall}"


def test_graph_file_round_trip_and_damage(tmp_path) -> None:
    rows, vectors = filled(300)
    file = tmp_path / "graph"
    GraphIndex.build(rows).save(file)
    again = GraphIndex.open(file, rows)
    assert (again.search(vectors[:5], 1).ids[:, 0] == rows.ids[:5]).all()
    with pytest.raises(CatalogueError, match="rebuild"):
        GraphIndex.open(file, filled(299)[0])
    file.write_bytes(b"not a graph")
    with pytest.raises(CatalogueError):
        GraphIndex.open(file, rows)


@pytest.mark.parametrize("seed", range(4))
def test_coarse_rows_change_no_answer(seed: int) -> None:
    """Not even among near and exact doubles, whose order 8 bits cannot tell, nor for rows of any length."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12_000, 48)).astype(np.float32)
    vectors[6_000:9_000] = vectors[:3_000] + 1e-3 * rng.standard_normal((3_000, 48))
    vectors[9_000:] = vectors[:3_000]
    if seed % 2:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    elif seed:
        vectors *= 200
    half = vectors.astype(np.float16)
    half[77] = 0
    ids = np.arange(12_000) * 2
    plain = ExactIndex(48, Metric.COSINE, ids, half)
    rough = ExactIndex(48, Metric.COSINE, ids, half, threads=2, coarse=Coarse.of(half))
    for query in (*vectors[:20], rng.standard_normal(48).astype(np.float32), np.zeros(48, np.float32)):
        for k in (1, 10, 100, 5_000):
            for allowed in (None, ids[::2], ids[5:9]):
                want, got = plain.search(query[None], k, allowed), rough.search(query[None], k, allowed)
                np.testing.assert_array_equal(got.ids, want.ids)
                np.testing.assert_array_equal(got.scores, want.scores)


def test_coarse_rows_that_are_all_alike_are_all_compared() -> None:
    half = np.full((30_000, 32), 0.17, np.float16)
    half[20_000] += np.float16(0.001)
    rough = ExactIndex(32, Metric.COSINE, np.arange(30_000), half, coarse=Coarse.of(half))
    assert rough.search(half[:1].astype(np.float32), 3).ids[0].tolist() == [20_000, 0, 1]


def test_coarse_rows_rule_most_others_out() -> None:
    rows, vectors = filled(20_000, dim=128)
    coarse = Coarse.of(np.asarray(rows.vectors))
    query = vectors[3] + np.float32(0.02)
    scores, off = bounded(query, coarse)(slice(100, 10_000))
    assert (np.abs(scores - np.asarray(rows.vectors[100:10_000], np.float32) @ query) <= off).all()
    halves = [shortlist(query, coarse, 10, part, None) for part in (slice(0, 9_000), slice(9_000, 20_000))]
    assert len(united(halves, 10)) < 400


@pytest.mark.parametrize("metric", Metric)
def test_lists_recall_with_and_without_filters(metric: Metric) -> None:
    """Rows in a thousand clouds, as photos are; each cloud is larger than what is asked for."""
    rng = np.random.default_rng(2)
    middles = rng.standard_normal((300, 32))
    vectors = (middles[rng.integers(300, size=30_000)] + 0.4 * rng.standard_normal((30_000, 32))).astype(np.float32)
    if metric is Metric.COSINE:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = ExactIndex(32, metric, np.arange(30_000) * 3, vectors.astype(np.float16))
    lists = ListIndex(rows)
    queries = vectors[:40] + np.float32(0.05)
    for share in (1.0, 0.5, 0.1, 0.02, 0.001):
        allowed = None if share == 1.0 else rng.choice(rows.ids, int(share * len(rows)), replace=False)
        exact, found = rows.search(queries, 10, allowed), lists.search(queries, 10, allowed)
        assert found.ids.shape == exact.ids.shape
        same = found.ids == exact.ids
        np.testing.assert_array_equal(found.scores[same], exact.scores[same])  # rows are scored as exact search does
        recall = np.mean([np.isin(e, f).mean() for e, f in zip(exact.ids, found.ids, strict=True)])
        assert recall >= 0.97, f"share {share}: recall {recall}"


def test_lists_round_trip_and_damage(tmp_path) -> None:
    rows, vectors = filled(5_000)
    lists = ListIndex(rows)
    lists.save(tmp_path, "region_")
    again = ListIndex.open(tmp_path, "region_", rows)
    np.testing.assert_array_equal(again.search(vectors[:9], 3).ids, lists.search(vectors[:9], 3).ids)
    assert (again.search(vectors[:9], 1).ids[:, 0] == rows.ids[:9]).all()
    with pytest.raises(CatalogueError, match="rebuild"):
        ListIndex.open(tmp_path, "region_", filled(4_999)[0])
    order = tmp_path / "region_lists_order.npy"
    np.save(order, np.load(order) + 1)  # one place beyond the rows
    with pytest.raises(CatalogueError, match="rebuild"):
        ListIndex.open(tmp_path, "region_", rows)
    order.write_bytes(b"no array")
    with pytest.raises(CatalogueError, match="no readable lists"):
        ListIndex.open(tmp_path, "region_", rows)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=40),
    st.integers(0, 50),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_best_is_a_total_order(values: list[int], k: int, random) -> None:
    ids = list(range(len(values)))
    random.shuffle(ids)
    found = best(np.asarray(ids, np.int64), np.asarray([values], np.float32), k)
    want = sorted(zip((-v for v in values), ids, strict=True))[:k]
    assert found.ids[0].tolist() == [i for _, i in want]
    assert found.scores[0].tolist() == [-v for v, _ in want]


def test_the_graph_and_the_runtime_load_in_either_order() -> None:
    code = "from wordsight.index.graph import GraphIndex; import onnxruntime"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@given(st.lists(st.integers(0, 60)), st.lists(st.integers(-5, 70)), st.sampled_from([1, 3, 1000]))
def test_positions_with_dense_and_sparse_ids(ids: list[int], wanted: list[int], spread: int) -> None:
    known = np.unique(np.asarray(ids, np.int64) * spread)
    found = positions(known, np.asarray(wanted, np.int64) * spread)
    assert known[found].tolist() == sorted({w * spread for w in wanted} & {i * spread for i in ids})
