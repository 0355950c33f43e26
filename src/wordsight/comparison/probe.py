"""Measures one engine in a process of its own: ``python -m wordsight.comparison.probe FOLDER ENCODER TEXT...``.

FOLDER holds decoded pictures as ``*.npy``. Writes one JSON object to stdout. A process of its own, because peak memory
is that of a process, and a warm one would hide what loading costs.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_PASSES = 3
_QUERIES = 15
_ROWS = 10_000


def probe(folder: Path, encoder: str, texts: Sequence[str]) -> dict[str, object]:
    """Return seconds to load, (processor) seconds a picture, seconds a query, peak memory, joules, what ran it."""
    from PIL import Image as PILImage

    from wordsight.comparison.machine import energy, peak_memory
    from wordsight.encoding import score
    from wordsight.protocols import TunableEncoder
    from wordsight.registry import load_encoder

    images = [PILImage.fromarray(np.load(file)) for file in sorted(folder.glob("*.npy"))]
    before = peak_memory()
    started = time.perf_counter()
    engine = load_encoder(encoder)
    engine.encode_images(images[:1])
    engine.encode_texts(texts[:1])
    loading = time.perf_counter() - started
    clock, busy, joules = [], [], energy()
    for _ in range(_PASSES):
        at, cpu = time.perf_counter(), time.process_time()
        vectors = engine.encode_images(images)
        clock.append((time.perf_counter() - at) / len(images))
        busy.append((time.process_time() - cpu) / len(images))
    used = energy()
    gallery = np.resize(vectors, (_ROWS, engine.dim))
    asked = []
    for number in range(_QUERIES):
        at = time.perf_counter()
        score(engine.encode_texts([texts[number % len(texts)]]), gallery, engine.metric)[0].argsort()
        asked.append(time.perf_counter() - at)
    wrapped = joules is None or used is None or used < joules
    return {
        "load_seconds": loading,
        "seconds_a_picture": statistics.median(clock),
        "cpu_seconds_a_picture": statistics.median(busy),
        "seconds_a_query": statistics.median(asked),
        "memory_before": before,
        "peak_memory": peak_memory(),
        "runtime": engine.runtime if isinstance(engine, TunableEncoder) else None,
        "joules_a_picture": None if wrapped else (used - joules) / (_PASSES * len(images)),  # type: ignore[operator]
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])))
