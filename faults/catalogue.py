"""All faults of the embedded catalogue at length: ``python -m faults.catalogue`` (docs/faults.md).

Writes benchmarks/results/faults_catalogue.json. Exit status 1: a check failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from datetime import UTC, datetime

from benchmarks import report
from faults import scenarios

RESULTS = report.ROOT / "benchmarks" / "results" / "faults_catalogue.json"


def main() -> int:
    """Run what was asked for; results of other scenarios stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m faults.catalogue", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=scenarios.LONG, help="these; all unless told")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text())["scenarios"] if RESULTS.is_file() else {}
    failed = False
    for name in given.only or scenarios.LONG:
        begun = time.monotonic()
        try:
            found = {"passed": True, **scenarios.run(scenarios.LONG[name])}
        except PermissionError as error:  # mounting small disks is for root
            found = {"passed": None, "skipped": str(error)}
        except Exception as error:
            traceback.print_exc()
            found = {"passed": False, "error": repr(error)[:500]}
            failed = True
        results[name] = found | {"seconds": round(time.monotonic() - begun, 1), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        print(f"{name}: {json.dumps(results[name])}", flush=True)
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
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
