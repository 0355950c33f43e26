"""When two engines together beat each alone: ``python -m benchmarks.fusion``.

The shipped model and a classical engine fitted on the development exemplars, fused on other development pictures;
writes ``benchmarks/results/fusion.json`` and the table in docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT, Result, machine, write_json
from wordsight.datasets import load_task
from wordsight.datasets.exemplars import load_exemplars, read_pictures
from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoders.cluster_model import FitConfig, fit_model
from wordsight.evaluation import holm, paired_test, parse
from wordsight.experiment import TaskResult, fuse_results, run_task
from wordsight.fusion import Fusion
from wordsight.registry import load_encoder

SOURCES = {"cifar10": ("cifar10", "cifar10"), "voc2007": ("voc2007_exemplars", "voc2007")}
ALONE = ("mini", "classical")
WEIGHTS = (1.0, 0.5, 0.25, 0.1)
START, END = "<!-- fusion:begin -->", "<!-- fusion:end -->"


def measure(result: Result, data: Path, tasks: list[str]) -> None:
    """Fuse on each task."""
    for task in tasks:
        exemplars, gallery = (data / folder for folder in SOURCES[task])
        alone = run_task(load_task(task, gallery), load_encoder("mini"), measures=[parse("AP")])
        classical = run_task(load_task(task, gallery), _fitted(task, exemplars), measures=[parse("AP")])
        rows = {"mini": _row(alone), "classical": _row(classical)}
        fused = {
            f"{how.value}, weight {weight:g}": fuse_results([alone, classical], how, weights=(1.0, weight))
            for how in Fusion
            for weight in WEIGHTS
        }
        result.raw[task] = rows | {name: _row(each) for name, each in fused.items()}


def finish(result: Result) -> None:
    """Test every fusion against each engine alone, on the same queries, and name the figures."""
    for task, rows in result.raw.items():
        pairs = [(name, alone) for name in rows if name not in ALONE for alone in ALONE]
        tests = [paired_test(_values(rows[name]), _values(rows[alone])) for name, alone in pairs]
        corrected = holm([test.p for test in tests])
        for (name, alone), test, p in zip(pairs, tests, corrected, strict=True):
            difference = {"difference": test.difference, "low": test.interval.low, "high": test.interval.high}
            rows[name].setdefault("against", {})[alone] = difference | {"p_holm": p, "effect": test.effect}
        for name, row in rows.items():
            result.add(f"{task}, {name}: mAP", row["mAP"])
    result.setting = {
        "exemplars": "data_batch_1 of CIFAR-10, voc2007_exemplars; seed 0",
        "weights": "that of the classical engine; the model's is 1",
        "tests": "randomisation over the queries' AP against each engine alone, Holm over all tests of a task",
    }


def _fitted(task: str, root: Path) -> ClusterEncoder:
    exemplars = load_exemplars(task, root)
    pictures = read_pictures(exemplars.items)
    targets = exemplars.targets(pictures.items)
    keys = frozenset(pictures.keys)
    return ClusterEncoder(fit_model(pictures.images, targets, exemplars.labels, FitConfig(), exemplars=keys))


def _values(row: dict[str, Any]) -> list[float]:
    return list(row["AP"].values())


def _row(result: TaskResult) -> dict[str, Any]:
    interval = result.evaluation.intervals()["mAP"]
    return {"mAP": interval.mean, "interval": [interval.low, interval.high], "AP": result.evaluation.per_query()["AP"]}


def table(raw: dict[str, Any]) -> str:
    """Return the Markdown table of a results file's raw figures."""
    head = (f"{task}: mAP | against {' | against '.join(ALONE)}" for task in raw)
    lines = ["| | " + " | ".join(head) + " |", "|---" * (3 * len(raw) + 1) + "|"]
    for name in next(iter(raw.values())):
        cells = []
        for rows in raw.values():
            cells.append(f"{rows[name]['mAP']:.3f}")
            tests = (rows[name].get("against", {}).get(alone) for alone in ALONE)
            cells += ["" if test is None else f"{test['difference']:+.3f} (p {test['p_holm']:.2g})" for test in tests]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, write the results, and put the table into the documentation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description=__doc__)
    default = Path(os.environ.get("WORDSIGHT_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--again", action="store_true", help="test the values of the results file again")
    parser.add_argument("--tasks", nargs="+", choices=SOURCES, default=list(SOURCES))
    given = parser.parse_args()
    about = machine()
    result = Result("fusion", "Fusion of the shipped model and a classical engine")
    file = ROOT / "benchmarks" / "results" / "fusion.json"
    if given.again:
        kept = json.loads(file.read_text(encoding="utf-8"))
        about = kept["machine"]
        fields = ("mAP", "interval", "AP")
        for task, rows in kept["raw"].items():
            result.raw[task] = {name: {each: row[each] for each in fields} for name, row in rows.items()}
    else:
        measure(result, given.data, given.tasks)
    finish(result)
    write_json(result, file, command="python -m benchmarks.fusion" + " --again" * given.again, about=about)
    page = ROOT / "docs" / "evaluation.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{table(result.raw)}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
