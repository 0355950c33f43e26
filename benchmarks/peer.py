"""The usual pipeline of this field, written as well as its parts allow, to compare with in the same run.

Pillow decodes, resizes (bicubic, shorter side 224, centre crop) and normalises; onnxruntime runs CLIP ViT-B/32 in
float32 on all cores; 512-d rows go into SQLite. Pictures are decoded between the batches, as such tools do, or
(``--decode pool``) ahead of them by a pool of threads. Run as a process of its own: ``python -m benchmarks.peer``.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from wordsight.machine import cores

BATCHES = (1, 4, 8, 16, 32)
_SIDE = 224
_DEVIATION = np.asarray([0.26862954, 0.26130258, 0.27577711], np.float32)
_SCALE = np.float32(1) / (np.float32(255) * _DEVIATION)
_SHIFT = np.asarray([0.48145466, 0.4578275, 0.40821073], np.float32) / _DEVIATION
_COMMIT_EVERY = 500


def open_session(model: Path) -> onnxruntime.InferenceSession:
    """Return the tower on all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def to_pixels(file: Path) -> NDArray[np.float32]:
    """Return the (3, 224, 224) input of the tower."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    image = image.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    pixels: NDArray[np.float32] = np.asarray(image, np.float32) * _SCALE - _SHIFT
    return pixels.transpose(2, 0, 1)


def index(photos: Path, model: Path, database: Path, batch: int, decode: str) -> dict[str, float]:
    """Encode all JPEGs below ``photos``; return how many, and the seconds (also of CPU) from first file to last row."""
    session = open_session(model)
    session.run(["embedding"], {"pixels": np.zeros((batch, 3, _SIDE, _SIDE), np.float32)})
    start, cpu = time.perf_counter(), time.process_time()
    db = sqlite3.connect(database)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE images (path TEXT PRIMARY KEY, bytes INTEGER, mtime REAL, vector BLOB)")
    files = sorted(photos.rglob("*.jpg"))
    done = 0
    for group, pixels in (_between if decode == "between" else _ahead)(files, batch):
        (vectors,) = session.run(["embedding"], {"pixels": pixels})
        rows = []
        for file, vector in zip(group, vectors, strict=True):
            status = file.stat()
            rows.append((str(file), status.st_size, status.st_mtime, vector.tobytes()))
        db.executemany("INSERT INTO images VALUES (?, ?, ?, ?)", rows)
        if done // _COMMIT_EVERY != (done + len(group)) // _COMMIT_EVERY:
            db.commit()
        done += len(group)
    db.commit()
    db.close()
    return {"photos": done, "seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}


def _groups(files: list[Path], batch: int) -> Iterator[list[Path]]:
    for start in range(0, len(files), batch):
        yield files[start : start + batch]


def _between(files: list[Path], batch: int) -> Iterator[tuple[list[Path], NDArray[np.float32]]]:
    for group in _groups(files, batch):
        yield group, np.stack([to_pixels(file) for file in group])


def _ahead(files: list[Path], batch: int) -> Iterator[tuple[list[Path], NDArray[np.float32]]]:
    """Decode on as many threads as there are cores, two batches ahead of the tower."""
    waiting: deque[tuple[list[Path], list[Future[NDArray[np.float32]]]]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        for group in _groups(files, batch):
            waiting.append((group, [pool.submit(to_pixels, file) for file in group]))
            if len(waiting) > 2:
                first, futures = waiting.popleft()
                yield first, np.stack([future.result() for future in futures])
        for first, futures in waiting:
            yield first, np.stack([future.result() for future in futures])


def trial(model: Path, seconds: float = 4.0) -> dict[int, float]:
    """Return pictures a second of the tower alone for each batch size."""
    session = open_session(model)
    rates = {}
    for batch in BATCHES:
        pixels = np.random.default_rng(0).standard_normal((batch, 3, _SIDE, _SIDE), np.float32)
        session.run(["embedding"], {"pixels": pixels})
        start, runs = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < seconds:
            session.run(["embedding"], {"pixels": pixels})
            runs += 1
        rates[batch] = runs * batch / spent
    return rates


def main() -> None:
    """Print one JSON object: rates by batch size (``--trial``), or the number of pictures indexed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--trial", action="store_true")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--decode", choices=("between", "pool"), default="between")
    given = parser.parse_args()
    if given.trial:
        print(json.dumps(trial(given.model, given.seconds)))
    else:
        print(json.dumps(index(given.photos, given.model, given.database, given.batch, given.decode)))


if __name__ == "__main__":
    main()
