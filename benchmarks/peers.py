"""Our search against others', same rows, same queries, same run: ``python -m benchmarks.peers --rows 10000 100000``.

Each engine runs in processes of its own. ``--build`` makes what is lacking and stops there; without it, all are asked,
too. Results of a size replace those before in benchmarks/results/peers.json; plots go to benchmarks/plots.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers_plot, realistic, report
from benchmarks.peer_engines import DIM, ENGINES, EXACT, TOP, folder
from benchmarks.process import Command, measure, module
from wordsight.library.catalogue import DATABASE
from wordsight.registry import load_encoder

RESULTS = report.ROOT / "benchmarks" / "results" / "peers.json"
SHARES = {0: 1.0, 1: 0.5, 2: 0.02, 3: 0.001}
_QUERIES = 40
_COLD = 3


def main() -> None:
    """Build or measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", nargs="+", choices=ENGINES, help="these engines; all unless told")
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work" / "peers")
    parser.add_argument("--build", action="store_true", help="make what is lacking, measure nothing")
    parser.add_argument("--built", action="store_true", help="build nothing, leave out what was not built")
    parser.add_argument("--dry", action="store_true", help="measure, print, write nothing")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs; nothing is written")
    given = parser.parse_args()
    if given.tiny:
        given.rows, given.dry = [5_000], True
    names = given.only or list(ENGINES)
    for rows in given.rows:
        prepare(given.work, rows)
        about = report.machine()
        for name in names:
            if not given.built:
                build(given.work, rows, name)
            if not given.build and (folder(given.work, rows, name) / "built.json").is_file():
                found = {name: ask(given.work, rows, name)}
                if not given.dry:
                    write(rows, found, about)
    if not given.build and not given.dry:
        peers_plot.draw(json.loads(RESULTS.read_text()))


def prepare(work: Path, rows: int) -> None:
    """Write the rows, their depths and the queries, the same ones on each run."""
    data = work / str(rows)
    if (data / "queries.npy").is_file():
        return
    data.mkdir(parents=True, exist_ok=True)
    space = realistic.space(load_encoder("mini"), work)
    draw = space.draw()
    vectors = np.lib.format.open_memmap(data / "vectors.npy", "w+", np.float32, (rows, DIM))
    for start in range(0, rows, 20_000):
        vectors[start : start + 20_000] = draw(min(20_000, rows - start))
    vectors.flush()
    chance = np.random.default_rng(5).random(rows)
    np.save(data / "depth.npy", sum((chance < SHARES[depth]).astype(np.uint8) for depth in (1, 2, 3)).astype(np.uint8))
    half = _QUERIES // 2
    queries = np.concatenate([space.texts[:half], space.pictures[:half]]).astype(np.float32)
    (data / "label").write_text(space.label)
    np.save(data / "queries.npy", queries[np.random.default_rng(6).permutation(len(queries))])


def build(work: Path, rows: int, name: str) -> None:
    """Build an engine's files unless they are there."""
    mark = folder(work, rows, name) / "built.json"
    if mark.is_file():
        return
    mark.parent.mkdir(parents=True, exist_ok=True)
    (sample,) = measure([Command(module("peer_engines", name, str(work), str(rows), "build"))])
    mark.write_text(json.dumps(sample.last_json() | {"peak_mb": sample.peak_rss_mb}))
    print(f"{rows:,} rows, {name}: built in {sample.last_json()['seconds']:.1f} s", flush=True)


def ask(work: Path, rows: int, name: str) -> dict[str, Any]:
    """Measure one engine."""
    for file in folder(work, rows, name).rglob("*"):  # into the page cache, for all engines alike
        if file.is_file():
            with file.open("rb") as data:
                while data.read(1 << 24):
                    pass
    command = Command(module("peer_engines", name, str(work), str(rows), "first"))
    cold = measure([command] * (_COLD + 1))[1:]
    (sample,) = measure([Command(module("peer_engines", name, str(work), str(rows), "ask"))])
    answers: dict[str, Any] = sample.last_json()  # type: ignore[assignment]
    place = folder(work, rows, name)
    database = 0.0
    if (place / "catalogue" / "index").is_dir():  # its database is what all the engines leave out
        database = (place / "catalogue" / DATABASE).stat().st_size / 1e6
        place = place / "catalogue" / "index"
    aside = ("built.json", "made.json", "ours")
    files = [file for file in place.rglob("*") if file.is_file() and file.name not in aside]
    found: dict[str, Any] = {
        "cold_s": [each.wall_s for each in cold],
        "memory_mb": statistics.median(each.peak_rss_mb for each in cold),
        "disk_mb": sum(file.stat().st_size for file in files) / 1e6,
        "database_mb": database,
        "build": json.loads((folder(work, rows, name) / "built.json").read_text()),
        "ms": {depth: answer["ms"] for depth, answer in answers.items()},
        "found": {depth: answer["found"] for depth, answer in answers.items()},
    }
    told = {depth: round(statistics.median(ms), 2) for depth, ms in found["ms"].items()}
    cold_s = statistics.median(found["cold_s"])
    print(f"{rows:,} rows, {name}: {told} ms, cold {cold_s:.2f} s, {found['memory_mb']:.0f} MB", flush=True)
    return found


def recalls(found: dict[str, Any], truth: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield filter and recall@10 against numpy's answers to the same queries."""
    for depth, answers in found["found"].items():
        step = len(truth["found"][depth]) // len(answers)
        pairs = zip(answers, truth["found"][depth][::step], strict=False)
        yield depth, statistics.mean(len(set(got) & set(want)) / len(want) for got, want in pairs)


def write(rows: int, found: dict[str, Any], about: dict[str, object]) -> None:
    """Replace the results of one size."""
    document = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"sizes": {}}
    engines = document["sizes"].get(str(rows), {}).get("engines", {}) | found
    truth = engines["numpy float32"]
    for name in found:
        engines[name]["recall"] = dict(recalls(engines[name], truth))
        if engines[name] is not truth:
            del engines[name]["found"]  # thousands of numbers that nobody reads
    alone = [each for name, each in engines.items() if name.startswith("numpy")]
    fastest = {depth: min(statistics.median(each["ms"][depth]) for each in alone) for depth in truth["ms"]}
    summary = {}
    for name, each in engines.items():
        summary[name] = {
            "exact": name in EXACT,
            "ms": {depth: float(f"{statistics.median(ms):.4g}") for depth, ms in each["ms"].items()},
            "p95_ms": {depth: float(f"{np.percentile(ms, 95):.4g}") for depth, ms in each["ms"].items()},
            "recall": {depth: round(value, 4) for depth, value in each["recall"].items()},
            "times_numpy": {
                depth: float(f"{fastest[depth] / statistics.median(ms):.3g}") for depth, ms in each["ms"].items()
            },
            "cold_s": round(statistics.median(each["cold_s"]), 3),
            "memory_mb": round(each["memory_mb"]),
            "disk_mb": round(each["disk_mb"], 1),
            "database_mb": round(each.get("database_mb", 0.0), 1),
            "build_s": round(each["build"]["seconds"], 1),
        }
    document["sizes"][str(rows)] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": about,
        "versions": report.versions() | _peer_versions(),
        "summary": summary,
        "engines": engines,
    }
    document |= {
        "name": "peers",
        "title": "Search against others",
        "command": "python -m benchmarks.peers --rows ROWS, one size after another",
        "setting": {"dim": DIM, "top": TOP, "queries": _QUERIES, "shares": {str(k): v for k, v in SHARES.items()}},
    }
    document["sizes"] = dict(sorted(document["sizes"].items(), key=lambda item: int(item[0])))
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def _peer_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("faiss-cpu", "lancedb", "sqlite-vec", "apsw"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
