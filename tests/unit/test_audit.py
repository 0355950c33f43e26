"""`recall`: the derived index against exact search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wordsight.errors import CatalogueError
from wordsight.library import Catalogue, derived, region_table
from wordsight.library.audit import audit
from wordsight.library.catalogue import pack
from wordsight.library.regions import LAYOUT, Regions, layout
from wordsight.testing import ColourEncoder


class WideEncoder(ColourEncoder):
    dim = 32


@pytest.mark.parametrize(("graph_from", "kind"), [(None, "ExactIndex"), (1, "GraphIndex")])
def test_recall_of_both_kinds(tmp_path: Path, graph_from: int | None, kind: str) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Catalogue.open(tmp_path, create=True) as catalogue, catalogue.writing():
        stored = catalogue.add_encoder(WideEncoder())
        with pytest.raises(CatalogueError, match="empty"):
            audit(catalogue, stored)
        with catalogue.transaction():
            for i, blob in enumerate(pack(vectors), start=1):
                row = [i, i.to_bytes(32, "big")]
                catalogue.db.execute("INSERT INTO contents VALUES (?, ?, 1, 1, 'png', NULL, NULL, NULL, NULL)", row)
                catalogue.db.execute("INSERT INTO vectors VALUES (NULL, ?, ?, ?)", [stored.id, i, blob])
        derived.fold(catalogue, stored, graph_from=graph_from)
        rows = audit(catalogue, stored, queries=20)
    assert [row.share for row in rows] == [1.0, 0.5, 0.1, 0.02, 0.001]
    assert {row.kind for row in rows} == {kind}
    assert all(row.recall >= (0.9 if graph_from else 1.0) for row in rows)
    assert all(row.index_ms > 0 and row.exact_ms > 0 for row in rows)


@pytest.mark.parametrize("graph_from", [None, 1])
def test_recall_of_regions(tmp_path: Path, graph_from: int | None) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((6 * 400, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Catalogue.open(tmp_path, create=True) as catalogue, catalogue.writing():
        with catalogue.transaction():
            stored = region_table.want(catalogue.db, catalogue.add_encoder(WideEncoder()), LAYOUT)
            for i, (blob, parts) in enumerate(zip(pack(vectors[:400]), vectors[400:].reshape(400, 5, 32), strict=True)):
                row = [i, i.to_bytes(32, "big")]
                catalogue.db.execute("INSERT INTO contents VALUES (?, ?, 1, 1, 'png', NULL, NULL, NULL, NULL)", row)
                catalogue.db.execute("INSERT INTO vectors VALUES (NULL, ?, ?, ?)", [stored.id, i, blob])
                region_table.write(catalogue.db, stored, i, Regions(layout(400, 300), parts))
        derived.fold(catalogue, stored, graph_from=graph_from)
        rows = audit(catalogue, stored, queries=20)
    assert [row.kind for row in rows] == ["GraphIndex" if graph_from else "ExactIndex"] * 5 + ["RegionIndex"] * 5
    assert all(row.recall >= (0.9 if graph_from else 1.0) for row in rows)
