"""What the classical engine reaches and how fast: ``python -m benchmarks.classical``.

Fits on the exemplars of CIFAR-10 (``data_batch_1``) and VOC2007, measures on other pictures, writes
``benchmarks/results/classical.json`` and draws its curves. Exit status 1: a bar was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core, and before numpy is loaded

from benchmarks import classical_speed, classical_tasks
from benchmarks.report import ROOT, Result, machine, write_json

PARTS = ("cifar10", "voc2007", "words", "pipeline")


def main() -> int:
    """Run the parts asked for and keep the others' figures."""
    given = _parser().parse_args()
    about = machine()
    missed = 0
    for part in given.only or PARTS:
        print(part, flush=True)
        result = Result(f"classical_{part}", f"Classical engine: {part}")
        if part in ("cifar10", "voc2007"):
            getattr(classical_tasks, part)(result, given.data, seeds=given.seeds)
        else:
            getattr(classical_speed, part)(result, given.data)
        missed += sum(figure.bar is not None and not figure.bar.met(figure.value) for figure in result.figures)
        command = f"python -m benchmarks.classical --only {part}"
        command += f" --seeds {given.seeds}" if part in ("cifar10", "voc2007") else ""
        write_json(result, given.out / f"{result.name}.json", command=command, about=about)
    if not given.only or "cifar10" in given.only:
        from benchmarks.classical_curves import draw

        draw(given.out / "classical_cifar10.json", given.curves)
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classical", description=__doc__)
    default = Path(os.environ.get("WORDSIGHT_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--data", type=Path, default=default, help="holds cifar10, voc2007 and voc2007_exemplars")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--curves", type=Path, default=ROOT / "docs" / "images" / "clusters.curves.svg")
    return parser


if __name__ == "__main__":
    sys.exit(main())
