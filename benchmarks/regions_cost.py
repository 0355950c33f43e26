"""What regions cost: bytes of the catalogue, time to index, time to search."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import photos, synthetic
from benchmarks.indexing import runtimes_of
from benchmarks.process import Command, interleaved, measure, python, wordsight
from benchmarks.report import median_ratio
from wordsight.library import derived
from wordsight.library.catalogue import DATABASE, Catalogue
from wordsight.registry import load_encoder

_PHOTOS = 200
_SIZE = (640, 480)
_ROWS = 100_000
_REPEATS = 5
_SEARCHES = 11
_BARE = "import numpy, onnxruntime"


def make(encoder: str, work: Path) -> tuple[Path, dict[str, Path]]:
    """Make what is measured unless it is there: photos, and catalogues without and with regions."""
    folder = photos.make(work / f"photos-640-{_PHOTOS}", _PHOTOS, _SIZE)
    loaded = load_encoder(encoder)
    places = {}
    for name, regions in (("whole", False), ("with_regions", True)):
        places[name] = work / f"catalogue-{_ROWS}-{name}"
        synthetic.make(places[name], loaded, _ROWS, regions=regions)
    return folder, places


def run(encoder: str, work: Path) -> dict[str, Any]:
    """Return all figures; ratios are medians of runs side by side."""
    folder, places = make(encoder, work)
    return {
        "storage": {name: _bytes(place) for name, place in places.items()},
        "index": {runtime: _index(encoder, work, folder, runtime) for runtime in runtimes_of(encoder)},
        "search_process": _processes(encoder, places),
        "search_alone_ms": {name: _alone(encoder, place) for name, place in places.items()},
        "pictures": _ROWS,
        "photos": _PHOTOS,
    }


def _bytes(place: Path) -> dict[str, float]:
    """Return bytes a picture: of the database, and of the index files derived from it."""
    files = sum(file.stat().st_size for file in (place / "index").rglob("*") if file.is_file())
    return {"database": (place / DATABASE).stat().st_size / _ROWS, "index_files": files / _ROWS}


def _index(encoder: str, work: Path, folder: Path, runtime: str) -> dict[str, Any]:
    walls: dict[str, list[float]] = {"whole": [], "with_regions": []}
    for _ in range(_REPEATS):
        for name, option in (("whole", "--no-regions"), ("with_regions", "--regions")):
            scratch = work / "scratch-regions"
            shutil.rmtree(scratch, ignore_errors=True)
            words = wordsight("index", str(folder), option, "--encoder", encoder, "--quiet", "--catalog", str(scratch))
            (sample,) = measure([Command(words, {"WORDSIGHT_RUNTIME": runtime})])
            walls[name].append(sample.wall_s)
    rates = {f"{name}_photos_per_s": _PHOTOS / statistics.median(seconds) for name, seconds in walls.items()}
    return {"time_ratio": median_ratio(walls["with_regions"], walls["whole"]), **rates, "wall_s": walls}


def _processes(encoder: str, places: dict[str, Path]) -> dict[str, Any]:
    """Time ``wordsight search`` in a new process against importing numpy and onnxruntime."""

    def search(place: Path, *more: str) -> Command:
        return Command(wordsight("search", "a dog", "-f", "--encoder", encoder, "--catalog", str(place), *more))

    commands = {
        "whole": search(places["whole"]),
        "with_regions": search(places["with_regions"]),
        "with_regions, --no-regions": search(places["with_regions"], "--no-regions"),
    }
    bare, *ours = interleaved(Command(python(_BARE)), *commands.values(), repeats=_SEARCHES)
    walls = {name: [sample.wall_s for sample in samples] for name, samples in zip(commands, ours, strict=True)}
    imports = [sample.wall_s for sample in bare]
    return {
        "bare_import_ms": statistics.median(imports) * 1e3,
        **{f"{name}, ms": statistics.median(seconds) * 1e3 for name, seconds in walls.items()},
        **{f"{name} / bare import": median_ratio(seconds, imports) for name, seconds in walls.items()},
    }


def _alone(encoder_name: str, place: Path) -> float:
    """Return the median milliseconds of a search in an open index, on one thread."""
    encoder = load_encoder(encoder_name)
    with Catalogue.open(place) as catalogue:
        stored = catalogue.encoder_row(encoder)
        open_index = derived.open_index if stored.regions is None else derived.open_with_regions
        index = open_index(catalogue, stored)
        queries = synthetic.random_vectors(encoder.dim, seed=3)(30)
        return statistics.median(_times(lambda i: index.search(queries[i : i + 1], 10), len(queries)))


def _times(step: Callable[[int], object], count: int) -> list[float]:
    step(0)
    times = []
    for i in range(count):
        start = time.perf_counter()
        step(i)
        times.append((time.perf_counter() - start) * 1e3)
    return times
