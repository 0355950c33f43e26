"""Draws the curves of a results file of ``benchmarks.classical``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.classical_tasks import CLUSTERS, EXEMPLARS


def draw(results: Path, picture: Path) -> None:
    """Draw accuracy, mAP and F1 over the number of exemplars and of clusters; bars are the spread over seeds."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "wordsight"
    from matplotlib import pyplot as plt

    rows = json.loads(results.read_text())["raw"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    clusters = ["100 exemplars", *(f"{number} clusters" for number in CLUSTERS[1:])]
    sides = (
        (axes[0], EXEMPLARS, [f"{number} exemplars" for number in EXEMPLARS], "exemplars a label, one cluster"),
        (axes[1], CLUSTERS, clusters, "clusters a label, 100 exemplars"),
    )
    for axis, numbers, names, title in sides:
        for measure in ("accuracy", "mAP", "F1"):
            values = np.asarray([[row[measure] for row in rows[name]] for name in names])
            axis.errorbar(numbers, values.mean(axis=1), values.std(axis=1), marker="o", capsize=3, label=measure)
        axis.set_xscale("log")
        axis.set_xticks(numbers, [str(number) for number in numbers])
        axis.minorticks_off()
        axis.set_xlabel(title)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("CIFAR-10, development part")
    axes[0].legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})
    plt.close(figure)
