"""Write the table of docs/models.md by which one chooses between the shipped models, from what ``targets`` found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.report import ROOT

PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- begin shipped: written by `python -m benchmarks.targets` -->", "<!-- end shipped -->"
_ROWS = {
    "its own files": "{:.1f} MB",
    "pictures a second / ViT-B/32": "{:.1f}x",
    "one query, one core": "{:.1f} ms",
    "CIFAR-10 zero-shot accuracy": "{:.1f} %",
    "VOC2007 mAP, all points": "{:.1f} %",
    "Flickr8k dev, text to image, Success@1": "{:.1f} %",
    "Flickr8k dev, text to image, Success@5": "{:.1f} %",
    "Flickr8k dev, text to image, Success@10": "{:.1f} %",
    "Flickr8k dev, image to text, Success@5": "{:.1f} %",
    "VOC2007 pointing game, projected map": "{:.1f} %",
}


def write(document: dict[str, Any]) -> None:
    """Replace what stands between the markers by the figures of a results file."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN, 1)
    body = "\n".join(lines(document["figures"]))
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n{END}{rest.split(END, 1)[1]}", "utf-8")


def lines(figures: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table: one column for each model, rows for which all have a figure."""
    values = {figure["name"]: figure["value"] for figure in figures}
    names = [name.partition(": ")[0] for name in values if name.endswith(": its own files")]
    rows = [f"| development data | {' | '.join(f'`{name}`' for name in names)} |", "|---|" + "---:|" * len(names)]
    for row, form in _ROWS.items():
        cells = [values.get(f"{name}: {row}") for name in names]
        if None not in cells:
            rows.append(f"| {row} | {' | '.join(form.format(cell) for cell in cells)} |")
    return rows
