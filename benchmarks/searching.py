"""``wordsight search`` as a whole process against importing numpy and onnxruntime, and a search alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import realistic, synthetic
from benchmarks.process import Command, interleaved, measure, module, python, wordsight
from benchmarks.report import Bar, Result, median_ratio
from benchmarks.settings import Settings
from wordsight.library import derived
from wordsight.library.catalogue import Catalogue
from wordsight.registry import load_encoder
from wordsight.types import RowIds

_BARE = "import numpy, onnxruntime"
_SHARES = (0.5, 0.02, 0.001)
_QUERIES = 50
_GRAPH_FROM = 2_000_000


def run(settings: Settings) -> Result:
    """Measure at each size: exact search, and from two million rows on also with a graph."""
    result = Result("searching", "Searching, whole process and search alone")
    encoder = load_encoder(settings.encoder)
    space = realistic.space(encoder, settings.work)
    result.setting = {"encoder": settings.encoder_name, "dim": encoder.dim, "vectors": space.label, "bare": _BARE}
    for rows in settings.rows:
        bar = Bar("<=", 2.5 if rows <= 100_000 else 4)
        for kind in ("exact", "graph") if rows >= _GRAPH_FROM else ("exact",):
            location = settings.work / f"catalogue-{rows}-{kind}"
            synthetic.make(location, encoder, rows, graph=kind == "graph", draw=space.draw(), label=space.label)
            _process(result, settings, location, f"{rows:,} rows, {kind}", bar)
            if kind == "exact":
                _alone(result, location, settings.encoder, rows)
    _help(result, settings)
    return result


def _process(result: Result, settings: Settings, location: Path, name: str, bar: Bar) -> None:
    words = wordsight("search", "a dog", "-f", "--encoder", settings.encoder, "--catalog", str(location))
    repeats = max(11, settings.repeats)
    bare, ours = interleaved(Command(python(_BARE)), Command(words), repeats=repeats)
    walls = {"bare": [s.wall_s for s in bare], "search": [s.wall_s for s in ours]}
    result.raw[f"wall_s, {name}"] = walls
    result.add(f"search over {name}: wall", statistics.median(walls["search"]) * 1e3, "ms")
    result.add(f"search over {name}: CPU", statistics.median(s.cpu_s for s in ours) * 1e3, "ms")
    result.add(f"bare import beside it ({name}): wall", statistics.median(walls["bare"]) * 1e3, "ms")
    result.add(f"search over {name} / bare import", median_ratio(walls["search"], walls["bare"]), "x", bar)
    result.add(f"search over {name}: peak memory", statistics.median(s.peak_rss_mb for s in ours), "MiB")
    steps = measure([Command(module("phases", str(location), settings.encoder))] * 5)
    told: list[dict[str, Any]] = [sample.last_json() for sample in steps]
    result.raw[f"phases_ms, {name}"] = {key: statistics.median(each[key] for each in told) for key in told[0]}
    for key, value in result.raw[f"phases_ms, {name}"].items():
        print(f"    {value:7.1f} ms  {key}", flush=True)


def _alone(result: Result, location: Path, encoder_name: str, rows: int) -> None:
    """Time the index alone, in this process and on one thread."""
    encoder = load_encoder(encoder_name)
    rng = np.random.default_rng(0)
    with Catalogue.open(location) as catalogue:
        stored = catalogue.encoder_row(encoder)
        index = derived.open_index(catalogue, stored, threads=1)
        ids = np.arange(1, rows + 1)  # as the synthetic catalogue numbers them
        queries = synthetic.random_vectors(encoder.dim, seed=3)(_QUERIES)
        cases: dict[str, RowIds | None] = {"no filter": None}
        for share in _SHARES:
            cases[f"a filter of {share:.1%}"] = np.sort(rng.choice(ids, max(1, int(share * rows)), replace=False))
        for name, allowed in cases.items():
            times = _times(lambda i, allowed=allowed: index.search(queries[i : i + 1], 10, allowed))  # type: ignore[misc]
            result.raw[f"search_ms, {rows:,} rows, {name}"] = times
            bar = Bar("<", 10) if rows == 100_000 else None
            result.add(f"search alone, {rows:,} rows, one thread, {name}", statistics.median(times), "ms", bar)


def _times(step: Callable[[int], object]) -> list[float]:
    step(0)
    times = []
    for i in range(_QUERIES):
        start = time.perf_counter()
        step(i)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _help(result: Result, settings: Settings) -> None:
    samples = measure([Command(wordsight("--help"))] * (max(11, settings.repeats) + 1))[1:]
    result.raw["help_cpu_s"] = [sample.cpu_s for sample in samples]
    result.add("wordsight --help: CPU", statistics.median(result.raw["help_cpu_s"]), "s", Bar("<", 0.3))
