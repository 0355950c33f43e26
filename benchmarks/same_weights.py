"""Indexing against the loops of rclip and clip-retrieval: with the same ViT-B/32 weights, and with the shipped encoder.

``python -m benchmarks.same_weights [--photos 240] [--repeats 2]``: whole processes, side by side, the same files. The
same weights in 8 bits are made as ``wordsight models export --precision int8`` makes them, from the same ONNX file.
Beside them: what the processor's float32 allows at most.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from benchmarks import ceiling, photos, report, vit
from benchmarks.indexing import runtimes_of
from benchmarks.peer_loops import transform
from benchmarks.process import Command, measure, module, wordsight
from benchmarks.report import Bar, Result, median_ratio
from wordsight import registry
from wordsight.encoders.export_int8 import quantised

_SIZE = (640, 480)
_BARS = {"ViT-B/32": Bar(">=", 3), "ViT-B/32 int8": None, "mini": Bar(">=", 15)}


def main() -> None:
    """Measure and write benchmarks/results/same_weights.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_weights", description=__doc__)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work")
    parser.add_argument("--dry", action="store_true", help="measure, print, write nothing")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs; nothing is written")
    given = parser.parse_args()
    if given.tiny:
        given.photos, given.repeats, given.dry = 16, 1, True
    about = report.machine()
    result = run(given.work.absolute(), given.photos, given.repeats)
    if not given.dry:
        command = f"python -m benchmarks.same_weights --photos {given.photos} --repeats {given.repeats}"
        file = report.ROOT / "benchmarks" / "results" / "same_weights.json"
        report.write_json(result, file, command=command, about=about)
        report.write_table(file, report.ROOT / "docs" / "benchmarks.md")


def run(work: Path, count: int, repeats: int) -> Result:
    """Measure all, interleaved."""
    result = Result("same_weights", "Indexing 640x480 JPEGs against the loops of rclip and clip-retrieval")
    folder = photos.make(work / f"photos-640-{count}", count, _SIZE)
    model = work / "ViT-B-32-random"
    if not (model / "preprocess_cfg.json").is_file():
        vit.write_folder(model)
    for file in photos.listing(folder):  # from the page cache for all alike
        file.read_bytes()
    small = in_8_bits(model, photos.listing(folder))
    encoders = {"ViT-B/32": str(model), "ViT-B/32 int8": str(small), "mini": "mini"}
    runtimes = runtimes_of("mini")
    result.setting = {"photos": count, "repeats": repeats, "runtimes": runtimes, "weights": "random, the same in all"}
    result.setting["int8"] = json.loads((small / "closeness.json").read_text())
    walls: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, command in commands(work / "scratch", folder, model, encoders, runtimes).items():
            (sample,) = measure([command])
            told = sample.last_json()
            if told.get("encoded", told.get("photos")) != count:
                raise RuntimeError(f"{name} indexed {told} of {count} photos")
            walls.setdefault(name, []).append(sample.wall_s)
            print(f"  {name}: {count / sample.wall_s:.1f} images/s", flush=True)
    result.raw["wall_s"] = walls
    _ceiling(result, model / "visual.onnx", count / statistics.median(walls["rclip's loop"]))
    for name, seconds in walls.items():
        result.add(f"{name}, whole process", count / statistics.median(seconds), "images/s")
    for peer in ("rclip's loop", "clip-retrieval's loop"):
        for encoder in encoders:
            for runtime in runtimes:
                if f"wordsight {encoder}, {runtime}" not in walls:
                    continue
                ratio = median_ratio(walls[peer], walls[f"wordsight {encoder}, {runtime}"])
                bar = _BARS[encoder] if peer == "rclip's loop" else None
                result.add(f"wordsight {encoder} ({runtime}) / {peer} with ViT-B/32", ratio, "x", bar)
    return result


def _ceiling(result: Result, graph: Path, peer: float) -> None:
    """Add how many pictures the processor allows in float32, whatever the program: no rate of ViT-B/32 can pass it."""
    rates = ceiling.peak()
    result.raw["gflops"] = rates
    work, most = ceiling.gigaflops(graph, vit.SIDE), max(rates.values())
    result.add("ViT-B/32: operations an image", work, "GFLOP")
    mini = registry.MODELS / "mini" / "image.onnx"
    result.add("mini: operations an image", ceiling.gigaflops(mini, vit.SIDE), "GFLOP")
    result.add("float32 on this processor, fastest product on all cores", most, "GFLOP/s")
    result.add("ViT-B/32 in float32, at most", most / work, "images/s")
    result.add("ViT-B/32 in float32, at most / rclip's loop", most / work / peer, "x")


def in_8_bits(model: Path, files: list[Path]) -> Path:
    """Return a model folder with the image tower of ``model`` in 8 bits; how close it stays is written beside it."""
    small = model.with_name(f"{model.name}-int8")
    if (small / "closeness.json").is_file():
        return small
    shutil.rmtree(small, ignore_errors=True)
    shutil.copytree(model, small)
    pixels = [transform(file) for file in files[:64]]
    onnx.save(quantised(onnx.load(str(model / "visual.onnx")), pixels), str(small / "visual.onnx"))
    want, got = (
        np.concatenate([session.run(None, {"pixels": each[None]})[0] for each in pixels[:24]])
        for session in (onnxruntime.InferenceSession(str(each / "visual.onnx")) for each in (model, small))
    )
    cosine = (want * got).sum(axis=1)
    centred = [each - want.mean(axis=0) for each in (want, got)]
    centred = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in centred]
    found = {"least cosine": cosine.min(), "less the mean": (centred[0] * centred[1]).sum(axis=1).min()}
    (small / "closeness.json").write_text(json.dumps({name: round(float(value), 4) for name, value in found.items()}))
    return small


def commands(
    scratch: Path, folder: Path, model: Path, encoders: dict[str, str], runtimes: list[str]
) -> dict[str, Command]:
    """Return what to run, each into a place of its own, empty."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    found = {}
    for loop in ("rclip", "clip-retrieval"):
        words = ["--model", str(model / "visual.onnx"), "--photos", str(folder), "--out", str(scratch / loop)]
        found[f"{loop}'s loop"] = Command(module("peer_loops", loop, *words))
    for encoder, path in encoders.items():
        for runtime in runtimes[:1] if "int8" in encoder else runtimes:  # others gain nothing from it
            place = str(scratch / f"{Path(path).name}-{runtime}")
            words = wordsight("index", str(folder), "--encoder", path, "--json", "--quiet", "--catalog", place)
            found[f"wordsight {encoder}, {runtime}"] = Command(words, {"WORDSIGHT_RUNTIME": runtime})
    return found


if __name__ == "__main__":
    main()
