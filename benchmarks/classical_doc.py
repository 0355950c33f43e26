"""Write the tables of docs/classical.md from benchmarks/results: ``python -m benchmarks.classical_doc``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "classical.md"
_SEEDS = re.compile(r"(?P<what>.*) \(mean of (?P<seeds>\d+) seeds, spread (?P<spread>[\d.]+)\)")
_MEASURES = ("accuracy", "mAP", "F1")
_BY = ("one thread", "all cores")


def main() -> int:
    """Replace what stands between the markers; with ``--check`` tell whether it is stale."""
    text = fresh = PAGE.read_text("utf-8")
    for name, lines in {"cifar10": _cifar(), "voc2007": _voc(), "speed": _speed(), "words": _words()}.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        body = "\n".join([begin, *lines, end])
        fresh, found = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, b=body: b, fresh, flags=re.DOTALL)
        assert found == 1, f"{PAGE} has no place for {name}"
    if "--check" in sys.argv:
        return 0 if fresh == text else 1
    PAGE.write_text(fresh, "utf-8")
    return 0


def _figures(part: str) -> dict[str, float]:
    content = json.loads((HERE / "results" / f"classical_{part}.json").read_text())
    return {figure["name"]: figure["value"] for figure in content["figures"]}


def _of_seeds(part: str) -> dict[str, tuple[float, float, int]]:
    """Return what was measured -> mean, spread, number of seeds."""
    found = [(_SEEDS.fullmatch(name), value) for name, value in _figures(part).items()]
    return {m["what"]: (value, float(m["spread"]), int(m["seeds"])) for m, value in found if m is not None}


def _cifar() -> list[str]:
    figures = _of_seeds("cifar10")
    lines = ["| CIFAR-10 | accuracy | mAP | F1 |", "|---|---:|---:|---:|"]
    for name in dict.fromkeys(what.rpartition(": ")[0] for what in figures):
        cells = []
        for measure in _MEASURES:
            mean, spread, _ = figures[f"{name}: {measure}"]
            percent = f"{100 * mean:.1f} ({100 * spread:.1f})"
            cells.append(f"{mean:.2f} ({spread:.2f})" if measure == "F1" else percent)
        lines.append(f"| {'1 exemplar' if name == '1 exemplars' else name} | {' | '.join(cells)} |")
    return lines


def _voc() -> list[str]:
    figures = _of_seeds("voc2007")
    mean, spread, seeds = figures["mAP"]
    many = figures["mAP of the labels with 10 exemplars or more"][0]
    return [
        f"mAP {100 * mean:.1f} ({100 * spread:.1f}, {seeds} seeds), and {100 * many:.1f} over the labels with ten "
        "exemplars or more."
    ]


def _speed() -> list[str]:
    figures = _figures("pipeline")
    lines = [
        "| 3,000 CIFAR pictures from pixels to labels | scikit-image, `predict` | one thread | two threads |",
        "|---|---:|---:|---:|",
    ]
    for name in ("HOG", "HOG, LBP and colour"):
        theirs = figures[f"{name}: scikit-image and predict, picture by picture"]
        cells = [
            f"{1000 * figures[f'{name}: 3,000 pictures from pixels to labels, {how}']:.0f} ms: "
            f"{figures[f'{name}, {how}: times as fast']:.0f}x"
            for how in _BY
        ]
        lines.append(f"| {name} | {theirs:.1f} s | {' | '.join(cells)} |")
    return lines


def _words() -> list[str]:
    figures = _figures("words")
    theirs = figures["scikit-learn, batches of 4,096, processor time"]
    ours, cpu = figures["1,000,000 descriptors to 1,024 words"], figures["the same, processor time"]
    return [
        f"1,000,000 descriptors become 1,024 words in {ours:.1f} s on one core ({cpu:.1f} s of processor time; for",
        f"an equal error scikit-learn's MiniBatchKMeans takes {theirs:.1f} s of it).",
    ]


if __name__ == "__main__":
    sys.exit(main())
