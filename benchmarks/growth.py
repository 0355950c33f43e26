"""How our own costs grow with the number of pictures: ``python -m benchmarks.growth``; exponents are fitted.

Cost = c * N^a: a is the slope of a straight line through the logarithms, by least squares over the sizes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks import realistic, report, synthetic
from benchmarks.process import Command, measure, python
from benchmarks.report import Result
from wordsight.index.lists import ListIndex
from wordsight.library import derived
from wordsight.library.catalogue import DATABASE, Catalogue
from wordsight.machine import cores
from wordsight.registry import load_encoder

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
_QUERIES = 20
_COLD = """
import sys; from pathlib import Path; import numpy as np
from wordsight.library import derived; from wordsight.library.catalogue import Catalogue
from wordsight.machine import cores
catalogue = Catalogue.open(Path(sys.argv[1]))
index = derived.open_index(catalogue, catalogue.encoders()[0], threads=cores())
assert index.search(np.ones((1, index.dim), np.float32), 10).ids.shape == (1, 10)
"""


def main() -> None:
    """Measure each size, fit, write benchmarks/results/growth.json and a plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work")
    parser.add_argument("--dry", action="store_true", help="measure, print, write nothing")
    given = parser.parse_args()
    about = report.machine()
    costs: dict[str, dict[int, float]] = {}
    for rows in given.rows:
        for name, value in one(given.work, rows).items():
            costs.setdefault(name, {})[rows] = value
            print(f"{rows:,}: {name} {value:.4g}", flush=True)
    result = Result("growth", "Growth of our own costs with the number of pictures", {"rows": given.rows, "dim": 384})
    for name, points in costs.items():
        exponent, factor = fit(points)
        result.add(f"{name}: exponent", exponent)
        result.raw[name] = {"points": {str(n): value for n, value in points.items()}, "factor": factor}
    largest = max(given.rows)
    result.add("database, bytes a picture", costs["database, MB"][largest] * 1e6 / largest, "B")
    if not given.dry:
        file = report.ROOT / "benchmarks" / "results" / "growth.json"
        report.write_json(
            result, file, command=f"python -m benchmarks.growth --rows {' '.join(map(str, given.rows))}", about=about
        )
        report.write_table(file, report.ROOT / "docs" / "benchmarks.md")
        draw(costs)


def one(work: Path, rows: int) -> dict[str, float]:
    """Return the costs at one size."""
    encoder = load_encoder("mini")
    space = realistic.space(encoder, work)
    place = work / f"catalogue-{rows}-exact"
    fold_s = synthetic.make(place, encoder, rows, draw=space.draw(), label=space.label)
    queries = np.concatenate([space.texts[: _QUERIES // 2], space.pictures[: _QUERIES // 2]]).astype(np.float32)
    filtered = np.sort(np.random.default_rng(0).choice(np.arange(1, rows + 1), max(20, rows // 50), replace=False))
    with Catalogue.open(place) as catalogue:
        exact = derived.open_index(catalogue, catalogue.encoders()[0], threads=cores())
        start = time.perf_counter()
        lists = ListIndex(exact)  # type: ignore[arg-type]  # below two million rows it is exact
        build_s = time.perf_counter() - start
        found = {
            "exact search, ms": _median(exact, queries, None),
            "exact search, a filter of 2 %, ms": _median(exact, queries, filtered),
            "lists, ms": _median(lists, queries, None),
            "building lists, s": build_s,
            "writing index files, s": fold_s,
        }
    samples = measure([Command(python(_COLD, str(place)))] * 4)[1:]
    index = sum(file.stat().st_size for file in (place / "index").rglob("*") if file.is_file())
    return found | {
        "cold process to the first answer, s": statistics.median(sample.wall_s for sample in samples),
        "memory of that process, MB": statistics.median(sample.peak_rss_mb for sample in samples),
        "index files, MB": index / 1e6,
        "database, MB": (place / DATABASE).stat().st_size / 1e6,
    }


def _median(index, queries, allowed) -> float:  # type: ignore[no-untyped-def]
    index.search(queries[:1], 10, allowed)
    times = []
    for query in queries:
        start = time.perf_counter()
        index.search(query[None], 10, allowed)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def fit(points: dict[int, float]) -> tuple[float, float]:
    """Return a and c of cost = c * N^a."""
    slope, height = np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)
    return float(slope), float(np.exp(height))


def draw(costs: dict[str, dict[int, float]]) -> None:
    """Write benchmarks/plots/growth.svg."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "wordsight"
    from matplotlib import pyplot as plt

    drawn, axes = plt.subplots(1, 3, figsize=(13, 4.2))
    for axis, unit in zip(axes, (", ms", ", s", ", MB"), strict=True):
        for name, points in costs.items():
            if name.endswith(unit):
                label = f"{name.removesuffix(unit)}: N^{fit(points)[0]:.2f}"
                axis.plot(list(points), list(points.values()), marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="pictures", ylabel=unit.removeprefix(", "))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    drawn.tight_layout()
    folder = report.ROOT / "benchmarks" / "plots"
    folder.mkdir(exist_ok=True)
    drawn.savefig(folder / "growth.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
