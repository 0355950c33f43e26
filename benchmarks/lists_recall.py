"""Recall of the inverted lists against exact search, by number of lists scanned and by filter; no times.

``python -m benchmarks.lists_recall --rows 1000000`` writes benchmarks/results/lists_recall.json, sizes side by side.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks import realistic, report, synthetic
from wordsight.index import lists
from wordsight.index.lists import ListIndex
from wordsight.library import derived
from wordsight.library.catalogue import Catalogue
from wordsight.machine import cores
from wordsight.registry import load_encoder

_RESULTS = report.ROOT / "benchmarks" / "results" / "lists_recall.json"
_SHARES = (1.0, 0.5, 0.02, 0.001)
_PROBES = (20, 40, 80)
_USUAL = lists.PROBES
_QUERIES = 60
_TOP = 10


def main() -> None:
    """Compare at each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists_recall", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs; nothing is written")
    given = parser.parse_args()
    if given.tiny:
        given.rows = [5_000]
    sizes = json.loads(_RESULTS.read_text())["recall"] if _RESULTS.is_file() else {}
    for rows in given.rows:
        sizes[str(rows)] = recall(given.work, rows)
        print(rows, json.dumps(sizes[str(rows)]), flush=True)
        if given.tiny:
            continue
        document = {
            "name": "lists_recall",
            "title": "Recall@10 of the inverted lists",
            "date": datetime.now(UTC).isoformat(timespec="minutes"),
            "command": f"python -m benchmarks.lists_recall --rows {' '.join(map(str, given.rows))}",
            "versions": report.versions(),
            "setting": {"queries of each kind": _QUERIES, "usual probes": _USUAL},
            "recall": dict(sorted(sizes.items(), key=lambda item: int(item[0]))),
        }
        _RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def recall(work: Path, rows: int) -> dict[str, dict[str, float]]:
    """Return kind of query and filter -> probes -> recall@10."""
    encoder = load_encoder("mini")
    space = realistic.space(encoder, work)
    place = work / f"catalogue-{rows}-exact"
    synthetic.make(place, encoder, rows, draw=space.draw(), label=space.label)
    found: dict[str, dict[str, float]] = {}
    with Catalogue.open(place) as catalogue:
        exact = derived.open_index(catalogue, catalogue.encoders()[0], threads=cores())
        index = ListIndex(exact)  # type: ignore[arg-type]  # below two million rows it is exact
        ids = np.arange(1, rows + 1)
        for share in _SHARES:
            kept = np.sort(np.random.default_rng(7).choice(ids, int(share * rows), replace=False))
            allowed = None if share == 1 else kept
            for kind, queries in {"text": space.texts, "picture": space.pictures}.items():
                asked = queries[:_QUERIES].astype(np.float32)
                want = exact.search(asked, _TOP, allowed).ids
                for probes in _PROBES:
                    lists.PROBES = probes
                    got = index.search(asked, _TOP, allowed).ids
                    same = [len(set(a) & set(b)) / _TOP for a, b in zip(want.tolist(), got.tolist(), strict=True)]
                    found.setdefault(f"{kind}, {share:.1%} of the rows", {})[str(probes)] = round(
                        float(np.mean(same)), 4
                    )
    return found


if __name__ == "__main__":
    main()
