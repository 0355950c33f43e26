"""How two public programs index, written anew step for step, around any ONNX image tower.

``python -m benchmarks.peer_loops rclip|clip-retrieval --model visual.onnx --photos DIR --out DIR`` prints JSON.

rclip (rclip/main.py ``ensure_index``, ``_index_files``; db.py): walks the folder, asks SQLite for each file, decodes a
batch of eight in the same thread, runs the tower, writes a row each, commits at the end. clip-retrieval
(clip_inference/runner.py, reader.py, writer.py): worker processes decode ahead, batches of 256 go through the tower one
after the other, embeddings are stacked and written as one ``.npy`` with the names beside it. Both prepare pictures as
CLIP's own transform does: the shorter side to 224 bicubic, centre, [0, 1], normalised. clip-retrieval uses torch's
``DataLoader``; the pool of the standard library does the same here: torch would only add to its start.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from wordsight.machine import cores

_SIDE = 224
_MEAN = np.asarray([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.asarray([0.26862954, 0.26130258, 0.27577711], np.float32)
_RCLIP_BATCH = 8
_RETRIEVAL_BATCH = 256


def transform(file: Path) -> NDArray[np.float32]:
    """Return (3, 224, 224), as torchvision's Resize, CenterCrop, ToTensor and Normalize make it."""
    image = Image.open(file)
    least = min(image.size)
    image = image.resize(tuple(_SIDE * side // least for side in image.size), Image.Resampling.BICUBIC)
    left, top = (round((side - _SIDE) / 2) for side in image.size)
    image = image.crop((left, top, left + _SIDE, top + _SIDE)).convert("RGB")
    values = np.asarray(image, np.uint8).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return (values - _MEAN[:, None, None]) / _STD[:, None, None]


def _files(photos: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(photos)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                elif entry.name.endswith(".jpg"):
                    yield entry


def rclip(session: onnxruntime.InferenceSession, photos: Path, out: Path) -> int:
    """Index as rclip does; return the number of photos."""
    db = sqlite3.connect(out / "db.sqlite3")
    db.execute(
        "CREATE TABLE images (id INTEGER PRIMARY KEY, deleted BOOLEAN, filepath TEXT NOT NULL UNIQUE, "
        "modified_at DATETIME NOT NULL, size INTEGER NOT NULL, vector BLOB NOT NULL)"
    )
    db.execute("CREATE UNIQUE INDEX existing_images ON images(filepath) WHERE deleted IS NULL")
    batch: list[os.DirEntry[str]] = []
    done = 0

    def write() -> None:
        (vectors,) = session.run(["embedding"], {"pixels": np.stack([transform(Path(each.path)) for each in batch])})
        for entry, vector in zip(batch, vectors, strict=True):
            status = entry.stat()
            db.execute(
                "INSERT INTO images (filepath, modified_at, size, vector) VALUES (?, ?, ?, ?)",
                [entry.path, status.st_mtime, status.st_size, vector.tobytes()],
            )
        batch.clear()

    for entry in _files(photos):
        db.execute("SELECT * FROM images WHERE filepath = ? LIMIT 1", [entry.path]).fetchone()
        batch.append(entry)
        done += 1
        if len(batch) >= _RCLIP_BATCH:
            write()
    if batch:
        write()
    db.commit()
    db.close()
    return done


def clip_retrieval(session: onnxruntime.InferenceSession, photos: Path, out: Path) -> int:
    """Index as clip-retrieval does, with as many worker processes as cores."""
    files = sorted(Path(entry.path) for entry in _files(photos))
    parts = []
    with ProcessPoolExecutor(cores()) as pool:
        pictures = pool.map(transform, files, chunksize=8)
        for start in range(0, len(files), _RETRIEVAL_BATCH):
            batch = np.stack([next(pictures) for _ in files[start : start + _RETRIEVAL_BATCH]])
            (vectors,) = session.run(["embedding"], {"pixels": batch})
            parts.append(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
    np.save(out / "img_emb_0.npy", np.concatenate(parts).astype(np.float16))
    (out / "metadata_0.json").write_text(json.dumps([str(file) for file in files]))
    return len(files)


def main() -> None:
    """Run one loop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop", choices=("rclip", "clip-retrieval"))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(given.model), options, providers=["CPUExecutionProvider"])
    start = time.perf_counter()
    done = {"rclip": rclip, "clip-retrieval": clip_retrieval}[given.loop](session, given.photos, given.out)
    print(json.dumps({"photos": done, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
