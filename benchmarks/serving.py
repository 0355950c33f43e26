"""``wordsight serve`` under load: many clients on loopback that search a large catalogue, one request after the other.

Clients run in one other process on the same machine, so they share its cores with the server. Each query is a new text:
every answer encodes, searches and reads the hits. Memory is the server's resident set, read every two seconds. A second
round has the same clients while the server also syncs a folder in which photos came, changed, moved and went: then
the folder and what is found of it must agree, and every other photo must still be there.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import shutil
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks import photos, realistic, synthetic
from benchmarks.process import wordsight
from benchmarks.report import Bar, Result
from benchmarks.served import Running, running
from benchmarks.settings import Settings
from wordsight.registry import load_encoder

_CLIENTS = 50
_SECONDS = 60.0
_ALONE_SECONDS = 10.0
_LIMIT = 20  # hits of an answer
_SYNCED = 600  # photos
_FLAT = 1.05
_THINGS = ("dog", "cat", "house", "river", "bicycle", "child", "mountain", "train", "flower", "boat", "horse", "street")
_HOW = ("red", "old", "small", "wooden", "bright", "broken", "distant", "wet", "empty", "quiet", "striped", "round")
_WHERE = ("in snow", "at night", "by the sea", "in a garden", "under a tree", "on a table", "in the rain", "in a city")


def run(settings: Settings) -> Result:
    """Measure one client alone, then fifty together, then fifty during a sync."""
    result = Result("serving", "The service under load")
    rows = settings.rows[0]
    seconds = _SECONDS if rows >= 100_000 else 3.0
    count = _SYNCED if rows >= 100_000 else 40
    encoder = load_encoder(settings.encoder)
    space = realistic.space(encoder, settings.work)
    made = settings.work / f"catalogue-{rows}-exact"
    synthetic.make(made, encoder, rows, draw=space.draw(), label=space.label)
    location, sync = _prepared(made, settings, count)
    result.setting = {
        "clients": _CLIENTS,
        "seconds": seconds,
        "photos": rows,
        "hits": _LIMIT,
        "synced": f"{count} photos come; of {count // 3} that were there a quarter each stay, change, move and go",
        "vectors": space.label,
        "encoder": settings.encoder_name,
    }
    with running(location, settings.encoder) as server:
        _measure(result, server, seconds)
        _with_sync(result, server, sync, rows, seconds)
        server.process.send_signal(signal.SIGTERM)
        started = time.perf_counter()
        status = server.process.wait(30)
        result.add("exit status after SIGTERM", abs(status), "", Bar("<=", 0))
        result.add("from SIGTERM to the end", time.perf_counter() - started, "s", Bar("<", 10))
    return result


@dataclass(frozen=True, slots=True)
class Sync:
    """An indexed folder, and photos that will come into it."""

    folder: Path
    coming: list[Path]

    def change(self) -> None:
        """Let photos come, change, move and go."""
        there = sorted(self.folder.iterdir())
        quarter = len(there) // 4
        for file in there[:quarter]:
            data = file.read_bytes()
            file.write_bytes(data[:2] + b"\xff\xfe\x00\x09changed" + data[2:])
        (self.folder / "moved").mkdir()
        for file in there[quarter : 2 * quarter]:
            file.rename(self.folder / "moved" / file.name)
        for file in there[2 * quarter : 3 * quarter]:
            file.unlink()
        for file in self.coming:
            shutil.copy(file, self.folder / f"new-{file.name}")


def _prepared(made: Path, settings: Settings, count: int) -> tuple[Path, Sync]:
    """Copy the catalogue, and index a second folder into it, so that there is something to sync."""
    source = photos.listing(photos.make(settings.work / "photos-sync", count + count // 3, (640, 480)))
    location, folder = settings.work / "catalogue-served", settings.work / "photos-served"
    for old in (location, folder):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(made, location)
    folder.mkdir()
    for file in source[count:]:
        shutil.copy(file, folder / f"before-{file.name}")
    words = wordsight("index", str(folder), "--catalog", str(location), "--encoder", settings.encoder)
    subprocess.run(words, check=True, capture_output=True)
    return location, Sync(folder, source[:count])


def _measure(result: Result, server: Running, seconds: float) -> None:
    _load(server.port, 1, 2.0, 0)  # the first answers open the encoder
    alone = _load(server.port, 1, min(_ALONE_SECONDS, seconds), 1)
    together, memory = _watched(server, seconds, 2)
    _add(result, "one client", alone)
    _add(result, f"{_CLIENTS} clients", together)
    result.raw["rss_mib"] = memory
    result.add("memory of the server, largest", max(memory), "MiB")
    result.add("memory, last quarter / second quarter", _growth(memory), "x", Bar("<=", _FLAT))


def _with_sync(result: Result, server: Running, sync: Sync, rows: int, seconds: float) -> None:
    """Load while the server syncs; then compare the folder with what is found of it."""
    sync.change()
    server.ask("/api/sync", "POST", {"folder": str(sync.folder)})
    together, memory = _watched(server, seconds, 3)
    while (state := server.ask("/api/sync"))["running"]:
        time.sleep(0.2)
    _add(result, f"{_CLIENTS} clients during a sync", together)
    state["folder"] = Path(state["folder"]).name  # where it lay tells nothing
    result.raw["rss_mib_sync"], result.raw["sync"] = memory, state
    result.add("the sync beside them", state["report"]["seconds"] if state["report"] else float("nan"), "s")
    expected = {str(file) for file in sync.folder.rglob("*.jpg")}
    found = _found(server, sync.folder)
    result.add("photos of the folder that the sync lost", len(expected - found), "", Bar("<=", 0))
    result.add("photos that are gone and were kept", len(found - expected), "", Bar("<=", 0))
    others = server.ask("/api/status")["photos"] - len(found)
    result.add("photos of before that the sync lost", rows - others, "", Bar("<=", 0))
    result.add("errors of the sync", float(state["error"] is not None) + state["skipped"], "", Bar("<=", 0))


def _found(server: Running, folder: Path) -> set[str]:
    """Return the paths that a search which every photo answers gives, page after page."""
    paths: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.ask("/api/search", q="a photo", folder=str(folder), limit=500, **cursor)
        paths += [hit["path"] for hit in page["hits"]]
        if page["cursor"] is None:
            assert len(paths) == len(set(paths))
            return set(paths)
        cursor = {"cursor": page["cursor"]}


def _watched(server: Running, seconds: float, seed: int) -> tuple[dict[str, object], list[float]]:
    """Ask with all clients and note the memory meanwhile."""
    memory: list[float] = []
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, memory, stop))
    watcher.start()
    together = _load(server.port, _CLIENTS, seconds, seed)
    stop.set()
    watcher.join()
    return together, memory


def _add(result: Result, name: str, found: dict[str, object]) -> None:
    times = sorted(found["ms"])
    result.raw[f"quantiles_ms, {name}"] = statistics.quantiles(times, n=100)
    result.add(f"{name}: median latency", statistics.median(times), "ms")
    result.add(f"{name}: 95th percentile", result.raw[f"quantiles_ms, {name}"][94], "ms")
    result.add(f"{name}: answers a second", len(times) / found["seconds"], "/s")
    result.add(f"{name}: errors", found["errors"], "", Bar("<=", 0))
    result.add(f"{name}: median of the server's own time", statistics.median(found["own_ms"]), "ms")


def _growth(memory: list[float]) -> float:
    quarter = max(1, len(memory) // 4)
    return statistics.median(memory[-quarter:]) / statistics.median(memory[quarter : 2 * quarter] or memory)


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


def _watch(server: Running, memory: list[float], stop: threading.Event) -> None:
    """Note the resident set in MiB every two seconds, and once at least."""
    while True:
        memory.append(server.rss_mib())
        if stop.wait(2.0):
            return
