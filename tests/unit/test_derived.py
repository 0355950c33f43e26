"""Index files follow the catalogue: when they are made, what is never read, and that answers do not depend on them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex
from wordsight.index.graph import GraphIndex
from wordsight.index.lists import ListIndex
from wordsight.library import Catalogue, derived
from wordsight.library.catalogue import StoredEncoder, pack
from wordsight.testing import ColourEncoder
from wordsight.types import Metric

DIM = 24


class AnyEncoder(ColourEncoder):
    name = "any"
    fingerprint = "any-1"
    dim = DIM


class EuclideanEncoder(AnyEncoder):
    name = "euclidean"
    fingerprint = "euclidean-1"
    metric = Metric.EUCLIDEAN


@pytest.fixture(params=[AnyEncoder, EuclideanEncoder])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Catalogue, StoredEncoder]]:
    """A catalogue open for writing, with 60 vectors."""
    with Catalogue.open(tmp_path / "catalogue", create=True) as catalogue, catalogue.writing():
        stored = catalogue.add_encoder(request.param())
        add(catalogue, stored, 60)
        yield catalogue, stored


def add(catalogue: Catalogue, stored: StoredEncoder, count: int) -> None:
    have = catalogue.db.execute("SELECT coalesce(max(id), 0) FROM contents").fetchone()[0]
    rng = np.random.default_rng(have)
    vectors = rng.standard_normal((count, DIM)).astype(np.float32)
    if stored.metric is Metric.COSINE:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with catalogue.transaction():
        for number, blob in enumerate(pack(vectors), start=have + 1):
            values = [number, number.to_bytes(32, "big")]
            catalogue.db.execute("INSERT INTO contents VALUES (?, ?, 1, 1, 'png', NULL, NULL, NULL, NULL)", values)
            catalogue.db.execute("INSERT INTO vectors VALUES (NULL, ?, ?, ?)", [stored.id, number, blob])


def remove(catalogue: Catalogue, *ids: int) -> None:
    catalogue.db.executemany("DELETE FROM contents WHERE id = ?", [[i] for i in ids])


def check(catalogue: Catalogue, stored: StoredEncoder, kind: type | None = None) -> None:
    """The index answers as the database does, bit by bit, with and without a filter."""
    index = derived.open_index(catalogue, stored)
    assert kind is None or type(index) is kind
    ids, vectors = catalogue.vectors_after(stored, 0)
    plain = ExactIndex(DIM, stored.metric, ids, vectors.astype(np.float16))
    assert len(index) == len(plain)
    queries = np.random.default_rng(5).standard_normal((4, DIM)).astype(np.float32)
    for allowed in (None, ids[::2], ids[-3:], ids[:0], np.asarray([10**9])):
        for k in (1, 7, 1000):
            want, got = plain.search(queries, k, allowed), index.search(queries, k, allowed)
            assert want.ids.tolist() == got.ids.tolist()
            assert want.scores.tolist() == got.scores.tolist()


def home(catalogue: Catalogue, stored: StoredEncoder) -> Path:
    return catalogue.location / "index" / str(stored.id)


def files(catalogue: Catalogue, stored: StoredEncoder) -> Path:
    generation = catalogue.generation(stored)
    assert generation is not None
    return home(catalogue, stored) / generation


@pytest.mark.parametrize("kind", [ExactIndex, GraphIndex, ListIndex])
def test_answers_do_not_depend_on_where_vectors_lie(filled, kind, monkeypatch) -> None:
    graph_from = None if kind is ExactIndex else 1
    monkeypatch.setattr(derived, "COARSE_FROM", 1)
    monkeypatch.setattr(derived, "LISTS_FROM", 1 if kind is ListIndex else 10**6)
    catalogue, stored = filled
    check(catalogue, stored)
    derived.fold(catalogue, stored, graph_from=graph_from)
    check(catalogue, stored, kind)
    add(catalogue, stored, 25)
    check(catalogue, stored, LayeredIndex)
    remove(catalogue, 1, 2, 33, 60, 61, 85)  # of the files, and of the rest
    check(catalogue, stored, LayeredIndex)
    derived.fold(catalogue, stored, graph_from=graph_from)
    check(catalogue, stored, kind)
    remove(catalogue, *range(1, 86))
    check(catalogue, stored)
    derived.fold(catalogue, stored, graph_from=graph_from)
    check(catalogue, stored)


def test_folding_is_due_after_a_thousand_changes_or_a_twentieth(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, stored = filled
    monkeypatch.setattr(derived, "_FEW", 10)
    assert derived.fold_if_due(catalogue, stored)
    assert not derived.fold_if_due(catalogue, stored)
    add(catalogue, stored, 9)
    remove(catalogue, 1)
    assert not derived.fold_if_due(catalogue, stored)  # ten
    remove(catalogue, 2)
    assert derived.fold_if_due(catalogue, stored)
    assert catalogue.removed(stored).tolist() == []
    add(catalogue, stored, 340)
    derived.fold(catalogue, stored)
    assert len(derived.open_index(catalogue, stored)) == 407
    add(catalogue, stored, 20)
    assert not derived.fold_if_due(catalogue, stored)  # a twentieth of 407
    add(catalogue, stored, 1)
    assert derived.fold_if_due(catalogue, stored)


def test_a_new_generation_replaces_the_files_of_the_old_one(filled) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored, graph_from=1)
    first = files(catalogue, stored)
    assert sorted(file.name for file in first.iterdir()) == ["graph", "ids", "manifest.json", "vectors"]
    assert len(np.fromfile(first / "ids", "<i8")) == json.loads((first / "manifest.json").read_text())["rows"] == 60
    (first.parent / "left by a kill").mkdir()
    (first.parent / "vectors-1.npy").touch()  # as an earlier layout had them
    derived.fold(catalogue, stored)
    second = files(catalogue, stored)
    assert second != first
    assert list(second.parent.iterdir()) == [second]
    assert sorted(file.name for file in second.iterdir()) == ["ids", "manifest.json", "vectors"]


def test_a_reader_keeps_what_it_opened(filled) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored, graph_from=1)
    with Catalogue.open(catalogue.location) as reader:
        index = derived.open_index(reader, stored)
        query = np.ones((1, DIM), np.float32)
        before = index.search(query, 9)
        remove(catalogue, *range(1, 50))
        derived.fold(catalogue, stored)
        assert index.search(query, 9).ids.tolist() == before.ids.tolist()
        assert len(derived.open_index(reader, stored)) == 11


def test_a_reader_between_two_generations_goes_on_to_the_newer(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has seen the old state; before it opens the files, they are replaced and ``removed`` is cleared."""
    catalogue, stored = filled
    derived.fold(catalogue, stored)
    with Catalogue.open(catalogue.location) as reader, reader.snapshot():
        assert reader.vector_count(stored) == 60
        remove(catalogue, *range(1, 50))
        derived.fold(catalogue, stored)
        index = derived.open_index(reader, stored)
        assert type(index) is ExactIndex
        assert index.search(np.ones((1, DIM), np.float32), 99).ids.min() == 50
        assert reader.vector_count(stored) == 11


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("name", ["ids", "vectors", "graph", "lists_codes.npy", "manifest.json"])
@pytest.mark.parametrize("harm", [Path.unlink, truncate, lambda file: file.write_bytes(b""), zero])
def test_damaged_files_are_not_used_and_the_next_run_makes_them_anew(filled, monkeypatch, name, harm) -> None:
    if name == "vectors" and harm is zero:
        pytest.skip("vectors carry no mark by which lost bytes could be told at once; `wordsight recall` shows them")
    catalogue, stored = filled
    monkeypatch.setattr(derived, "_FEW", 10)
    monkeypatch.setattr(derived, "LISTS_FROM", 1 if name.startswith("lists") else 10**6)
    derived.fold(catalogue, stored, graph_from=1)
    harm(files(catalogue, stored) / name)
    check(catalogue, stored, LayeredIndex)
    assert derived.fold_if_due(catalogue, stored, graph_from=1)
    check(catalogue, stored, ListIndex if name.startswith("lists") else GraphIndex)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"rows": "x", "bytes": {}}', '{"rows": 60, "bytes": 5}', "\0", '{"rows": 3,']
)
def test_a_manifest_that_says_nothing(filled, text: str) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored)
    (files(catalogue, stored) / "manifest.json").write_text(text)
    check(catalogue, stored, LayeredIndex)


def test_files_of_another_catalogue_or_encoder_are_not_read(filled, tmp_path: Path) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored)
    with Catalogue.open(tmp_path / "anew", create=True) as anew, anew.writing():
        again = anew.add_encoder(AnyEncoder())
        add(anew, again, 3)
        shutil.copytree(catalogue.location / "index", anew.location / "index")
        assert again.id == stored.id
        check(anew, again, LayeredIndex)
        derived.fold(anew, again)
        check(anew, again, ExactIndex)
        assert len(list(home(anew, again).iterdir())) == 1


def test_a_kill_before_the_database_knows_leaves_the_old_files(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored)
    add(catalogue, stored, 5)
    remove(catalogue, 7)

    class Killed(BaseException):
        pass

    def kill(*_) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "adopt", kill)
        with pytest.raises(Killed):
            derived.fold(catalogue, stored)
    check(catalogue, stored, LayeredIndex)
    with monkeypatch.context() as patch:
        patch.setattr(derived, "_drop_others", kill)
        with pytest.raises(Killed):
            derived.fold(catalogue, stored)
    check(catalogue, stored, ExactIndex)
    assert len(list(home(catalogue, stored).iterdir())) == 3
    derived.fold(catalogue, stored)
    assert len(list(home(catalogue, stored).iterdir())) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("No space left on device")])
def test_a_full_disk_leaves_no_half_files(filled, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    catalogue, stored = filled
    derived.fold(catalogue, stored)
    before = files(catalogue, stored)

    def full(*_) -> None:
        raise error

    monkeypatch.setattr(GraphIndex, "save", full)
    with pytest.raises(CatalogueError, match=r"No space left on device.*make room"):
        derived.fold(catalogue, stored, graph_from=1)
    assert list(home(catalogue, stored).iterdir()) == [before]
    check(catalogue, stored, ExactIndex)


def test_damage_in_the_database_is_not_folded(filled) -> None:
    catalogue, stored = filled
    catalogue.db.execute("UPDATE vectors SET vector = x'00' WHERE id = 9")
    with pytest.raises(CatalogueError, match="damaged"):
        derived.open_index(catalogue, stored)
    with pytest.raises(CatalogueError, match="damaged"):
        derived.fold(catalogue, stored)


def test_a_graph_built_by_several_threads_reaches_every_row() -> None:
    rng = np.random.default_rng(1)
    for count in (40, 500, 3000):
        vectors = rng.standard_normal((count, DIM)).astype(np.float16)
        vectors[:10] = vectors[0]  # copies
        rows = ExactIndex(DIM, Metric.EUCLIDEAN, np.arange(count) * 2 + 1, vectors)
        graph = GraphIndex.build(rows, threads=4)
        found = graph.search(vectors[10:].astype(np.float32), 1)
        assert found.ids[:, 0].tolist() == rows.ids[10:].tolist()
