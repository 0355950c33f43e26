"""docs/peers.md out of benchmarks/results/peers.json: ``python -m benchmarks.peers_doc``; who wins is computed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from benchmarks import report
from benchmarks.peer_engines import ENGINES

PAGE = report.ROOT / "docs" / "peers.md"
_RESULTS = report.ROOT / "benchmarks" / "results" / "peers.json"
_FILTERS = {"0": "no filter", "1": "50 %", "2": "2 %", "3": "0.1 %"}
_GOOD = 0.95
_REQUIRED, _BAR_ROWS = {"wordsight exact": 2, "wordsight lists": 30}, 1_000_000
_HEAD = """# Search against others
Written by `python -m benchmarks.peers_doc` from `benchmarks/results/peers.json`; do not edit. Command: `{command}`.

The same rows (made to lie like embeddings of real photos, {dim} numbers), the same {queries} queries (half texts, half
pictures), one query at a time, each engine in processes of its own. Filters keep random rows. numpy, faiss, wordsight
are given the row ids that pass; LanceDB, sqlite-vec and rclip's scan find them by a condition of their own, which costs
them time. Recall is against numpy in float32. "Cold": a new process, from its start to the first answer, with files in
the page cache; "memory" is that process's peak, mapped files included. "Build" is how long an index took to make, on a
machine that did other work, too. "rclip's scan" is rclip's loop written anew (benchmarks/peer_engines.py), not the
program; sqlite-vec is loaded by apsw, because many Pythons' own module loads no extensions.

Engines: faiss `IVFn,SQ8` with as many lists as ours, n = 2 sqrt(N), of which it looks into 40, as ours; LanceDB
`IVF_RQ` with 20 probes and refinement 10; usearch with the settings of our graph.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers_doc", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="to see that it runs; nothing is written")
    given = parser.parse_args()
    document = json.loads(_RESULTS.read_text())
    setting = document["setting"]
    lines = [_HEAD.format(command=document["command"], dim=setting["dim"], queries=setting["queries"])]
    for rows, size in document["sizes"].items():
        lines += _size(int(rows), size)
    lines.append("\n![Latency](../benchmarks/plots/peers-latency.svg)\n![Recall](../benchmarks/plots/peers-recall.svg)")
    lines.append("![Cost](../benchmarks/plots/peers-cost.svg)\n")
    if not given.tiny:
        PAGE.write_text("\n".join(lines))


def _size(rows: int, size: dict[str, Any]) -> Iterator[str]:
    about = size["machine"]
    yield f"## {rows:,} rows"
    yield f"{size['date'][:10]}, {about['processor']} ({about['cores']} cores, {', '.join(about['features'])}).\n"
    filters = "".join(f" {name} |" for name in _FILTERS.values())
    yield f"| engine |{filters} recall@10 (none / 50 % / 2 % / 0.1 %) | cold | memory | disk | build |"
    yield "|---|" + "---:|" * (len(_FILTERS) + 5)
    for name, each in size["summary"].items():
        times = "".join(f" {_digits(each['ms'][key])} ms |" if key in each["ms"] else " - |" for key in _FILTERS)
        recall = " / ".join(f"{each['recall'][key]:.3f}" if key in each["recall"] else "-" for key in _FILTERS)
        cost = (
            f"{each['cold_s']:.2f} s | {each['memory_mb']:,} MB | {each['disk_mb']:,.0f} MB | {each['build_s']:,.1f} s"
        )
        yield f"| {name} |{times} {recall} | {cost} |"
    yield ""
    lacking = [name for name in ENGINES if name not in size["summary"]]
    if lacking:
        yield f"- Not run at this size yet: {', '.join(lacking)}."
    yield from _bars(rows, size["summary"])
    yield from _winners(size["summary"])
    yield ""


def _digits(value: float) -> str:
    """Return three digits, and all before the point."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _bars(rows: int, summary: dict[str, Any]) -> Iterator[str]:
    """Tell how many times as fast as the faster numpy ours are, and at a million rows whether that was required."""
    for name, least in _REQUIRED.items():
        if name not in summary:
            continue
        each = summary[name]
        times, recall, lowest = each["times_numpy"]["0"], each["recall"]["0"], min(each["recall"].values())
        told = (
            f"- {name}: {times:.3g} times as fast as the faster numpy, recall {recall:.3f}, with filters {lowest:.3f}"
        )
        if rows == _BAR_ROWS:
            met = times >= least and lowest >= _GOOD and each["cold_s"] < 1
            told += f" (required: {least} times, {_GOOD}, cold under 1 s: {'met' if met else '**missed**'})"
        yield told + "."


def _winners(summary: dict[str, Any]) -> Iterator[str]:
    """Tell, for each filter, what the fastest of the others with good recall does against ours."""
    for key, told in _FILTERS.items():
        good = {
            name: each["ms"][key]
            for name, each in summary.items()
            if key in each["ms"] and each["recall"][key] >= _GOOD
        }
        ours = {name: ms for name, ms in good.items() if name.startswith("wordsight")}
        if not ours:
            yield f"- {told}: none of ours reaches recall {_GOOD}."
            continue
        best = min(ours, key=ours.__getitem__)
        faster = sorted((ms, name) for name, ms in good.items() if name not in ours and ms < ours[best])
        if faster:
            names = ", ".join(f"{name} ({ours[best] / ms:.1f} times)" for ms, name in faster)
            yield f"- {told}: **faster than {best}**: {names}."
        else:
            yield f"- {told}: none of the others with recall {_GOOD} or more is faster than {best}."


if __name__ == "__main__":
    main()
