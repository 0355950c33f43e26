"""Milliseconds a picture of every feature, and of others' code for the same thing in the same run.

``python -m benchmarks.features [--repeats N] [--write]``; needs the extras classical and demo, and mahotas where its
Zernike moments are to be compared. Batches of eight pictures of 320 x 320 pixels; OpenCV is
kept to one thread.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wordsight.features import FEATURES, LOCAL_FEATURES, parse, parse_local

RESULTS = Path(__file__).parent / "results" / "features.json"
SIDE = 320
Call = Callable[[], object]
OfGrey = Callable[[np.ndarray], object]


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in milliseconds a picture; ``ratio`` says how many times faster than ``reference`` it is."""

    feature: str
    ms: float
    reference: str | None = None
    reference_ms: float | None = None
    ratio: float | None = None


def photos() -> list[Image.Image]:
    """Return photographs of 320 x 320 pixels, cut from those that scikit-image brings along."""
    data = importlib.import_module("skimage.data")
    whole = [Image.fromarray(getattr(data, name)()) for name in ("astronaut", "coffee", "chelsea", "rocket")]
    halves = [(0.0, 0.7), (0.3, 1.0)]
    boxes = [(p, (int(a * p.width), 0, int(b * p.width), p.height)) for p in whole for a, b in halves]
    return [picture.crop(box).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for picture, box in boxes]


def same_definition() -> list[tuple[str, str, OfGrey]]:
    """Return what others compute too: our feature, whose the reference is, and the reference, from grey levels."""
    feature, measure = importlib.import_module("skimage.feature"), importlib.import_module("skimage.measure")

    def hog(cell: int) -> OfGrey:
        return lambda grey: feature.hog(grey, 9, (cell, cell), (2, 2))

    def lbp(points: int, radius: int, method: str, codes: int) -> OfGrey:
        def run(grey: np.ndarray) -> object:
            found = feature.local_binary_pattern(grey, points, radius, method)
            return np.bincount(found.astype(np.intp).ravel(), minlength=codes)

        return run

    def hu(grey: np.ndarray) -> object:
        return measure.moments_hu(measure.moments_normalized(measure.moments_central(grey / 255)))

    return [
        ("hog(side=320,cell=8,soft=false)", "scikit-image", hog(8)),
        ("hog(side=320,cell=16,soft=false)", "scikit-image", hog(16)),
        ("lbp(side=320,kind=plain,grid=1)", "scikit-image", lbp(8, 1, "default", 256)),
        ("lbp(side=320,kind=uniform,grid=1)", "scikit-image", lbp(8, 1, "nri_uniform", 59)),
        ("lbp(side=320,kind=rotation,points=16,radius=2,grid=1)", "scikit-image", lbp(16, 2, "uniform", 18)),
        ("hu(side=320)", "scikit-image", hu),
        *_of_mahotas(),
    ]


def _of_mahotas() -> list[tuple[str, str, OfGrey]]:
    try:
        mahotas = importlib.import_module("mahotas")
    except ImportError:
        return []
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)

    def zernike(grey: np.ndarray) -> object:
        return mahotas.features.zernike_moments(grey.astype(float), SIDE / 2, degree=8, cm=middle)

    return [("zernike(side=320,degree=8)", "mahotas", zernike)]


def _called(text: str, images: list[Image.Image], preset: Any = "photo") -> Call:
    local = text.partition("(")[0] in LOCAL_FEATURES
    (feature,) = parse_local(text, preset) if local else parse(text, preset)
    return lambda: feature(images)


def medians(calls: list[Call], repeats: int) -> list[float]:
    """Return the median milliseconds of each call, taken in turns after one unmeasured round."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            if turn:
                times[place].append((time.perf_counter() - start) * 1000)
    return [statistics.median(taken) for taken in times]


def compared(images: list[Image.Image], repeats: int) -> list[Row]:
    """Return ours against the reference where both compute the same, from decoded pictures on."""
    rows = []
    for text, name, reference in same_definition():

        def theirs(reference: OfGrey = reference) -> list[object]:
            return [reference(np.asarray(image.convert("L"))) for image in images]

        mine, other = (taken / len(images) for taken in medians([_called(text, images), theirs], repeats))
        rows.append(Row(text, mine, name, other, other / mine))
    return rows


def presets(images: list[Image.Image], repeats: int) -> dict[str, list[Row]]:
    """Return the cost of all features with the parameters of both presets: of photos, and of pictures of 32 pixels."""
    small = [image.resize((32, 32)) for image in images] * 8
    found: dict[str, list[Row]] = {}
    for preset, batch in (("photo", images), ("small", small)):
        names = [*FEATURES, *LOCAL_FEATURES]
        taken = {name: medians([_called(name, batch, preset)], repeats)[0] for name in names}
        found[preset] = [Row(name, ms / len(batch)) for name, ms in taken.items()]
    return found


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    packages = ("numpy", "pillow", "opencv-python-headless", "scikit-image", "mahotas")
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"python": platform.python_version(), "cpus": os.cpu_count(), "load": load, "packages": versions}


def shown(row: Row) -> str:
    """Return one line of the table."""
    beside = f"   {row.reference} {row.reference_ms:8.3f} ms   {row.ratio:6.1f} x" if row.reference else ""
    return f"{row.feature:56s} {row.ms:8.3f} ms{beside}"


def main() -> None:
    """Measure, print, and with ``--write`` save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="save as benchmarks/results/features.json")
    given = parser.parse_args()
    importlib.import_module("cv2").setNumThreads(1)
    images = photos()
    found = {"same definition, 320 px": compared(images, given.repeats)}
    found |= {f"preset {name}": rows for name, rows in presets(images, given.repeats).items()}
    for title, rows in found.items():
        print(title, *map(shown, rows), "", sep="\n")
    if given.write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        content = {"command": "python -m benchmarks.features --write", "machine": machine(), "repeats": given.repeats}
        figures = {title: [asdict(row) for row in rows] for title, rows in found.items()}
        RESULTS.write_text(json.dumps(content | {"figures": figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
