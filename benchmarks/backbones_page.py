"""The tables of docs/models.md that benchmarks/results/backbones.json fills."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CLOSENESS = (
    "torch fp32",
    "onnxruntime fp32",
    "openvino fp32",
    "openvino bf16",
    "onnxruntime int8",
    "openvino int8",
    "onnxruntime fp32, texts",
    "openvino fp32, texts",
)
_SPEED = ("onnxruntime fp32", "openvino fp32", "openvino bf16", "onnxruntime int8", "openvino int8")


def write_page(result: dict[str, Any], page: Path) -> None:
    """Put the tables into ``page``, between their markers."""
    begin, end = "<!-- begin backbones: written by `python -m benchmarks.backbones` -->", "<!-- end backbones -->"
    before, rest = page.read_text("utf-8").split(begin, 1)
    lines = [*_closeness(result), "", *_speed(result), "", *_sources(result)]
    page.write_text("\n".join([before + begin, *lines, end]) + rest.split(end, 1)[1], "utf-8")


def _closeness(result: dict[str, Any]) -> Iterator[str]:
    entries = {name: entry for name, entry in result["architectures"].items() if {"parity", "earlier"} & entry.keys()}
    names = list(entries)
    yield f"| least cosine to OpenCLIP | {' | '.join(names)} |"
    yield "|---|" + "---:|" * len(names)
    for kind in _CLOSENESS:
        cells = []
        for entry in entries.values():
            figures = entry.get("parity", {}).get("least", {}).get(kind)
            mark = ""
            if figures is None:
                figures, mark = entry.get("earlier", {}).get("least", {}).get(kind), "*"
            cells.append("" if figures is None else f"{figures['cosine']:.5f} ({figures['centred']:.4f}){mark}")
        yield f"| {kind} | {' | '.join(cells)} |"
    for what in ("pictures", "texts"):
        cells = [_number(entry.get("parity", {}).get("alike", {}).get(what), 3) for entry in entries.values()]
        yield f"| for comparison: the two {what} most alike | {' | '.join(cells)} |"


def _speed(result: dict[str, Any]) -> Iterator[str]:
    entries = {name: entry for name, entry in result["architectures"].items() if "speed" in entry}
    names = list(entries)
    if len(names) < 2:
        return  # nothing to compare with
    yield f"| pictures a second, image tower alone | {' | '.join(names)} |"
    yield "|---|" + "---:|" * len(names)
    measured = [entry["speed"] for entry in entries.values()]
    for kind in _SPEED:
        cells = [_number(entry.get("images_per_s", {}).get(kind), 1) for entry in measured]
        if any(cells):
            yield f"| {kind} | {' | '.join(cells)} |"
    yield f"| megabytes | {' | '.join(_number(entry.get('megabytes'), 0) for entry in measured)} |"
    for kind in ("onnxruntime fp32", "openvino fp32"):
        cells = [_number(entry.get("text_ms", {}).get(kind), 1) for entry in measured]
        yield f"| one text, ms, {kind} | {' | '.join(cells)} |"


def _sources(result: dict[str, Any]) -> Iterator[str]:
    found = {}
    for entry in result["architectures"].values():
        for what in ("parity", "speed"):
            if what in entry:
                about = entry[what]["machine"]
                features = ", ".join(about["features"]) or "none"
                found[f"{about['processor']} ({about['cores']} cores; of special instructions {features})"] = None
    if found:
        yield f"`python -m benchmarks.backbones`, on {'; '.join(found)}."
    if any("earlier" in entry for entry in result["architectures"].values()):
        yield "With *: taken earlier, on a processor that computes in bf16, of graphs that computed the same."


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
