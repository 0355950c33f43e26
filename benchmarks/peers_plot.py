"""Plots of benchmarks/results/peers.json: latency, recall, memory, cold start and disk against the number of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import report

PLOTS = report.ROOT / "benchmarks" / "plots"
_FILTERS = {"0": "no filter", "1": "a filter of 50 %", "2": "of 2 %", "3": "of 0.1 %"}
_SIDES = {"cold_s": "cold process to answer, s", "memory_mb": "memory of that process, MB", "disk_mb": "disk, MB"}


def draw(document: dict[str, Any], folder: Path = PLOTS) -> None:
    """Write peers-latency.svg, peers-recall.svg and peers-cost.svg."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "wordsight"
    from matplotlib import pyplot as plt

    folder.mkdir(exist_ok=True)
    sizes = {int(rows): each["summary"] for rows, each in document["sizes"].items()}
    names = list(dict.fromkeys(name for summary in sizes.values() for name in summary))

    def figure(name: str, panels: dict[str, str], pick: Any, *, linear: bool = False) -> None:
        drawn, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3.8), squeeze=False)
        for axis, (key, title) in zip(axes[0], panels.items(), strict=True):
            for place, engine in enumerate(names):
                points = [(rows, pick(each[engine], key)) for rows, each in sizes.items() if engine in each]
                points = [(rows, value) for rows, value in points if value is not None]
                ours = engine.startswith("wordsight")
                style = {"linewidth": 2.6 if ours else 1.2, "marker": "o", "markersize": 3, "color": f"C{place}"}
                axis.plot(*zip(*points, strict=True) if points else ([], []), label=engine, **style)
            axis.set(xscale="log", title=title, xlabel="rows")
            axis.set(**({"ylim": (0, 1.03)} if linear else {"yscale": "log"}))
            axis.grid(alpha=0.3)
        drawn.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncol=5, fontsize=8, frameon=False)
        drawn.tight_layout(rect=(0, 0.13, 1, 1))
        drawn.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(drawn)

    figure(
        "peers-latency", {key: f"ms, {told}" for key, told in _FILTERS.items()}, lambda each, key: each["ms"].get(key)
    )
    recall = {key: f"recall@10, {told}" for key, told in _FILTERS.items()}
    figure("peers-recall", recall, lambda each, key: each["recall"].get(key), linear=True)
    figure("peers-cost", _SIDES, lambda each, key: each[key])


if __name__ == "__main__":
    draw(json.loads((report.ROOT / "benchmarks" / "results" / "peers.json").read_text()))
