"""Kinds of indexes that Lance has, over the same rows with the same queries: ``python -m benchmarks.lance_kinds``.

Chooses what ``index/lance.py`` builds. Each kind is asked with as many probed partitions as that module takes, with
filters that keep all, half, 2 % and 0.1 % of the rows; the truth is exact search over the same half-precision rows.
Needs the extra ``scale``. Writes benchmarks/results/lance_kinds.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import SHARES, prepare
from benchmarks.report import ROOT, Bar, Result, machine, write_json
from wordsight.index import ExactIndex
from wordsight.types import Embeddings, Metric, RowIds

_COMMAND = "python -m benchmarks.lance_kinds"
_OURS = "what a store does"
_BEGIN, _END = f"<!-- begin lance_kinds: written by `{_COMMAND}` -->", "<!-- end lance_kinds -->"
_TOP = 10
_REPEATS = 3


@dataclass(frozen=True)
class Kind:
    """A kind of index: what to build, what to ask, and the multiple of the hits whose stored vectors are compared."""

    name: str
    index: str
    refine: int | None
    build: dict[str, Any] = field(default_factory=dict)
    ask: dict[str, Any] = field(default_factory=dict)
    one_partition: bool = False


KINDS = (
    Kind("IVF_RQ, refined", "IVF_RQ", 10),
    Kind("IVF_PQ (48 bytes), refined", "IVF_PQ", 10, {"num_sub_vectors": 48}),
    Kind("IVF_HNSW_SQ, refined", "IVF_HNSW_SQ", 3, {"m": 16, "ef_construction": 100}, {"ef": 100}),
    Kind("one HNSW_SQ graph, refined", "IVF_HNSW_SQ", 3, {"m": 16, "ef_construction": 100}, {"ef": 100}, True),
    Kind("IVF_RQ, not refined", "IVF_RQ", None),
)


def main() -> None:
    """Measure all kinds, and what the package does, and write what was found."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / ".work" / "peers")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs; nothing is written")
    given = parser.parse_args()
    if given.tiny:
        given.rows, given.dry = 5_000, True
    about = machine()
    prepare(given.work, given.rows)
    data = given.work / str(given.rows)
    vectors = np.load(data / "vectors.npy", mmap_mode="r")
    depth, queries = np.load(data / "depth.npy"), np.load(data / "queries.npy")
    result = Result("lance_kinds", "Kinds of indexes in a store")
    result.setting = {
        **{"rows": given.rows, "dim": vectors.shape[1], "queries": len(queries), "top": _TOP},
        "vectors": (data / "label").read_text(),
        "pylance": version("pylance"),
    }
    truth = _truth(vectors, depth, queries)
    for kind in KINDS:
        _kind(result, given.work / "kinds.lance", kind, (vectors, depth, queries), truth)
    _ours(result, given.work / "kinds.lance", (vectors, depth, queries), truth)
    if not given.dry:
        file = ROOT / "benchmarks" / "results" / "lance_kinds.json"
        write_json(result, file, command=_COMMAND, about=about)
        write_page(json.loads(file.read_text()))


def _truth(vectors: Embeddings, depth: np.ndarray, queries: Embeddings) -> dict[int, RowIds]:
    ids = np.arange(len(vectors))
    exact = ExactIndex(vectors.shape[1], Metric.COSINE, ids, vectors.astype(np.float16))
    return {least: exact.search(queries, _TOP, ids[depth >= least] if least else None).ids for least in SHARES}


def _table(folder: Path, vectors: Embeddings, depth: np.ndarray) -> Any:
    """Write the rows to a table of their own and return it."""
    import lance

    from wordsight.index.lance import column
    from wordsight.index.lance_table import key_field, pa, vector_field

    schema = pa.schema([key_field(), pa.field("depth", pa.int8()), vector_field(vectors.shape[1])])
    shutil.rmtree(folder, ignore_errors=True)
    ids = np.arange(len(vectors))
    rows = [pa.array(ids), pa.array(depth.astype(np.int8)), column(vectors.astype(np.float16))]
    return lance.write_dataset(pa.table(rows, schema=schema), str(folder))


def _kind(result: Result, folder: Path, kind: Kind, data: tuple[Any, Any, Any], truth: dict[int, RowIds]) -> None:
    from wordsight.index.lance import partitions, probes

    vectors, depth, queries = data
    table = _table(folder, vectors, depth)
    parts = 1 if kind.one_partition else partitions(len(vectors))
    begun = time.monotonic()
    table.create_index("vector", kind.index, metric="dot", num_partitions=parts, **kind.build)
    result.add(f"{kind.name}: building it", time.monotonic() - begun, "s")
    size = sum(file.stat().st_size for file in (folder / "_indices").rglob("*") if file.is_file())
    result.add(f"{kind.name}: on the disk", size / 1e6, "MB")

    def ask(query: np.ndarray, least: int) -> RowIds:
        nearest = {"column": "vector", "q": query, "k": _TOP, "metric": "dot", "minimum_nprobes": probes(parts)}
        nearest |= kind.ask | ({} if kind.refine is None else {"refine_factor": kind.refine})
        found = table.to_table(
            columns=["id", "_distance"], nearest=nearest, filter=f"depth >= {least}" if least else None, prefilter=True
        )
        ids: RowIds = found["id"].to_numpy()
        return ids

    _measured(result, kind.name, ask, queries, truth)


def _ours(result: Result, folder: Path, data: tuple[Any, Any, Any], truth: dict[int, RowIds]) -> None:
    from wordsight.index.lance import LanceIndex
    from wordsight.index.lance_table import LanceTable

    vectors, depth, queries = data
    _table(folder, vectors, depth)
    opened = LanceTable.open(str(folder))
    assert opened is not None
    index = LanceIndex(opened, Metric.COSINE)
    index.optimize()

    def ask(query: np.ndarray, least: int) -> RowIds:
        return index.search(query[None], _TOP, where=f"depth >= {least}" if least else None).ids[0]

    _measured(result, _OURS, ask, queries, truth, Bar(">=", 0.95))


def _measured(
    result: Result,
    name: str,
    ask: Callable[[np.ndarray, int], RowIds],
    queries: Embeddings,
    truth: dict[int, RowIds],
    bar: Bar | None = None,
) -> None:
    for least, share in SHARES.items():
        told = "no filter" if share == 1.0 else f"a filter that keeps {share:.1%}"
        ask(queries[0], least)
        recalls, seconds = [], []
        for _ in range(_REPEATS):
            for place, query in enumerate(queries):
                begun = time.perf_counter()
                got = ask(query, least)
                seconds.append(time.perf_counter() - begun)
                recalls.append(float(np.isin(truth[least][place], got).mean()))
        result.raw[f"{name}, {told}, ms"] = [round(each * 1e3, 3) for each in seconds]
        result.add(f"{name}: recall@{_TOP}, {told}", statistics.fmean(recalls), "", bar)
        result.add(f"{name}: a query, {told}", statistics.median(seconds) * 1e3, "ms")


def write_page(document: dict[str, Any], page: Path = ROOT / "docs" / "store.md") -> None:
    """Put a table of the results between the page's two markers: a line a kind."""
    before, rest = page.read_text().split(_BEGIN, 1)
    page.write_text(f"{before}{_BEGIN}\n{_lines(document)}\n{_END}{rest.split(_END, 1)[1]}")


def _lines(document: dict[str, Any]) -> str:
    values = {figure["name"]: figure["value"] for figure in document["figures"]}
    filters = ["no filter", *(f"a filter that keeps {share:.1%}" for share in SHARES.values() if share < 1)]
    lines = ["| kind | built in | on the disk | recall@10: all, 50 %, 2 %, 0.1 % | a query: all, 50 %, 2 %, 0.1 % |"]
    lines += ["|---|---:|---:|---|---|"]
    for name in (*(kind.name for kind in KINDS), _OURS):
        made = [
            f"{values[f'{name}: {what}']:.3g} {unit}"
            for what, unit in (("building it", "s"), ("on the disk", "MB"))
            if f"{name}: {what}" in values
        ] or ["", ""]
        recalls = ", ".join(f"{values[f'{name}: recall@{_TOP}, {told}']:.3f}" for told in filters)
        times = ", ".join(f"{values[f'{name}: a query, {told}']:.3g}" for told in filters)
        lines.append(f"| {name} | {made[0]} | {made[1]} | {recalls} | {times} ms |")
    about, setting = document["machine"], document["setting"]
    lines += [
        "",
        f"`{document['command']}`: {setting['rows']:,} rows of {setting['dim']} dimensions ({setting['vectors']}), "
        f"{setting['queries']} queries; {about['processor']}, {about['cores']} cores, pylance {setting['pylance']}, "
        f"{document['date'][:10]}. All repeats: `benchmarks/results/lance_kinds.json`.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
