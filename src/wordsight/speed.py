"""How fast an encoder is here: photos a second from files to vectors, time of a query, memory.

Each encoder is measured in a process of its own (``python -m wordsight.speed ENCODER FOLDER``): peak memory is that of
a process, and a warm one would hide what starting costs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from wordsight import images
from wordsight.comparison.machine import peak_memory
from wordsight.errors import BadInput, ImageError
from wordsight.machine import cores
from wordsight.protocols import TunableEncoder
from wordsight.registry import load_encoder

PHOTOS = 48
_GROUP = 4
_QUERIES = ("a dog", "two children on a beach at sunset", "a red car in front of an old house", "text on a sign")
_LONGEST = 1800


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured. ``runtime``: what ran the image tower, where the encoder says; memory in bytes, or unknown."""

    encoder: str
    images_per_second: float
    query_ms: float
    first_query_ms: float
    peak_memory: int | None
    dim: int
    runtime: str | None
    photos: int
    threads: int


def measure(encoder: str, photos: Path | None = None, *, seconds: float = 4.0) -> Speed:
    """Measure ``encoder`` on photos of a folder (default: made-up JPEGs of 640 x 480); raises ``BadInput``."""
    with tempfile.TemporaryDirectory() as made:
        folder = _made_up(Path(made)) if photos is None else photos
        command = [sys.executable, "-m", "wordsight.speed", encoder, str(folder), str(seconds)]
        try:
            done = subprocess.run(  # noqa: S603  # our own module, under the interpreter that runs this
                command, capture_output=True, text=True, timeout=_LONGEST, env=dict(os.environ), check=False
            )
        except subprocess.TimeoutExpired:
            raise BadInput(f"{encoder} was not measured: it took more than {_LONGEST} seconds") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise BadInput(f"{encoder} could not be measured: {said[0]}")
    return Speed(**json.loads(done.stdout))


def measure_here(name: str, folder: Path, seconds: float) -> Speed:
    """Measure in this process, all cores busy, after the encoder was tuned."""
    files = _files(folder)
    encoder = load_encoder(name)
    start = time.perf_counter()
    encoder.encode_texts(_QUERIES[:1])
    first_query = time.perf_counter() - start
    asked = []
    for text in _QUERIES * 4:
        start = time.perf_counter()
        encoder.encode_texts([text])
        asked.append(time.perf_counter() - start)
    if isinstance(encoder, TunableEncoder):
        encoder.tune()

    def work(group: Sequence[Path]) -> int:
        pictures = [images.open_image(file, side=encoder.image_side) for file in group]
        return len(encoder.encode_images(pictures))

    groups = [files[start : start + _GROUP] for start in range(0, len(files), _GROUP)]
    work(groups[0])
    done, start = 0, time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        while (spent := time.perf_counter() - start) < seconds:
            done += sum(pool.map(work, groups))
    return Speed(
        encoder=name,
        images_per_second=round(done / spent, 2),
        query_ms=round(1000 * statistics.median(asked), 2),
        first_query_ms=round(1000 * first_query, 1),
        peak_memory=peak_memory(),
        dim=encoder.dim,
        runtime=encoder.runtime if isinstance(encoder, TunableEncoder) else None,
        photos=len(files),
        threads=cores(),
    )


def _files(folder: Path) -> list[Path]:
    """Return photos that can be read, spread evenly over the folder; raises ``BadInput`` where there is none."""
    found = [part.path / file.name for part in images.walk(folder) for file in part.files]
    readable = []
    for file in found[:: max(1, len(found) // PHOTOS)][:PHOTOS]:
        try:
            images.open_image(file, side=64)
        except ImageError:
            continue
        readable.append(file)
    if not readable:
        raise BadInput(f"no photo could be read in {str(folder)!r}")
    return readable


def _made_up(folder: Path) -> Path:
    from wordsight.encoders.export_quality import synthetic

    for number, picture in enumerate(synthetic(PHOTOS, 640)):
        picture.crop((0, 80, 640, 560)).save(folder / f"{number:03d}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure_here(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))))
