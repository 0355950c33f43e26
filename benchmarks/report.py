"""What a benchmark found: figures with their bars, written as JSON and as a table in docs/benchmarks.md."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wordsight.comparison.machine import machine as machine
from wordsight.comparison.machine import versions as package_versions

ROOT = Path(__file__).parent.parent


class LackingError(Exception):
    """What a benchmark needs is not on this machine: it is left out, which is no failure."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is required of a figure: at least (``sign`` ">=") or at most ("<=", "<") ``value``."""

    sign: str
    value: float

    def met(self, figure: float) -> bool:
        """Tell whether ``figure`` is good enough."""
        return {">=": figure >= self.value, "<=": figure <= self.value, "<": figure < self.value}[self.sign]

    def __str__(self) -> str:
        return f"{self.sign} {_number(self.value)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, what it is, and its bar where it has one."""

    name: str
    value: float
    unit: str = ""
    bar: Bar | None = None

    def as_json(self) -> dict[str, object]:
        """Return the figure with ``required`` and ``met`` beside it."""
        required = {} if self.bar is None else {"required": str(self.bar), "met": self.bar.met(self.value)}
        return {"name": self.name, "value": float(f"{self.value:.5g}"), "unit": self.unit, **required}

    def __str__(self) -> str:
        told = f"{self.name}: {_number(self.value)} {self.unit}"
        if self.bar is None:
            return told
        return f"{told}   required {self.bar}: {'met' if self.bar.met(self.value) else 'MISSED'}"


@dataclass(slots=True)
class Result:
    """All that one benchmark found. ``raw`` holds every repeat; ``setting`` what was measured and how."""

    name: str
    title: str
    setting: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str = "", bar: Bar | None = None) -> None:
        """Add a figure and print it."""
        self.figures.append(Figure(name, value, unit, bar))
        print(f"  {self.figures[-1]}", flush=True)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of runs that stood side by side."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def versions() -> dict[str, str]:
    """Return the versions of what was measured, and the commit where there is one."""
    found = package_versions()
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode == 0:
        found["commit"] = git.stdout.strip()
    return found


def write_json(result: Result, file: Path, *, command: str, about: dict[str, object]) -> None:
    """Write the results file: machine, versions, date, command, setting, figures, raw repeats."""
    document = {
        "name": result.name,
        "title": result.title,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": command,
        "machine": about,
        "versions": versions(),
        "setting": result.setting,
        "figures": [figure.as_json() for figure in result.figures],
        "raw": result.raw,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1, default=_plain) + "\n")


def write_table(file: Path, page: Path) -> None:
    """Put the table of a results file into ``page``, between its two markers; no markers, no table."""
    document = json.loads(file.read_text())
    name = document["name"]
    begin, end = f"<!-- begin {name}: written by `python -m benchmarks` -->", f"<!-- end {name} -->"
    text = page.read_text()
    if begin not in text or end not in text:
        return
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n{_table(document)}\n{end}{after}")


def _table(document: dict[str, Any]) -> str:
    about = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines = ["| figure | value | required | met |", "|---|---:|---|---|"]
    for figure in document["figures"]:
        value = f"{_number(figure['value'])} {figure['unit']}".strip()
        met = {True: "yes", False: "**no**", None: ""}[figure.get("met")]
        lines.append(f"| {figure['name']} | {value} | {figure.get('required', '')} | {met} |")
    lines.append("")
    lines.append(
        f"`{document['command']}`, {document['date'][:10]}, {about['processor']} ({about['cores']} cores, "
        f"{about['memory_gb']} GB; load before: {about['load_before'][0]}), {versions}. "
        f"All repeats: `benchmarks/results/{document['name']}.json`."
    )
    return "\n".join(lines)


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _plain(value: object) -> object:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else float(value)  # type: ignore[call-overload, arg-type]
