"""What indexing is made of, each part alone; run in a process of its own: ``python -m benchmarks.parts``."""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage

from benchmarks import photos, synthetic
from wordsight import images
from wordsight.library.catalogue import Catalogue, pack
from wordsight.machine import cores
from wordsight.protocols import Encoder, Image
from wordsight.registry import load_encoder

_GROUP = 4


def rates(folder: Path, encoder: Encoder, limit: int) -> dict[str, float]:
    """Return pictures a second of each part, on one thread and on all cores, and the CPU milliseconds of one."""
    files = photos.listing(folder)[:limit]
    data = [file.read_bytes() for file in files]
    side = encoder.image_side or 224

    def decode(place: int) -> Image:
        return images.read(data[place], side=encoder.image_side).image

    def decode_and_resize(place: int) -> Image:
        return decode(place).resize((side, side), PILImage.Resampling.BICUBIC)

    squares = [decode_and_resize(place) for place in range(min(64, len(data)))]
    encoder.encode_images(squares[:_GROUP])

    def tower(group: int) -> None:
        start = group * _GROUP % max(1, len(squares) - _GROUP)
        encoder.encode_images(squares[start : start + _GROUP])

    found = {}
    steps: list[tuple[str, Callable[[int], Any], int, int]] = [
        ("read and hash", lambda place: hashlib.sha256(files[place].read_bytes()).digest(), len(files), 1),
        ("decode", decode, len(files), 1),
        ("decode and resize", decode_and_resize, len(files), 1),
        ("tower", tower, max(1, len(files) // _GROUP), _GROUP),
    ]
    for name, step, calls, each in steps:
        for threads in dict.fromkeys((1, cores())):
            cpu = time.process_time()
            found[f"{name}, {threads} threads"] = calls * each / _seconds(step, calls, threads)
            found[f"{name}, {threads} threads, CPU ms"] = (time.process_time() - cpu) / calls / each * 1e3
    found["catalogue"] = len(files) * 10 / _catalogue_seconds(encoder, len(files) * 10)
    return found


def _seconds(step: Callable[[int], Any], calls: int, threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(step, range(min(calls, 2 * threads))))  # threads started, caches warm
        start = time.perf_counter()
        for _ in pool.map(step, range(calls)):
            pass
        return time.perf_counter() - start


def _catalogue_seconds(encoder: Encoder, rows: int) -> float:
    """Write rows one by one, as a sync does, in commits of 512."""
    vectors = np.random.default_rng(0).standard_normal((rows, encoder.dim), np.float32)
    with (
        tempfile.TemporaryDirectory() as place,
        Catalogue.open(Path(place), create=True) as catalogue,
        catalogue.writing(),
    ):
        stored = catalogue.add_encoder(encoder)
        folder = synthetic.add_folder(catalogue, "/photos")
        start = time.perf_counter()
        for first in range(0, rows, 512):
            with catalogue.transaction():
                for row in range(first, min(rows, first + 512)):
                    blob = pack(vectors[row : row + 1])
                    synthetic.add_rows(catalogue, stored, folder, range(row + 1, row + 2), blob)
        return time.perf_counter() - start


def main(words: Sequence[str] | None = None) -> None:
    """Print the rates as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--limit", type=int, default=300)
    given = parser.parse_args(words)
    print(json.dumps(rates(given.photos, load_encoder(given.encoder), given.limit)))


if __name__ == "__main__":
    main()
