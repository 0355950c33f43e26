"""What 10^6, 10^8 and 10^10 pictures would take: ``python -m benchmarks.scale`` writes benchmarks/results/scale.json.

A model, not a measurement. Rates come from the results files of this folder (each is named beside its number), prices
and the machines of a data centre are assumptions, stated in ``ASSUMED``. What grows with the pictures is arithmetic;
the latency of a search over many shards is simulated, by drawing each shard's time from what was measured of one.
docs/scale.md reads the result.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks import report

RESULTS = report.ROOT / "benchmarks" / "results"
SIZES = (10**6, 10**8, 10**10)
_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Assumed:
    """What nobody measured here. Prices are round list prices of large clouds, without discounts."""

    picture_bytes: int = 500_000  # a photo of the web; those of a phone have 3 MB
    core_hour_usd: float = 0.04
    object_gb_month_usd: float = 0.023
    memory_gb_hour_usd: float = 0.005
    read_gb_per_s_per_node: float = 1.0  # from object storage
    node_cores: int = 64
    node_memory_gb: int = 256
    encode_days: float = 7.0
    shard_rows: int = 10_000_000
    network_ms: float = 1.0  # there and back within a data centre
    slow_share: float = 0.01  # of a shard's answers that take ``slow_factor`` times as long: pauses, neighbours, disks
    slow_factor: float = 10.0
    replicas: int = 2
    failures_per_node_year: float = 2.0


ASSUMED = Assumed()


def measured() -> dict[str, dict[str, Any]]:
    """Return the rates that the model is fed with, each with the file and figure that it comes from."""
    indexing = _figures("indexing")
    sizes = json.loads((RESULTS / "peers.json").read_text())["sizes"]
    rows = max(sizes, key=int)  # the largest that was measured stands for a shard
    peers = sizes[rows]
    lists, exact = peers["engines"]["wordsight lists"], peers["summary"]["wordsight exact"]
    summary, dim = peers["summary"]["wordsight lists"], 384
    cores = peers["machine"]["cores"]
    cpu_ms = indexing["wordsight, onnxruntime, CPU an image"]
    return {
        "encode_cpu_ms": {"value": cpu_ms, "from": "indexing.json: wordsight, onnxruntime, CPU an image"},
        "vector_bytes": {"value": 2 * dim, "from": "half precision, 384 numbers"},
        "list_bytes": {"value": dim + 12, "from": "8-bit copy, its scale and length, and a place (index/lists.py)"},
        "catalogue_bytes": {"value": _per_row(), "from": "growth.json: database, bytes a picture"},
        "shard_rows": {"value": int(rows), "from": "peers.json: the largest size"},
        "build_s": {"value": lists["build"]["seconds"] * cores, "from": f"peers.json: {rows}, wordsight lists"},
        "lists_ms": {"value": lists["ms"]["0"], "from": f"peers.json: {rows}, wordsight lists, no filter"},
        "lists_recall": {"value": summary["recall"]["0"], "from": f"peers.json: {rows}, wordsight lists"},
        "exact_ms_per_million": {
            "value": exact["ms"]["0"] * 1e6 / int(rows),
            "from": f"peers.json: {rows}, exact, {cores} cores",
        },
    }


def _figures(name: str) -> dict[str, float]:
    document = json.loads((RESULTS / f"{name}.json").read_text())
    return {figure["name"]: figure["value"] for figure in document["figures"]}


def _per_row() -> float:
    return float(_figures("growth")["database, bytes a picture"])


def plan(pictures: int, rates: dict[str, dict[str, Any]], given: Assumed = ASSUMED) -> dict[str, Any]:
    """Return the arithmetic for one size, and the simulated latency."""
    value = {name: rate["value"] for name, rate in rates.items()}
    row_bytes = value["vector_bytes"] + value["list_bytes"]
    shards = max(1, math.ceil(pictures / given.shard_rows))
    rows = pictures / shards
    index_gb = pictures * row_bytes / 1e9
    core_hours = pictures * value["encode_cpu_ms"] / 3.6e6
    read_hours = pictures * given.picture_bytes / 1e9 / given.read_gb_per_s_per_node / 3600
    encode_nodes = max(1, math.ceil(max(core_hours / given.node_cores, read_hours) / (24 * given.encode_days)))
    grown = rows / value["shard_rows"]  # sqrt(n) lists of sqrt(n) rows: a search grows as the root, building as n^1.5
    build = shards * value["build_s"] * grown**1.5 / 3600
    memory_gb = index_gb * given.replicas
    serve_nodes = max(1, math.ceil(memory_gb / (0.75 * given.node_memory_gb)))
    times = np.asarray(value["lists_ms"]) * grown**0.5
    month = 730
    return {
        "pictures": pictures,
        "pictures_tb": pictures * given.picture_bytes / 1e12,
        "vectors_gb": pictures * value["vector_bytes"] / 1e9,
        "index_gb": index_gb,
        "database_gb": pictures * value["catalogue_bytes"] / 1e9,
        "shards": shards,
        "encode_core_hours": core_hours,
        "encode_nodes": encode_nodes,
        "encode_usd": core_hours * given.core_hour_usd,
        "node_failures_while_encoding": encode_nodes * given.encode_days / 365 * given.failures_per_node_year,
        "build_core_hours": build,
        "serve_nodes": serve_nodes,
        "serve_usd_month": month * (memory_gb * given.memory_gb_hour_usd + serve_nodes * 8 * given.core_hour_usd),
        "storage_usd_month": (pictures * given.picture_bytes / 1e9 + index_gb) * given.object_gb_month_usd,
        "exact_ms_one_machine": pictures / 1e6 * value["exact_ms_per_million"],
        "latency_ms": latency(times, shards, given),
    }


def latency(times: np.ndarray, shards: int, given: Assumed = ASSUMED, *, seed: int = 0) -> dict[str, float]:
    """Simulate queries that wait for all shards; ``hedged``: past its 95th percentile, a shard's replica is asked, too.

    Each shard's time is drawn from ``times`` (ms), a share of them slow. With many shards, the maximum of the draws is
    drawn at once, by inverting its distribution.
    """
    rng = np.random.default_rng(seed)
    pool = np.sort(rng.choice(times, 200_000) * np.where(rng.random(200_000) < given.slow_share, given.slow_factor, 1))
    late = np.quantile(pool, 0.95)
    second = np.minimum(pool[rng.permutation(len(pool))], late + pool[rng.permutation(len(pool))])
    found = {}
    for name, one in (("plain", pool), ("hedged", np.sort(second))):
        worst = one[np.minimum((rng.random(_DRAWS) ** (1 / shards) * len(one)).astype(int), len(one) - 1)]
        merge = 0.001 * shards  # ten hits a shard, sorted
        found |= {f"{name} p{q}": float(np.percentile(worst, q) + given.network_ms + merge) for q in (50, 99)}
    return found


def main() -> None:
    """Write the results file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="to see that it runs; nothing is written")
    given = parser.parse_args()
    rates = measured()
    plans = [plan(size, rates) for size in SIZES]
    document = {
        "name": "scale",
        "title": "A model of 10^6, 10^8 and 10^10 pictures",
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": "python -m benchmarks.scale",
        "assumed": asdict(ASSUMED),
        "measured": {
            name: rate | {"value": statistics.median(np.atleast_1d(rate["value"]).tolist())}
            for name, rate in rates.items()
        },
        "plans": plans,
    }
    if given.tiny:
        return
    (RESULTS / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
    page = report.ROOT / "docs" / "scale.md"
    before, rest = page.read_text().split(_BEGIN, 1)
    page.write_text(f"{before}{_BEGIN}\n{tables(document)}\n{_END}{rest.split(_END, 1)[1]}")


def tables(document: dict[str, Any]) -> str:
    """Return what the page shows: the plans, what was measured, what is assumed."""
    plans = document["plans"]
    lines = ["| | " + " | ".join(f"10^{round(math.log10(each['pictures']))}" for each in plans) + " | kind |"]
    lines.append("|---|" + "---:|" * len(plans) + "---|")
    for key, title, kind in _SHOWN:
        cells = [each["latency_ms"][key] if key in each["latency_ms"] else each[key] for each in plans]
        lines.append(f"| {title} | " + " | ".join(_short(cell) for cell in cells) + f" | {kind} |")
    lines += ["", "Measured, and fed to the model:", ""]
    lines += [f"- {name}: {_short(rate['value'])} ({rate['from']})" for name, rate in document["measured"].items()]
    lines += ["", "Assumed:", ""]
    lines += [f"- {name}: {_short(value)}" for name, value in document["assumed"].items()]
    return "\n".join(lines)


_BEGIN, _END = "<!-- begin scale: written by `python -m benchmarks.scale` -->", "<!-- end scale -->"
_SHOWN = (
    ("pictures_tb", "pictures, TB", "assumed size"),
    ("vectors_gb", "vectors, half precision, GB", "arithmetic"),
    ("index_gb", "index: vectors, lists, GB", "arithmetic"),
    ("database_gb", "SQLite database, as on a laptop, GB", "measured a picture"),
    ("shards", "shards", "assumed rows a shard"),
    ("encode_core_hours", "encoding, core hours", "measured rate"),
    ("encode_nodes", "nodes that encode it in the days assumed", "measured rate"),
    ("encode_usd", "encoding, USD", "assumed price"),
    ("node_failures_while_encoding", "nodes that fail meanwhile", "assumed rate"),
    ("build_core_hours", "building the lists, core hours", "measured, scaled"),
    ("serve_nodes", "nodes that serve, by memory, replicas included", "assumed machine"),
    ("serve_usd_month", "serving, USD a month", "assumed price"),
    ("storage_usd_month", "storing pictures and index, USD a month", "assumed price"),
    ("exact_ms_one_machine", "exact search on one machine like this one, ms", "measured, scaled"),
    ("plain p50", "search, all shards, median, ms", "simulated"),
    ("plain p99", "search, all shards, 99th percentile, ms", "simulated"),
    ("hedged p50", "hedged, median, ms", "simulated"),
    ("hedged p99", "hedged, 99th percentile, ms", "simulated"),
)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


if __name__ == "__main__":
    main()
