"""Milliseconds a picture of every feature, and of others' code for the same thing in the same run.

``python -m benchmarks.features [--repeats N] [--write]``; needs the extras classical and demo, and mahotas where its
Zernike moments are to be compared. Pictures are 320 pixels wide and high; OpenCV is kept to one thread.
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


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in milliseconds a picture; ``ratio`` says how many times faster than ``reference`` it is."""

    feature: str
    ms: float
    reference: str | None = None
    reference_ms: float | None = None
    ratio: float | None = None


def photo() -> Image.Image:
    """Return a photograph of 320 x 320 pixels that scikit-image brings along."""
    data = importlib.import_module("skimage.data")
    return Image.fromarray(data.astronaut()).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def same_definition(image: Image.Image) -> list[tuple[str, Call, str, Call]]:
    """Return pairs that compute the same at 320 pixels: ours, and the reference's; both from the decoded picture."""
    feature, measure = importlib.import_module("skimage.feature"), importlib.import_module("skimage.measure")

    def grey() -> np.ndarray:
        return np.asarray(image.convert("L"))

    def hog(cell: int) -> Call:
        return lambda: feature.hog(grey(), 9, (cell, cell), (2, 2))

    def lbp(points: int, radius: int, method: str, codes: int) -> Call:
        def run() -> np.ndarray:
            found = feature.local_binary_pattern(grey(), points, radius, method)
            return np.bincount(found.astype(np.intp).ravel(), minlength=codes)

        return run

    def hu() -> np.ndarray:
        return measure.moments_hu(measure.moments_normalized(measure.moments_central(grey() / 255)))

    pairs = [
        ("hog(side=320,cell=8,soft=false)", "scikit-image", hog(8)),
        ("hog(side=320,cell=16,soft=false)", "scikit-image", hog(16)),
        ("lbp(side=320,kind=plain,grid=1)", "scikit-image", lbp(8, 1, "default", 256)),
        ("lbp(side=320,kind=uniform,grid=1)", "scikit-image", lbp(8, 1, "nri_uniform", 59)),
        ("lbp(side=320,kind=rotation,points=16,radius=2,grid=1)", "scikit-image", lbp(16, 2, "uniform", 18)),
        ("hu(side=320)", "scikit-image", hu),
    ]
    pairs += _of_mahotas(grey)
    return [(text, _called(text, [image]), name, reference) for text, name, reference in pairs]


def _of_mahotas(grey: Callable[[], np.ndarray]) -> list[tuple[str, str, Call]]:
    try:
        mahotas = importlib.import_module("mahotas")
    except ImportError:
        return []
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)

    def zernike() -> np.ndarray:
        return mahotas.features.zernike_moments(grey().astype(float), SIDE / 2, degree=8, cm=middle)

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


def compared(image: Image.Image, repeats: int) -> list[Row]:
    """Return ours against the reference where both compute the same."""
    rows = []
    for text, ours, name, reference in same_definition(image):
        mine, theirs = medians([ours, reference], repeats)
        rows.append(Row(text, mine, name, theirs, theirs / mine))
    return rows


def presets(image: Image.Image, repeats: int) -> dict[str, list[Row]]:
    """Return the cost of all features with the parameters of both presets: one photo, and a batch of 64 small ones."""
    small = [image.resize((32, 32))] * 64
    names = [*FEATURES, *LOCAL_FEATURES]
    photos = [Row(n, medians([_called(n, [image])], repeats)[0]) for n in names]
    smalls = [Row(n, medians([_called(n, small, "small")], repeats)[0] / len(small)) for n in names]
    return {"photo": photos, "small": smalls}


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    packages = ("numpy", "pillow", "opencv-python-headless", "scikit-image", "mahotas")
    versions = {}
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
    parser.add_argument("--write", action="store_true", help=f"save as benchmarks/results/{RESULTS.name}")
    given = parser.parse_args()
    importlib.import_module("cv2").setNumThreads(1)
    image = photo()
    found = {"same definition, 320 px": compared(image, given.repeats)}
    found |= {f"preset {name}": rows for name, rows in presets(image, given.repeats).items()}
    for title, rows in found.items():
        print(title, *map(shown, rows), "", sep="\n")
    if given.write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        content = {"command": "python -m benchmarks.features --write", "machine": machine(), "repeats": given.repeats}
        rows = {title: [asdict(row) for row in rows] for title, rows in found.items()}
        RESULTS.write_text(json.dumps(content | {"figures": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
