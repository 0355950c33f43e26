"""Fuzz the parsers: ``python -m fuzz [TARGET ...] [--minutes 10]``; ``make fuzz`` runs them all.

Each target runs in a process of its own, at the lowest priority. What it found lies in ``fuzz/.work/TARGET``; the
numbers are added to ``benchmarks/results/fuzzing.json``. Exit status 1: there are findings. A finding becomes a
regression input with ``--keep``: it is copied to ``fuzz/inputs/TARGET``, which the tests replay.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from fuzz.targets import TARGETS

HERE = Path(__file__).parent
WORK = HERE / ".work"
INPUTS = HERE / "inputs"
_MOST_CPU = 30  # seconds, with those it takes to begin
_START = 10.0  # seconds, at most, that a process takes to begin
RESULTS = report.ROOT / "benchmarks" / "results" / "fuzzing.json"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"all unless told: {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=10, help="of each target")
    parser.add_argument("--up-to", action="store_true", help="only what all runs so far lack of that many minutes")
    parser.add_argument("--slice", type=float, metavar="SECONDS", help="at most so long a target, this time")
    parser.add_argument("--keep", action="store_true", help="copy what was found before into fuzz/inputs, run nothing")
    given = parser.parse_args()
    names = given.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if given.keep:
        keep(names)
        return 0
    found = 0
    for name in names:
        seconds = 60 * given.minutes
        if given.up_to:
            seconds -= told().get(name, {}).get("seconds", 0)
        if seconds >= 1:
            found += run(name, min(seconds, given.slice or seconds))
    return 1 if found else 0


def run(name: str, seconds: float) -> int:
    """Fuzz one target that long, also over its crashes; return the number of findings of this run."""
    place = WORK / name
    corpus, findings = place / "corpus", place / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    for kept in sorted((INPUTS / name).glob("*")):
        shutil.copyfile(kept, corpus / f"kept-{kept.name}")
    before = {file.name for file in findings.iterdir()}
    sums = {"seconds": 0.0, "cpu_seconds": 0.0, "executions": 0, "branches": 0, "restarts": 0}
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) >= 1:
        start, cpu = time.monotonic(), _cpu()
        words = [sys.executable, "-m", "fuzz.child", name, str(findings), str(corpus)]
        words += [f"-max_total_time={max(1, round(left))}", f"-artifact_prefix={findings}/"]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", preexec_fn=_humbly, check=False)
        took = _last(r"Done \d+ runs in (\d+) second", done.stderr)  # without starting, which takes seconds
        sums["seconds"] += took or max(0.0, time.monotonic() - start - _START)
        sums["cpu_seconds"] += _cpu() - cpu
        sums["executions"] += _last(r"stat::number_of_executed_units:\s+(\d+)", done.stderr)
        sums["branches"] = max(sums["branches"], _last(r"cov: (\d+)", done.stderr))
        if done.returncode:
            sums["restarts"] += 1
            (place / "last.log").write_text(done.stderr[-20_000:])
            if time.monotonic() - start < 5 and sums["restarts"] > 20:
                raise RuntimeError(f"{name} does not run:\n{done.stderr[-2000:]}")
    late = [*findings.glob("timeout-*"), *findings.glob("slow-unit-*")]
    for file in late:  # the process may only have waited for others: judged by time of its own
        if _returns(name, file):
            file.unlink()
    new = {file.name for file in findings.iterdir() if file.suffix != ".json"} - before
    add(name, sums, [_told(findings, file) for file in sorted(new)])
    print(f"{name}: {sums['executions']:,} inputs in {sums['seconds']:.0f} s, {len(new)} new findings", flush=True)
    return len(new)


def _told(findings: Path, name: str) -> str:
    about = findings / f"{name}.json"
    return str(json.loads(about.read_text())["place"]) if about.is_file() else re.sub(r"-[0-9a-f]{40}$", "", name)


def told() -> dict[str, Any]:
    """Return what the results file says of each target."""
    return dict(json.loads(RESULTS.read_text())["targets"]) if RESULTS.is_file() else {}


def add(name: str, sums: dict[str, float], places: list[str]) -> None:
    """Add a run to the results file. ``findings`` lists all that were ever found, fixed or not."""
    targets = told()
    entry = targets.setdefault(name, {"about": TARGETS[name].about, "runs": 0, "findings": []})
    entry["runs"] += 1
    for key, value in sums.items():
        old = entry.get(key, 0)
        entry[key] = max(old, value) if key == "branches" else round(old + value, 1)
    entry["findings"] = sorted({*entry["findings"], *places})
    document = {
        "name": "fuzzing",
        "title": "Fuzzing, all runs together",
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": "python -m fuzz --minutes 10",
        "machine": report.machine(),
        "versions": report.versions(),
        "targets": dict(sorted(targets.items())),
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def keep(names: list[str]) -> None:
    """Copy findings to the regression inputs, named by where they came from."""
    for name in names:
        for file in sorted((WORK / name / "findings").glob("*")):
            if file.suffix != ".json":
                stem = re.sub(r"\W+", "-", _told(file.parent, file.name)).strip("-")
                (INPUTS / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, INPUTS / name / stem)


def _returns(name: str, file: Path) -> bool:
    """Whether the target deals with an input within a few seconds of processor time."""
    code = "import sys; from fuzz.targets import TARGETS; TARGETS[sys.argv[1]](open(sys.argv[2], 'rb').read())"
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_CPU, (_MOST_CPU, _MOST_CPU))
    words = [sys.executable, "-c", code, name, str(file)]
    return subprocess.run(words, capture_output=True, preexec_fn=limit, check=False).returncode == 0


def _humbly() -> None:
    os.nice(19)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
