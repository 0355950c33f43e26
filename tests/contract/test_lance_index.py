"""The index over Lance passes the contract suite of all indexes, and keeps its promises at any size and version."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from wordsight.index import ExactIndex
from wordsight.testing import check_index
from wordsight.types import Metric

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight.index.lance import LanceIndex, partitions, schema
from wordsight.index.lance_table import LanceTable


def opened(folder: Path, dim: int, metric: Metric) -> LanceIndex:
    return LanceIndex(LanceTable.ensure(str(folder), schema(dim)), metric)


@pytest.mark.parametrize("seed", range(3))
def test_obeys_the_protocol(tmp_path: Path, seed: int) -> None:
    numbers = count()
    check_index(lambda dim, metric: opened(tmp_path / f"{next(numbers)}.lance", dim, metric), seed=seed)


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    middles = rng.standard_normal((60, 32), np.float32)
    vectors = middles[rng.integers(0, 60, 12_000)] + 0.6 * rng.standard_normal((12_000, 32), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.arange(12_000) * 7, vectors


def test_approximate_and_filtered_search_find_what_exact_search_finds(tmp_path: Path, rows, monkeypatch) -> None:
    ids, vectors = rows
    monkeypatch.setattr("wordsight.index.lance.WHOLE_BELOW", 1_000)  # so that half of the rows are searched by codes
    index = opened(tmp_path / "t.lance", 32, Metric.COSINE)
    index.add(ids, vectors)
    index.optimize(index_from=5_000)
    assert "vector" in index.table.indexed()
    exact = ExactIndex(32, Metric.COSINE, ids, vectors.astype(np.float16))
    queries = vectors[::600] + 0.05
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    for share in (1.0, 0.5, 0.02, 0.001):
        allowed = None if share == 1.0 else ids[: int(share * len(ids))]
        want, got = exact.search(queries, 10, allowed), index.search(queries, 10, allowed)
        assert got.ids.shape == want.ids.shape
        recall = np.mean([np.isin(w, g).mean() for w, g in zip(want.ids, got.ids, strict=True)])
        assert recall >= 0.95, f"share {share}: recall {recall}"
        np.testing.assert_allclose(got.scores[:, 0], want.scores[:, 0], atol=1e-3)


def test_new_rows_are_found_before_and_after_the_index_takes_them_in(tmp_path: Path, rows) -> None:
    ids, vectors = rows
    index = opened(tmp_path / "t.lance", 32, Metric.COSINE)
    index.add(ids[1:], vectors[1:])
    index.optimize(index_from=5_000)
    index.add(ids[:1], -vectors[:1])
    assert index.search(-vectors[:1], 1).ids[0, 0] == ids[0]
    index.optimize(index_from=5_000)
    assert index.search(-vectors[:1], 1).ids[0, 0] == ids[0]
    index.remove(ids[:1])
    assert ids[0] not in index.search(-vectors[:1], 50).ids


def test_a_reader_sees_one_version_until_it_asks_for_the_newest(tmp_path: Path, rows) -> None:
    ids, vectors = rows
    writer = opened(tmp_path / "t.lance", 32, Metric.EUCLIDEAN)
    writer.add(ids[:50], vectors[:50])
    reader = opened(tmp_path / "t.lance", 32, Metric.EUCLIDEAN)
    writer.remove(ids[:10])
    writer.add(ids[50:60], vectors[50:60])
    writer.optimize()
    assert len(reader) == 50
    assert reader.search(vectors[:1], 1).ids[0, 0] == ids[0]
    reader.table.refresh()
    assert len(reader) == 50
    assert ids[0] not in reader.search(vectors[:1], 60).ids


def test_half_precision_is_kept_bit_by_bit(tmp_path: Path) -> None:
    index = opened(tmp_path / "t.lance", 4, Metric.EUCLIDEAN)
    values = np.asarray([[0.0, -0.0, 6e-8, 65504], [-65504, 1e-5, 1 / 3, -1]], np.float32)
    index.add(np.asarray([1, 2]), values)
    from wordsight.index.lance import matrix

    table = index.table.rows(["id", "vector"]).sort_by("id")
    assert matrix(table["vector"], 4).tobytes() == values.astype(np.float16).tobytes()


def test_partitions_grow_with_the_rows() -> None:
    assert [partitions(n) for n in (0, 10_000, 1_000_000)] == [1, 2, 244]
