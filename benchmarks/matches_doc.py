"""Write the tables of docs/matches.md from benchmarks/results/matches.json: ``python -m benchmarks.matches_doc``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "matches.json"
PAGE = HERE.parent / "docs" / "matches.md"

ABSENT = {
    "nonsense (70 strings, all folders)": ("all", None, "nonsense"),
    "absent things (118, all folders)": ("absent_things", None, "absent"),
    "absent classes and captions": ("absent_classes_and_captions", None, "absent"),
    "all that is absent": ("all", None, "absent"),
}
PRESENT = {
    "VOC2007 classes with five photos or more": ("voc2007", None, "present"),
    "VOC2007 classes with one to four photos": ("voc2007", None, "few"),
    "CIFAR-10 classes, 3,000 thumbnails": ("by_source", "cifar10", "present"),
    "Flickr8k words, 500 photos": ("by_source", "flickr8k, 500 photos", "present"),
    "one photo among 1 to 25, by caption or ImageNet name": ("all", None, "caption"),
    "all with five photos or more": ("all", None, "present"),
}


def main() -> None:
    """Replace what stands between the markers."""
    results = json.loads(RESULTS.read_text())
    text = PAGE.read_text("utf-8")
    for name, lines in {"tables": _tables(results), "reliability": _reliability(results)}.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        body = "\n".join([begin, *lines, end])
        text, found = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, b=body: b, text, flags=re.DOTALL)
        assert found == 1, f"{PAGE} has no place for {name}"
    PAGE.write_text(text, "utf-8")


def _row(results: dict[str, Any], place: tuple[str, str | None, str]) -> dict[str, float]:
    part, source, kind = place
    found: dict[str, float] = (results[part] if source is None else results[part][source])[kind]
    return found


def _tables(results: dict[str, Any]) -> list[str]:
    lines = ["| not there | queries | wrongly matched |", "|---|---|---|"]
    for label, place in ABSENT.items():
        row = _row(results, place)
        lines.append(f"| {label} | {row['queries']:,} | {_percent(row['wrongly_matched'])} |")
    lines += ["", "| there | queries | answered | rightly | precision | recall |", "|---|---|---|---|---|---|"]
    for label, place in PRESENT.items():
        row = _row(results, place)
        keys = ("answered", "rightly_answered", "precision_of_ten", "recall")
        lines.append(f"| {label} | {row['queries']:,} | " + " | ".join(_percent(row[key]) for key in keys) + " |")
    return lines


def _reliability(results: dict[str, Any]) -> list[str]:
    bins = " | ".join(f"{i / 10:.1f}-{(i + 1) / 10:.1f}" for i in range(10))
    lines = [f"| estimate | {bins} | calibration error |", "|---" * 12 + "|"]
    for label, key in (
        ("queries for what is there", "reliability_answerable_queries"),
        ("all queries, most of them for what is not there", "reliability_all_queries"),
    ):
        part = results[key]
        shares = " | ".join(f"{entry['right']:.2f}" for entry in part["bins"])
        lines.append(f"| of {label} | {shares} | {part['expected_calibration_error']:.3f} |")
    return lines


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


if __name__ == "__main__":
    main()
