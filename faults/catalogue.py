"""All faults of the embedded catalogue at length: ``python -m faults.catalogue`` (docs/faults.md).

Writes benchmarks/results/faults_catalogue.json, after each part. Exit status 1: a check failed.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from benchmarks import report
from faults import scenarios

RESULTS = report.ROOT / "benchmarks" / "results" / "faults_catalogue.json"


def main() -> int:
    """Run what was asked for, and add it to what the results file holds of the same sources."""
    parser = argparse.ArgumentParser(prog="python -m faults.catalogue", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=scenarios.LONG, help="these; all unless told")
    parser.add_argument("--parts", type=int, help="so many parts of each, then stop; all unless told")
    parser.add_argument("--resume", action="store_true", help="leave out the parts that passed before")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text())["scenarios"] if RESULTS.is_file() else {}
    failed = False
    for name in given.only or scenarios.LONG:
        count, scenario = scenarios.LONG[name]
        if not given.resume:
            results.pop(name, None)
        found = results.setdefault(name, {"parts": count, "passed": [], "failed": [], "numbers": {}})
        todo = [part for part in range(count) if part not in found["passed"]]
        for part in todo[: given.parts]:
            begun = time.monotonic()
            try:
                numbers = scenarios.run(functools.partial(scenario, part=part))
            except PermissionError as error:  # mounting small disks is for root
                found["skipped"] = str(error)
                break
            except Exception as error:
                traceback.print_exc()
                found["failed"].append({"part": part, "error": repr(error)[:500]})
                failed = True
            else:
                found["passed"].append(part)
                found["numbers"] = summed(found["numbers"], numbers)
            found["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
            print(f"{name}, part {part + 1} of {count}: {time.monotonic() - begun:.1f} s", flush=True)
            write(results)
    return 1 if failed else 0


def summed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of two parts together; what is no number stays as it was first said."""
    both: dict[str, Any] = dict(old)
    for key, value in new.items():
        if isinstance(value, dict):
            both[key] = summed(old.get(key, {}), value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            both[key] = old.get(key, value)
        else:
            both[key] = old.get(key, 0) + value
    return both


def write(results: dict[str, Any]) -> None:
    """Write the results file."""
    document = {
        "name": "faults_catalogue",
        "title": "Faults of the embedded catalogue",
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": "python -m faults.catalogue",
        "machine": report.machine(),
        "versions": report.versions(),
        "scenarios": results,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
