"""``wordsight serve`` under load: many clients on loopback that search a large catalogue, one request after the other.

Clients run in one other process on the same machine, so they share its cores with the server. Each query is a new text:
every answer encodes, searches and reads the hits. Memory is the server's resident set, read every two seconds.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import re
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks import realistic, synthetic
from benchmarks.process import wordsight
from benchmarks.report import Bar, Result
from benchmarks.settings import Settings
from wordsight.registry import load_encoder

_CLIENTS = 50
_SECONDS = 60.0
_ALONE_SECONDS = 10.0
_LIMIT = 20  # hits of an answer
_THINGS = ("dog", "cat", "house", "river", "bicycle", "child", "mountain", "train", "flower", "boat", "horse", "street")
_HOW = ("red", "old", "small", "wooden", "bright", "broken", "distant", "wet", "empty", "quiet", "striped", "round")
_WHERE = ("in snow", "at night", "by the sea", "in a garden", "under a tree", "on a table", "in the rain", "in a city")


def run(settings: Settings) -> Result:
    """Measure one client alone, then fifty together."""
    result = Result("serving", "The service under load")
    rows = settings.rows[0]
    seconds = _SECONDS if rows >= 100_000 else 3.0
    encoder = load_encoder(settings.encoder)
    space = realistic.space(encoder, settings.work)
    location = settings.work / f"catalogue-{rows}-exact"
    synthetic.make(location, encoder, rows, draw=space.draw(), label=space.label)
    words = wordsight("serve", "--catalog", str(location), "--encoder", settings.encoder, "--port", "0")
    result.setting = {
        "clients": _CLIENTS,
        "seconds": seconds,
        "photos": rows,
        "hits": _LIMIT,
        "vectors": space.label,
        "encoder": settings.encoder_name,
    }
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        _measure(result, process.pid, address.port or 0, seconds)
        process.send_signal(signal.SIGTERM)
        started = time.perf_counter()
        status = process.wait(30)
        result.add("exit status after SIGTERM", abs(status), "", Bar("<=", 0))
        result.add("from SIGTERM to the end", time.perf_counter() - started, "s", Bar("<", 10))
    finally:
        process.kill()
    return result


def _measure(result: Result, pid: int, port: int, seconds: float) -> None:
    _load(port, 1, 2.0, 0)  # the first answers open the encoder
    alone = _load(port, 1, min(_ALONE_SECONDS, seconds), 1)
    memory: list[float] = []
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(pid, memory, stop))
    watcher.start()
    together = _load(port, _CLIENTS, seconds, 2)
    stop.set()
    watcher.join()
    for name, found in (("one client", alone), (f"{_CLIENTS} clients", together)):
        times = sorted(found["ms"])
        result.raw[f"quantiles_ms, {name}"] = statistics.quantiles(times, n=100)
        result.add(f"{name}: median latency", statistics.median(times), "ms")
        result.add(f"{name}: 95th percentile", result.raw[f"quantiles_ms, {name}"][94], "ms")
        result.add(f"{name}: answers a second", len(times) / found["seconds"], "/s")
        result.add(f"{name}: errors", found["errors"], "", Bar("<=", 0))
        result.add(f"{name}: median of the server's own time", statistics.median(found["own_ms"]), "ms")
    result.raw["rss_mib"] = memory
    quarter = max(1, len(memory) // 4)
    result.add("memory of the server, largest", max(memory), "MiB")
    growth = statistics.median(memory[-quarter:]) / statistics.median(memory[quarter : 2 * quarter])
    result.add("memory, last quarter / second quarter", growth, "x", Bar("<=", 1.05))


def _load(port: int, clients: int, seconds: float, seed: int) -> dict[str, object]:
    """Ask from another process; return the latencies of the answers in ms, and how many requests failed."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_clients, (port, clients, seconds, seed))


def _clients(port: int, clients: int, seconds: float, seed: int) -> dict[str, object]:
    texts = itertools.count(seed * 10_000_000)
    ms: list[float] = []
    own: list[float] = []
    errors: list[str] = []
    started = time.perf_counter()
    end = started + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                connection.request("GET", f"/api/search?limit={_LIMIT}&q={quote(_text(next(texts)))}")
                response = connection.getresponse()
                data = response.read()
                answer = json.loads(data)
                if response.status != 200 or len(answer["hits"]) != _LIMIT:
                    errors.append(f"{response.status}: {data[:200]!r}")
                    continue
            except (OSError, http.client.HTTPException, ValueError) as error:
                errors.append(repr(error))
                connection.close()
                continue
            ms.append((time.perf_counter() - began) * 1e3)
            own.append(answer["ms"]["total"])
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        print(f"  the first error: {errors[0]}", flush=True)
    return {"ms": ms, "own_ms": own, "errors": len(errors), "seconds": time.perf_counter() - started}


def _text(number: int) -> str:
    how, thing, where = _HOW[number % 12], _THINGS[number // 12 % 12], _WHERE[number // 144 % 8]
    return f"a {how} {thing} {where}, number {number}"


def _watch(pid: int, memory: list[float], stop: threading.Event) -> None:
    """Note the resident set in MiB every two seconds, and once at least."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        memory.append(int(found[1]) / 1024 if found else 0.0)
        if stop.wait(2.0):
            return
