"""Which runtime is fastest for an image tower on this machine: measured once, remembered.

A runtime is taken only if its vectors are those of onnxruntime in the precision of the file: the mean cosine over the
trial's pictures, after subtracting the mean vector (without that, all cosines are near one), is at least ``LEAST``.
So a catalogue's vectors do not depend on what ran them, and the encoder's fingerprint leaves the runtime out.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.encoders.runtime import BATCHES, PROVIDERS, Plan, Tower, available
from wordsight.machine import cache_home, cores, processor, write_whole

LEAST = 0.99
"""Least mean cosine to onnxruntime, after subtracting the mean."""

PICTURES = 12
_SECONDS = 0.15
_ROUNDS = 3
_SLOW = 2.0
_OTHER_BATCHES = (1, 8)
_DOUBT = 0.8  # a batch that is not the usual one must be clearly better


@dataclass(frozen=True, slots=True)
class Measured:
    """One runtime: pictures a second on all cores with pictures ready, and how close its vectors are."""

    runtime: str
    batch: int
    images_per_second: float
    closeness: float

    @property
    def is_close(self) -> bool:
        """Whether its vectors may stand for those of onnxruntime."""
        return self.closeness >= LEAST


def known(fingerprint: str) -> list[Measured] | None:
    """Return what a trial of the model found on this machine with these versions; ``None``: there was none."""
    try:
        entry = json.loads(_place().read_text("utf-8"))[_key(fingerprint)]
        return [Measured(**row) for row in entry]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def best(measured: list[Measured]) -> Plan | None:
    """Return the fastest of those that are close; ``None`` where there is none."""
    close = [row for row in measured if row.is_close]
    if not close:
        return None
    first = max(close, key=lambda row: row.images_per_second)
    return Plan(first.runtime, first.batch)


def measure(fingerprint: str, open_runtime: Callable[[str], Tower], pixels: NDArray[np.uint8]) -> list[Measured]:
    """Try all runtimes that are here on ``pixels`` (n, h, w, 3), remember what was found, and return it, fastest first.

    ``open_runtime`` gives a tower that takes "pixels". A runtime that cannot load the graph is left out.
    """
    with ThreadPoolExecutor(cores()) as pool:
        towers, closeness, slow = _opened(pool, open_runtime, pixels)
        candidates = [(name, batch) for name in towers for batch in _batches(name, slow)]
        rates = dict.fromkeys(candidates, 0.0)
        for _ in range(1 if slow else _ROUNDS):  # in turns, and the best counts: other programs come and go
            for name, batch in candidates:
                rates[name, batch] = max(rates[name, batch], _rate(pool, towers[name], pixels, batch))
    found = []
    for name, close in closeness.items():
        usual = BATCHES[name]
        tried = {batch: rate for (runtime, batch), rate in rates.items() if runtime == name} or {usual: 0.0}
        batch = _best_batch(tried, usual)
        found.append(Measured(name, batch, round(tried[batch], 2), round(close, 5)))
    found.sort(key=lambda row: -row.images_per_second)
    _remember(fingerprint, found)
    return found


def _best_batch(rates: dict[int, float], usual: int) -> int:
    return max(rates, key=lambda size: rates[size] * (1 if size == usual else _DOUBT))


def _opened(
    pool: ThreadPoolExecutor, open_runtime: Callable[[str], Tower], pixels: NDArray[np.uint8]
) -> tuple[dict[str, Tower], dict[str, float], bool]:
    """Return the towers whose vectors are close, how close each is, and whether a pass takes long."""
    towers: dict[str, Tower] = {}
    closeness: dict[str, float] = {}
    want: NDArray[np.float32] | None = None
    slow = False
    for name in available():
        if name == "openvino-fp32" and "openvino" in towers:
            continue  # never faster than the half precision that is good enough
        try:
            tower = open_runtime(name)
            start = time.perf_counter()
            got = _vectors(pool, tower, pixels, BATCHES[name])
        except Exception:  # the runtimes' exceptions share no public base; another runtime will do
            if name == "onnxruntime":
                raise
            continue
        slow = slow or time.perf_counter() - start > _SLOW
        want = got if want is None else want
        closeness[name] = centred(want, got)
        if closeness[name] >= LEAST:
            towers[name] = tower
    return towers, closeness, slow


def _batches(name: str, slow: bool) -> tuple[int, ...]:
    return (BATCHES[name],) if slow or name in PROVIDERS else (BATCHES[name], *_OTHER_BATCHES)


def centred(want: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    """Return the mean cosine of rows after subtracting the mean of ``want``."""
    first, second = (rows - want.mean(axis=0) for rows in (want, got))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def _rate(pool: ThreadPoolExecutor, tower: Tower, pixels: NDArray[np.uint8], batch: int) -> float:
    start, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < _SECONDS:
        _vectors(pool, tower, pixels, batch)
        done += len(pixels)
    return done / spent


def _vectors(pool: ThreadPoolExecutor, tower: Tower, pixels: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    parts = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
    return np.concatenate(list(pool.map(lambda part: tower({"pixels": part}), parts)))


def _key(fingerprint: str) -> str:
    versions = []
    for package in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "openvino"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    said = json.dumps([fingerprint, processor(), cores(), versions])
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _place() -> Path:
    return cache_home() / "trials.json"


def _remember(fingerprint: str, found: list[Measured]) -> None:
    try:
        entries: dict[str, Any] = dict(json.loads(_place().read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        entries = {}
    entries[_key(fingerprint)] = [asdict(row) for row in found]
    with suppress(OSError):  # a cache that cannot be written costs a trial the next time
        write_whole(_place(), (json.dumps(entries, indent=1) + "\n").encode())


def pictures_of(side: int) -> NDArray[np.uint8]:
    """Return the trial's pictures: detail of all sizes, different for each."""
    from wordsight.encoders.export_quality import synthetic

    return np.stack([np.asarray(picture) for picture in synthetic(PICTURES, side)])
