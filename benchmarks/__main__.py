"""Run the benchmarks: ``python -m benchmarks [--only indexing searching ...]``.

Each writes ``benchmarks/results/<name>.json`` and its table in docs/benchmarks.md. Exit status 1: a bar was missed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from pathlib import Path

from benchmarks import report
from benchmarks.settings import Settings

NAMES = ("quality", "indexing", "searching", "memory", "resync", "graph", "install", "serving", "browsing", "page")
RESULTS = report.ROOT / "benchmarks" / "results"
_TINY = {"photos": 24, "files": 400, "rows": [3_000], "repeats": 1}


def main() -> int:
    """Run what was asked for."""
    given = _parser().parse_args()
    if given.tiny:
        vars(given).update(_TINY)
    settings = Settings(
        encoder=given.encoder,
        work=given.work.absolute(),
        photos=given.photos,
        files=given.files,
        rows=tuple(given.rows),
        repeats=given.repeats,
        full=given.full,
        tiny=given.tiny,
    )
    settings.work.mkdir(parents=True, exist_ok=True)
    os.environ.pop("WORDSIGHT_RUNTIME", None)
    missed = []
    for name in given.only or NAMES:
        about = report.machine()
        print(f"{name} (load {about['load_before']})", flush=True)
        try:
            result = importlib.import_module(f"benchmarks.{name}").run(settings)
        except report.LackingError as error:
            print(f"  left out: {error}", flush=True)
            continue
        except Exception:  # the others can still be measured
            traceback.print_exc()
            missed.append(f"{name}: failed, see above")
            continue
        if not given.tiny:  # else figures say nothing
            bars = [figure for figure in result.figures if figure.bar and not figure.bar.met(figure.value)]
            missed += [f"{name}: {figure}" for figure in bars]
            file = given.out / f"{name}.json"
            report.write_json(result, file, command=_command(name, given), about=about)
            if given.out == RESULTS:
                report.write_table(file, report.ROOT / "docs" / "benchmarks.md")
    print("\n".join(["missed:", *missed] if missed else ["all ran" if given.tiny else "all bars met"]))
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, help="these benchmarks; all unless told")
    parser.add_argument("--encoder", default="mini", help="a name or the path of a model folder")
    parser.add_argument("--photos", type=int, default=1_000, help="640x480 JPEGs for indexing")
    parser.add_argument("--files", type=int, default=20_000, help="small JPEGs for memory and resync")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="for searching and graph")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="graph: all of --rows, not the first only")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that all run; nothing is written")
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work", help="photos, catalogues")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results; docs for the usual one only")
    return parser


def _command(name: str, given: argparse.Namespace) -> str:
    """Return the command that repeats this benchmark, without the paths of this machine."""
    words = ["python -m benchmarks --only", name, "--repeats", str(given.repeats)]
    words += {
        "indexing": ["--photos", str(given.photos)],
        "memory": ["--files", str(given.files)],
        "resync": ["--files", str(given.files)],
        "install": [],
    }.get(name, ["--rows", *map(str, given.rows)])
    words += ["--full"] if given.full and name == "graph" else []
    return " ".join(words + ([] if given.encoder == "mini" else ["--encoder", Path(given.encoder).name]))


if __name__ == "__main__":
    sys.exit(main())
