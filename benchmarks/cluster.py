"""A job on a Ray cluster of two nodes here against the same job on threads: ``python -m benchmarks.cluster``.

And the index of a store: recall and time of a query against exact search, with and without filters. Needs the extra
``ray``. Writes benchmarks/results/cluster.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import photos
from benchmarks.report import ROOT, Bar, Result, machine, write_json, write_table
from wordsight.index import ExactIndex
from wordsight.library.report import Progress
from wordsight.registry import load_encoder
from wordsight.types import Metric

_COMMAND = "python -m benchmarks.cluster"
_SIZE = (640, 480)
_WARM = 0.25  # share of the photos after which a job is taken to run as it goes on
_ROWS, _DIM, _QUERIES = 100_000, 384, 50


def main() -> None:
    """Measure both and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / ".work")
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs; nothing is written")
    given = parser.parse_args()
    if given.tiny:
        given.photos, given.rows, given.repeats = 64, 5_000, 1
    os.environ["WORDSIGHT_RUNTIME"] = "onnxruntime"  # one for both: a trial could choose differently
    about = machine()
    result = Result("cluster", "Ray on two nodes of this machine, and the index of a store")
    result.setting = {"photos": given.photos, "size": f"{_SIZE[0]} x {_SIZE[1]}", "encoder": "mini", "rows": given.rows}
    result.setting |= {name: version(name) for name in ("ray", "pylance")}
    _jobs(result, given.work, given.photos, given.repeats)
    _index(result, given.work, given.rows)
    if given.tiny:
        return
    write_json(result, ROOT / "benchmarks" / "results" / "cluster.json", command=_COMMAND, about=about)
    write_table(ROOT / "benchmarks" / "results" / "cluster.json", ROOT / "docs" / "store.md")


def _jobs(result: Result, work: Path, count: int, repeats: int) -> None:
    import ray

    from faults.cluster import nodes
    from wordsight.scale.ray_runner import RayRunner
    from wordsight.scale.runners import LocalRunner, Runner

    folder = photos.make(work / f"cluster-{count}", count, _SIZE, pictures=min(count, 100))
    encoder = load_encoder("mini")
    rates: dict[str, list[tuple[float, float]]] = {"threads": [], "ray": []}
    with nodes(2) as cluster:
        ray.init(cluster.address, log_to_driver=False, configure_logging=False)
        runners: dict[str, Runner] = {
            "threads": LocalRunner(encoder, 2),
            "ray": RayRunner("mini", encoder.fingerprint),
        }
        for number in range(repeats + 1):  # the first round warms the disk's cache and is left out
            for name, runner in runners.items():
                rate = _job(folder, work / "cluster-store", encoder, runner, count if number else min(count, 500))
                if number:
                    rates[name].append(rate)
        ray.shutdown()
    result.raw = {name: [list(pair) for pair in pairs] for name, pairs in rates.items()}
    whole, warm = ({name: statistics.median(pair[part] for pair in rates[name]) for name in rates} for part in (0, 1))
    for name in rates:
        result.add(f"{name}, whole job", whole[name], "photos/s")
        result.add(f"{name}, when it runs", warm[name], "photos/s")
    bar = Bar(">=", 0.8)
    result.add("ray / threads, when it runs", warm["ray"] / warm["threads"], "", bar)
    result.add("ray / threads, whole job with starting workers", whole["ray"] / whole["threads"], "", bar)


def _job(folder: Path, store: Path, encoder: Any, runner: Any, count: int) -> tuple[float, float]:
    """Return photos a second of the whole job, and after its first quarter."""
    from wordsight.scale.job import fill

    shutil.rmtree(store, ignore_errors=True)
    marks: list[tuple[float, int]] = []

    def note(state: Progress) -> None:
        if not marks or state.encoded > marks[-1][1]:
            marks.append((time.monotonic(), state.encoded))

    sources = [str(folder)] if count > 500 else [str(photos.listing(folder)[0].parent)]
    report = fill(str(store), sources, encoder, runner, progress=note)
    first = next(mark for mark in marks if mark[1] >= _WARM * report.encoded)
    last = marks[-1]
    return report.encoded / report.seconds, (last[1] - first[1]) / max(last[0] - first[0], 1e-9)


def _index(result: Result, work: Path, rows: int) -> None:
    from wordsight.index.lance import LanceIndex, schema
    from wordsight.index.lance_table import LanceTable

    rng = np.random.default_rng(3)
    middles = rng.standard_normal((500, _DIM), np.float32) + 0.5
    vectors = middles[rng.integers(0, 500, rows)] + 0.9 * rng.standard_normal((rows, _DIM), np.float32)
    queries = middles[rng.integers(0, 500, _QUERIES)] + 1.2 * rng.standard_normal((_QUERIES, _DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ids = np.arange(rows)
    exact = ExactIndex(_DIM, Metric.COSINE, ids, vectors.astype(np.float16))
    shutil.rmtree(work / "rows.lance", ignore_errors=True)
    index = LanceIndex(LanceTable.ensure(str(work / "rows.lance"), schema(_DIM)), Metric.COSINE)
    for start in range(0, rows, 25_000):
        index.add(ids[start : start + 25_000], vectors[start : start + 25_000])
    begun = time.monotonic()
    index.optimize()
    result.add("building the index", time.monotonic() - begun, "s")
    for share in (1.0, 0.5, 0.02, 0.001):
        last = int(share * rows)
        want = exact.search(queries, 10, None if share == 1.0 else ids[:last])
        where = None if share == 1.0 else f"id < {last}"
        index.search(queries[:1], 10, where=where)
        seconds, recalls = [], []
        for place, query in enumerate(queries):
            begun = time.perf_counter()
            got = index.search(query[None], 10, where=where)
            seconds.append(time.perf_counter() - begun)
            recalls.append(np.isin(want.ids[place], got.ids[0]).mean())
        told = "no filter" if share == 1.0 else f"a filter that keeps {share:.1%}"
        result.add(f"recall@10, {told}", float(np.mean(recalls)), "", Bar(">=", 0.95))
        result.add(f"a query, {told}", statistics.median(seconds) * 1e3, "ms")


if __name__ == "__main__":
    main()
