"""Throughput of ``wordsight index`` against the usual pipeline of this field, on the same files in the same run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from benchmarks import photos, vit
from benchmarks.process import Command, measure, module, python, wordsight
from benchmarks.report import Bar, Result, median_ratio
from benchmarks.settings import Settings

_SIZE = (640, 480)
_BARS = {"onnxruntime": Bar(">=", 6), "openvino": Bar(">=", 10)}
_PEERS = {"between": "decoding between batches", "pool": "decoding ahead in a thread pool"}
_WHICH = """
import sys
from PIL import Image
from wordsight.registry import load_encoder
load_encoder(sys.argv[1]).encode_images([Image.new("RGB", (256, 256))])
print("openvino" if "openvino" in sys.modules else "onnxruntime")
"""


def run(settings: Settings) -> Result:
    """Measure whole processes, interleaved, then the parts that indexing is made of."""
    result = Result("indexing", "Indexing 640x480 JPEGs, whole process from nothing to a catalogue")
    folder = photos.make(settings.work / f"photos-640-{settings.photos}", settings.photos, _SIZE)
    files = photos.listing(folder)
    model = settings.work / "vit-b-32.onnx"
    if not model.is_file():
        vit.write(model)
    rates = measure([Command(module("peer", "--model", str(model), "--trial"))])[0].last_json()
    batch = int(max(rates, key=lambda size: float(str(rates[size]))))
    runtimes = runtimes_of(settings.encoder)
    result.setting = {
        "photos": len(files),
        "mean_bytes": round(statistics.mean(file.stat().st_size for file in files)),
        "encoder": settings.encoder_name,
        "peer": "Pillow, bicubic 224, onnxruntime fp32 ViT-B/32 with random weights, SQLite",
        "peer_batch": batch,
        "runtimes": runtimes,
    }
    result.raw["peer_images_per_s_by_batch"] = rates
    print(f"  {result.setting}", flush=True)
    _whole_processes(result, settings, folder, model, batch, runtimes)
    for runtime in runtimes:
        _parts(result, settings, folder, runtime)
    return result


def runtimes_of(encoder: str) -> list[str]:
    """Return the runtimes that really run when they are asked for."""
    wanted = ["onnxruntime"] + (["openvino"] if importlib.util.find_spec("openvino") else [])
    commands = [Command(python(_WHICH, encoder), {"WORDSIGHT_RUNTIME": name}) for name in wanted]
    return [name for name, sample in zip(wanted, measure(commands), strict=True) if sample.stdout.strip() == name]


def _whole_processes(
    result: Result, settings: Settings, folder: Path, model: Path, batch: int, runtimes: list[str]
) -> None:
    walls: dict[str, list[float]] = {}
    synced: dict[str, list[float]] = {}
    cpus: dict[str, list[float]] = {}
    for file in photos.listing(folder):  # from the page cache for all alike
        file.read_bytes()
    for _ in range(settings.repeats):
        for name, command in _commands(settings, folder, model, batch, runtimes).items():
            (sample,) = measure([command])
            walls.setdefault(name, []).append(sample.wall_s)
            cpus.setdefault(name, []).append(sample.cpu_s)
            told: dict[str, Any] = sample.last_json()
            if "encoded" in told:
                if told["encoded"] != settings.photos:
                    raise RuntimeError(f"{name} encoded {told['encoded']} of {settings.photos} photos")
                synced.setdefault(name, []).append(float(told["seconds"]))
            rate, cpu_ms = settings.photos / sample.wall_s, sample.cpu_s / settings.photos * 1e3
            print(f"  {name}: {rate:.1f} images/s, {cpu_ms:.1f} ms of CPU an image", flush=True)
    result.raw["wall_s"], result.raw["sync_s"], result.raw["cpu_s"] = walls, synced, cpus
    for name, seconds in walls.items():
        result.add(f"{name}, whole process", settings.photos / statistics.median(seconds), "images/s")
    for name, seconds in synced.items():
        result.add(f"{name}, the sync alone", settings.photos / statistics.median(seconds), "images/s")
    for name, seconds in cpus.items():
        result.add(f"{name}, CPU an image", statistics.median(seconds) / settings.photos * 1e3, "ms")
    for runtime in runtimes:
        for told_as in _PEERS.values():
            ratio = median_ratio(walls[f"peer, {told_as}"], walls[f"wordsight, {runtime}"])
            result.add(f"wordsight ({runtime}) / peer {told_as}", ratio, "x", _BARS[runtime])


def _commands(settings: Settings, folder: Path, model: Path, batch: int, runtimes: list[str]) -> dict[str, Command]:
    scratch = settings.work / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    commands = {}
    for runtime in runtimes:
        words = wordsight("index", str(folder), "--encoder", settings.encoder, "--json", "--quiet")
        words += ["--catalog", str(scratch / f"catalogue-{runtime}")]
        commands[f"wordsight, {runtime}"] = Command(words, {"WORDSIGHT_RUNTIME": runtime})
    for peer, told_as in _PEERS.items():
        words = module("peer", "--model", str(model), "--photos", str(folder), "--batch", str(batch))
        words += ["--database", str(scratch / f"peer-{peer}.sqlite3"), "--decode", peer]
        commands[f"peer, {told_as}"] = Command(words)
    return commands


def _parts(result: Result, settings: Settings, folder: Path, runtime: str) -> None:
    words = module("parts", "--photos", str(folder), "--encoder", settings.encoder)
    samples = measure([Command(words, {"WORDSIGHT_RUNTIME": runtime})] * settings.repeats)
    rates: list[dict[str, float]] = [json.loads(sample.stdout.strip().splitlines()[-1]) for sample in samples]
    result.raw[f"parts_images_per_s, {runtime}"] = rates
    median = {name: statistics.median(rate[name] for rate in rates) for name in rates[0]}
    for name, rate in median.items():
        if runtime == "onnxruntime" or name.startswith("tower"):
            unit = "ms" if name.endswith(" ms") else "images/s"
            result.add(f"part: {name.removesuffix(' ms')}" + (f" ({runtime})" if "tower" in name else ""), rate, unit)
    most = max(name for name in median if name.startswith("tower") and not name.endswith(" ms"))
    threads = most.removeprefix("tower, ")
    whole = settings.photos / statistics.median(result.raw["sync_s"][f"wordsight, {runtime}"])
    together = 1 / sum(1 / median[f"{part}, {threads}"] for part in ("read and hash", "decode and resize", "tower"))
    result.add(f"the sync / the tower's own limit ({runtime})", whole / median[most], "x")
    result.add(f"the sync / the limit of reading, decoding and tower together ({runtime})", whole / together, "x")
