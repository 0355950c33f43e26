"""Indexing against the loops of rclip and clip-retrieval: with the same ViT-B/32 weights, and with the shipped encoder.

``python -m benchmarks.same_weights [--photos 240] [--repeats 3]``: whole processes, side by side, the same files.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from pathlib import Path

from benchmarks import photos, report, vit
from benchmarks.indexing import runtimes_of
from benchmarks.process import Command, measure, module, wordsight
from benchmarks.report import Bar, Result, median_ratio

_SIZE = (640, 480)
_BARS = {"ViT-B/32": Bar(">=", 3), "mini": Bar(">=", 15)}


def main() -> None:
    """Measure and write benchmarks/results/same_weights.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_weights", description=__doc__)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work")
    parser.add_argument("--dry", action="store_true", help="measure, print, write nothing")
    given = parser.parse_args()
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
    encoders = {"ViT-B/32": str(model), "mini": "mini"}
    runtimes = runtimes_of("mini")
    result.setting = {"photos": count, "repeats": repeats, "runtimes": runtimes, "weights": "random, the same in all"}
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
    for name, seconds in walls.items():
        result.add(f"{name}, whole process", count / statistics.median(seconds), "images/s")
    for peer in ("rclip's loop", "clip-retrieval's loop"):
        for encoder in encoders:
            for runtime in runtimes:
                ratio = median_ratio(walls[peer], walls[f"wordsight {encoder}, {runtime}"])
                bar = _BARS[encoder] if peer == "rclip's loop" else None
                result.add(f"wordsight {encoder} ({runtime}) / {peer} with ViT-B/32", ratio, "x", bar)
    return result


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
        for runtime in runtimes:
            place = str(scratch / f"{Path(path).name}-{runtime}")
            words = wordsight("index", str(folder), "--encoder", path, "--json", "--quiet", "--catalog", place)
            found[f"wordsight {encoder}, {runtime}"] = Command(words, {"WORDSIGHT_RUNTIME": runtime})
    return found


if __name__ == "__main__":
    main()
