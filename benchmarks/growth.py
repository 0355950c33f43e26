"""How our own costs grow with the number of pictures: ``python -m benchmarks.growth``, after ``benchmarks.peers``.

Nothing is measured anew: the costs are those in benchmarks/results/peers.json. Cost = c * N^a: a is the slope of a
straight line through the logarithms, by least squares over the sizes.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.report import Result

_RESULTS = report.ROOT / "benchmarks" / "results"
_OURS = {"wordsight exact": "exact search", "wordsight lists": "lists"}
_COSTS = {
    "build_s": "writing index files, s",
    "cold_s": "cold process to the first answer, s",
    "memory_mb": "memory of that process, MB",
    "disk_mb": "index files, MB",
}


def main() -> None:
    """Fit, write benchmarks/results/growth.json, its table and a plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="to see that it runs; nothing is written")
    given = parser.parse_args()
    sizes = json.loads((_RESULTS / "peers.json").read_text())["sizes"]
    costs = collect(sizes)
    result = Result("growth", "Growth of our own costs with the number of pictures", {"rows": [int(n) for n in sizes]})
    for name, points in costs.items():
        if len(points) > 1:
            exponent, factor = fit(points)
            result.add(f"{name}: exponent", exponent)
            result.raw[name] = {"points": {str(n): value for n, value in points.items()}, "factor": factor}
    database = costs["database, MB"]
    result.add("database, bytes a picture", database[max(database)] * 1e6 / max(database), "B")
    if given.tiny:
        return
    largest = max(sizes, key=int)
    file = _RESULTS / "growth.json"
    report.write_json(result, file, command="python -m benchmarks.growth", about=sizes[largest]["machine"])
    report.write_table(file, report.ROOT / "docs" / "benchmarks.md")
    draw(costs)


def collect(sizes: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Return cost -> size -> value."""
    costs: dict[str, dict[int, float]] = {}
    for rows, size in sizes.items():
        for engine, told in _OURS.items():
            each = size["summary"].get(engine)
            if each is None:
                continue
            for key, words in {"0": "", "1": ", a filter of 50 %", "2": ", a filter of 2 %"}.items():
                costs.setdefault(f"{told}{words}, ms", {})[int(rows)] = each["ms"][key]
            for key, words in _COSTS.items():
                costs.setdefault(f"{told}: {words}", {})[int(rows)] = each[key]
            if each.get("database_mb"):
                costs.setdefault("database, MB", {})[int(rows)] = each["database_mb"]
    return costs


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
            if name.endswith(unit) and len(points) > 1:
                label = f"{name.removesuffix(unit)}: N^{fit(points)[0]:.2f}"
                axis.plot(list(points), list(points.values()), marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="pictures", ylabel=unit.removeprefix(", "))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    drawn.tight_layout()
    folder = report.ROOT / "benchmarks" / "plots"
    folder.mkdir(exist_ok=True)
    drawn.savefig(folder / "growth.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
