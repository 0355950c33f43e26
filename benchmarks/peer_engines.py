"""Vector searches of others and our own behind one small interface, each run as a process of its own.

``python -m benchmarks.peer_engines ENGINE WORK ROWS (build | first | ask)`` prints JSON. The data lie in ``WORK/ROWS``
(see peers.py): ``vectors`` float32, ``depth`` (each row's; a filter keeps those of at least some depth), ``queries``.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TOP = 10
DIM = 384
Rows = NDArray[np.float32]


class Engine(Protocol):
    """``asks``: queries at most, where one takes long. ``filters``: whether it can filter at all."""

    asks: int
    filters: bool

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> float | None: ...

    def open(self, place: Path, data: Path) -> None: ...

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]: ...


class _Kept:
    """Row numbers that each filter keeps, for engines that are given ids; found before anything is timed."""

    def keep(self, data: Path) -> None:
        depths = np.load(data / "depth.npy")
        self.kept = {depth: np.flatnonzero(depths >= depth) for depth in (1, 2, 3)}


class Numpy(_Kept):
    """All rows in memory, one matrix product in float32 on all cores; a filter gathers its rows."""

    asks, filters = 40, True

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        (place / "rows.npy").hardlink_to(place.parent / "vectors.npy")

    def open(self, place: Path, data: Path) -> None:
        self.rows = np.load(place / "rows.npy")
        self.keep(data)

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        kept = self.kept.get(depth)
        scores = (self.rows if kept is None else self.rows[kept]) @ query
        found = np.argpartition(scores, -min(TOP, len(scores)))[-TOP:]
        found = found[np.argsort(-scores[found])]
        return (found if kept is None else kept[found]).tolist()


class NumpyAlone(Numpy):
    """The same on one thread, which is faster where two wait for each other."""

    def open(self, place: Path, data: Path) -> None:
        from threadpoolctl import threadpool_limits

        self.limit = threadpool_limits(1)
        super().open(place, data)


class WordsightExact(_Kept):
    """The index files of a catalogue, scanned."""

    asks, filters = 40, True
    lists = False

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> float:
        """Return the seconds that the index files took: the catalogue is made once, for both kinds."""
        from benchmarks import synthetic
        from wordsight.library import derived
        from wordsight.library.catalogue import Catalogue
        from wordsight.registry import load_encoder

        start = 0

        def draw(count: int) -> Rows:
            nonlocal start
            start += count
            return np.asarray(vectors[start - count : start])

        common = place.parent / "wordsight-catalogue"
        label = (place.parent / "label").read_text()
        synthetic.make(common, load_encoder("mini"), len(vectors), draw=draw, label=label)
        shutil.copytree(common, place / "catalogue", dirs_exist_ok=True)
        derived.LISTS_FROM = 0  # lists at all sizes, to compare
        with Catalogue.open(place / "catalogue", create=True) as catalogue, catalogue.writing():
            begun = time.perf_counter()
            derived.fold(catalogue, catalogue.encoders()[0], graph_from=0 if self.lists else None)
            return time.perf_counter() - begun

    def open(self, place: Path, data: Path) -> None:
        from wordsight.library import derived
        from wordsight.library.catalogue import Catalogue
        from wordsight.machine import cores

        self.catalogue = Catalogue.open(place / "catalogue")
        self.index = derived.open_index(self.catalogue, self.catalogue.encoders()[0], threads=cores())
        assert (type(self.index).__name__ == "ListIndex") == self.lists
        self.keep(data)
        self.kept = {depth: rows + 1 for depth, rows in self.kept.items()}  # ids begin with 1

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        return (self.index.search(query[None], TOP, self.kept.get(depth)).ids[0] - 1).tolist()


class WordsightLists(WordsightExact):
    """The same with inverted lists: approximate."""

    lists = True


class RclipScan:
    """What rclip does for each query: all rows of a folder out of SQLite, one array each, stacked, a product, sorted.

    Written anew after rclip/main.py and db.py (``_get_features``, ``get_image_vectors_by_dir_path``): table, statement,
    ``np.frombuffer`` per row, ``np.stack``, and Python's ``sorted`` over all scores. A filter is a folder, as in rclip.
    """

    asks, filters = 4, True

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        with sqlite3.connect(place / "db.sqlite3") as db:
            db.execute(
                "CREATE TABLE images (id INTEGER PRIMARY KEY, deleted BOOLEAN, filepath TEXT NOT NULL UNIQUE, "
                "modified_at DATETIME NOT NULL, size INTEGER NOT NULL, vector BLOB NOT NULL)"
            )
            db.execute("CREATE UNIQUE INDEX existing_images ON images(filepath) WHERE deleted IS NULL")
            db.executemany(
                "INSERT INTO images VALUES (?, NULL, ?, 0.0, 1, ?)",
                ((i, f"{_folder(int(depth[i]))}{i:07d}.jpg", vectors[i].tobytes()) for i in range(len(vectors))),
            )

    def open(self, place: Path, data: Path) -> None:
        self.db = sqlite3.connect(place / "db.sqlite3")
        self.db.row_factory = sqlite3.Row

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        paths, features = [], []
        rows = self.db.execute(
            "SELECT filepath, vector FROM images WHERE filepath LIKE ? ESCAPE '\\' AND deleted IS NULL",
            [_folder(depth) + "%"],
        )
        for row in rows:
            paths.append(row["filepath"])
            features.append(np.frombuffer(row["vector"], np.float32))
        scores = np.stack(features) @ query
        ranked = sorted(zip(scores, range(len(paths)), strict=True), key=lambda pair: pair[0], reverse=True)
        return [int(paths[place].rpartition("/")[2][:7]) for _, place in ranked[:TOP]]


def _folder(depth: int) -> str:
    return "/photos/" + "".join(f"{name}/" for name in "abc"[:depth])


class SqliteVec:
    """sqlite-vec's table, loaded by apsw: the standard module of many Pythons cannot load extensions."""

    asks, filters = 10, True

    def _connect(self, place: Path) -> Any:
        import apsw
        import sqlite_vec

        db = apsw.Connection(str(place / "vec.sqlite3"))
        db.enable_load_extension(True)
        db.load_extension(sqlite_vec.loadable_path())
        return db

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        db = self._connect(place)
        db.execute(
            f"CREATE VIRTUAL TABLE v USING vec0(id INTEGER PRIMARY KEY, depth INTEGER, "
            f"vector float[{DIM}] distance_metric=cosine)"
        )
        with db:
            rows = ((i, int(depth[i]), vectors[i].tobytes()) for i in range(len(vectors)))
            db.executemany("INSERT INTO v (id, depth, vector) VALUES (?, ?, ?)", rows)
        db.close()

    def open(self, place: Path, data: Path) -> None:
        self.db = self._connect(place)

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        where, more = (" AND depth >= ?", [depth]) if depth else ("", [])
        found = self.db.execute(
            f"SELECT id FROM v WHERE vector MATCH ? AND k = {TOP}{where} ORDER BY distance", [query.tobytes(), *more]
        )
        return [row[0] for row in found]


class LanceDB:
    """An IVF_RQ index with the exact vectors to refine by: without refinement its recall is far lower."""

    asks, filters = 40, True
    REFINE, PROBES = 10, 20

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        import lancedb
        import pyarrow as pa

        schema = pa.schema([("id", pa.int64()), ("depth", pa.uint8()), ("vector", pa.list_(pa.float32(), DIM))])
        table = lancedb.connect(str(place)).create_table("v", schema=schema)
        for start in range(0, len(vectors), 100_000):
            part = np.ascontiguousarray(vectors[start : start + 100_000])
            flat = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), DIM)
            ids, depths = pa.array(np.arange(start, start + len(part))), pa.array(depth[start : start + len(part)])
            table.add(pa.table([ids, depths, flat], schema=schema))
        lists = max(16, round(len(vectors) ** 0.5))
        table.create_index(metric="cosine", index_type="IVF_RQ", num_partitions=lists, vector_column_name="vector")

    def open(self, place: Path, data: Path) -> None:
        import lancedb

        self.table = lancedb.connect(str(place)).open_table("v")

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        search = self.table.search(query).distance_type("cosine").nprobes(self.PROBES).refine_factor(self.REFINE)
        if depth:
            search = search.where(f"depth >= {depth}", prefilter=True)
        return search.limit(TOP).select(["id"]).to_arrow()["id"].to_pylist()


class FaissIVF(_Kept):
    """Inverted lists of 8-bit rows, as many as ours, and as many looked into; a filter is a bitmap."""

    asks, filters = 40, True
    PROBES = 40

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        import faiss

        lists = max(16, round(2 * len(vectors) ** 0.5))
        index = faiss.index_factory(DIM, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.train(np.ascontiguousarray(vectors[:: max(1, len(vectors) // (64 * lists))]))
        for start in range(0, len(vectors), 50_000):
            index.add(np.ascontiguousarray(vectors[start : start + 50_000]))
        faiss.write_index(index, str(place / "index"))

    def open(self, place: Path, data: Path) -> None:
        import faiss

        self.faiss, self.index = faiss, faiss.read_index(str(place / "index"), faiss.IO_FLAG_MMAP)
        depths = np.load(data / "depth.npy")
        self.selectors = {d: faiss.IDSelectorBitmap(np.packbits(depths >= d, bitorder="little")) for d in (1, 2, 3)}

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        wanted = self.faiss.SearchParametersIVF(nprobe=self.PROBES, **({"sel": self.selectors[depth]} if depth else {}))
        return self.index.search(query[None], TOP, params=wanted)[1][0].tolist()


class FaissFlat(FaissIVF):
    """All rows in float32, compared one by one."""

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        import faiss

        index = faiss.IndexFlatIP(DIM)
        index.add(np.ascontiguousarray(vectors))
        faiss.write_index(index, str(place / "index"))

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        more = {"params": self.faiss.SearchParameters(sel=self.selectors[depth])} if depth else {}
        return self.index.search(query[None], TOP, **more)[1][0].tolist()


class Usearch:
    """usearch's own HNSW graph of half-precision rows, memory-mapped; its Python package cannot filter."""

    asks, filters = 40, False

    def build(self, place: Path, vectors: Rows, depth: NDArray[np.uint8]) -> None:
        from wordsight.index import graph

        index = graph._empty(DIM, graph.Metric.COSINE)  # the same settings as ours
        index.add(np.arange(len(vectors)), vectors.astype(np.float16))
        index.save(str(place / "graph"))

    def open(self, place: Path, data: Path) -> None:
        import onnxruntime  # noqa: F401  # before usearch: see wordsight/index/graph.py
        from usearch.index import Index

        self.index = Index.restore(str(place / "graph"), view=True)
        self.first = 1 if (place / "ours").is_file() else 0  # ids of a graph that was built by our code

    def ask(self, query: NDArray[np.float32], depth: int) -> list[int]:
        return (np.asarray(self.index.search(query.astype(np.float16), TOP).keys, np.int64) - self.first).tolist()


ENGINES: dict[str, type[Any]] = {
    "numpy float32": Numpy,
    "numpy float32, one thread": NumpyAlone,
    "wordsight exact": WordsightExact,
    "wordsight lists": WordsightLists,
    "rclip's scan": RclipScan,
    "sqlite-vec": SqliteVec,
    "faiss flat": FaissFlat,
    "faiss IVF-SQ8": FaissIVF,
    "usearch HNSW": Usearch,
    "LanceDB IVF_RQ": LanceDB,
}
EXACT = ("numpy float32", "numpy float32, one thread", "wordsight exact", "rclip's scan", "sqlite-vec", "faiss flat")


def folder(work: Path, rows: int, name: str) -> Path:
    """Return where an engine keeps its files."""
    return work / str(rows) / name.replace(" ", "-").replace("'", "")


def main(name: str, work: Path, rows: int, step: str) -> dict[str, Any]:
    """Take one step."""
    data, place = work / str(rows), folder(work, rows, name)
    engine: Engine = ENGINES[name]()
    if step == "build":
        place.mkdir(parents=True, exist_ok=True)
        vectors = np.load(data / "vectors.npy", mmap_mode="r")
        start, cpu = time.perf_counter(), time.process_time()
        took = engine.build(place, vectors, np.load(data / "depth.npy"))
        return {"seconds": took or time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    queries = np.load(data / "queries.npy")
    engine.open(place, data)
    first = engine.ask(queries[0], 0)
    if step == "first":
        return {"found": first}
    answers: dict[str, Any] = {}
    for depth in range(4 if engine.filters else 1):
        times, found = [], []
        engine.ask(queries[0], depth)
        for query in queries[:: len(queries) // engine.asks][: engine.asks]:
            start = time.perf_counter()
            found.append(engine.ask(query, depth))
            times.append((time.perf_counter() - start) * 1e3)
        answers[str(depth)] = {"ms": times, "found": found}
    return answers


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
