"""Decode and embed all photos of a folder as indexing does, in a process of its own: ``python -m benchmarks.embed``.

Prints one JSON object: how many photos, and the seconds (also of CPU) from the first file to the last vector. Loading
the model comes before; vectors are written in the order of the files, to compare them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import photos
from wordsight.library.pipeline import Job, Known, Need, encode_files
from wordsight.machine import cores
from wordsight.registry import load_encoder


def main() -> None:
    """Embed ``--photos`` with ``--encoder``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    encoder.encode_images([Image.new("RGB", (640, 480))])
    files = photos.listing(given.photos)
    jobs = (Job(0, file, Known.NO) for file in files)
    start, cpu = time.perf_counter(), time.process_time()
    vectors = {done.path: done.vector for done in encode_files(jobs, encoder, lambda _: Need.VECTOR, cores())}
    told = {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    np.save(given.out, np.stack([vectors[file] for file in files]))
    print(json.dumps({"photos": len(files), **told}))


if __name__ == "__main__":
    main()
