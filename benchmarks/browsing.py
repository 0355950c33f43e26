"""What the page asks of a large catalogue, through the service: filters, deep pages, duplicates, groups."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks import realistic, synthetic
from benchmarks.report import Bar, Result
from benchmarks.served import Running, running
from benchmarks.settings import Settings
from wordsight.library.groups import MOST
from wordsight.registry import load_encoder

_DEEP = 30_000  # hits, page after page as the grid asks for them
_PAGE = 250
_REPEATS = 7


def run(settings: Settings) -> Result:
    """Measure each question as a client sees it: median of seven, and the first time where that is worked out."""
    result = Result("browsing", "The page over a large catalogue")
    rows = settings.rows[0]
    encoder = load_encoder(settings.encoder)
    space = realistic.space(encoder, settings.work)
    location = settings.work / f"catalogue-{rows}-exact"
    synthetic.make(location, encoder, rows, draw=space.draw(), label=space.label)
    result.setting = {"photos": rows, "vectors": space.label, "encoder": settings.encoder_name, "deep": _DEEP}
    with running(location, settings.encoder) as server:
        _quick(result, server)
        _deep(result, server, "a search", {"q": "a dog in the snow"})
        _deep(result, server, "all photos", {})
        _slow(result, server, rows)
        result.add("memory of the server at the end", server.rss_mib(), "MiB")
    return result


def _quick(result: Result, server: Running) -> None:
    asked = {
        "a search": ("/api/search", {"q": "a dog in the snow"}),
        "a search within one folder and three years": (
            "/api/search",
            {"q": "a dog in the snow", "folder": "/photos/00003", "since": "2010", "until": "2012"},
        ),
        "a search, newest first": ("/api/search", {"q": "a dog in the snow", "sort": "date"}),
        "all photos, first page": ("/api/search", {}),
        "what there is to filter by": ("/api/facets", {}),
        "what there is to filter by, of one camera": ("/api/facets", {"camera": "Camera 3"}),
        "status": ("/api/status", {}),
    }
    for name, (path, params) in asked.items():
        times = [_timed(lambda path=path, params=params: server.ask(path, **params)) for _ in range(_REPEATS)]
        result.raw[f"ms, {name}"] = times
        if "filter by" in name:  # kept while the catalogue stays as it is
            result.add(f"{name}, first time", times[0], "ms")
        result.add(name, statistics.median(times), "ms")


def _deep(result: Result, server: Running, name: str, params: dict[str, str]) -> None:
    """Scroll: page after page to ``_DEEP`` hits."""
    times: list[float] = []
    paths: set[str] = set()
    seen, cursor = 0, None
    while seen < _DEEP:
        more = {} if cursor is None else {"cursor": cursor}
        started = time.perf_counter()
        page = server.ask("/api/search", limit=_PAGE, **params, **more)
        times.append((time.perf_counter() - started) * 1e3)
        seen += len(page["hits"])
        paths |= {hit["path"] for hit in page["hits"]}
        cursor = page["cursor"]
        if cursor is None:
            break
    result.raw[f"ms, pages of {name}"] = times
    result.add(f"pages of 250, {name}: first five", statistics.median(times[:5]), "ms")
    result.add(f"pages of 250, {name}: last five of {len(times)}", statistics.median(times[-5:]), "ms")
    result.add(f"photos that came twice, {name}", seen - len(paths), "", Bar("<=", 0))


def _slow(result: Result, server: Running, rows: int) -> None:
    once = {
        f"near-duplicates among {min(rows, MOST):,}, worked out": ("/api/library/duplicates", {}),
        "near-duplicates, remembered": ("/api/library/duplicates", {}),
        "12 groups, worked out": ("/api/library/clusters", {}),
        "12 groups, remembered": ("/api/library/clusters", {}),
        "48 groups, worked out": ("/api/library/clusters", {"k": 48}),
    }
    for name, (path, params) in once.items():
        result.add(name, _timed(lambda path=path, params=params: server.ask(path, **params)) / 1e3, "s")


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
