"""The table of targets for the shipped models, from their files: ``python -m benchmarks.targets``.

Quality is that of ``training.measure`` on the development data (Caltech-101 where it is there, through ``wordsight
evaluate``). Speed stands beside CLIP ViT-B/32 in float32 with random weights, both in onnxruntime on one thread, turn
by turn; a query is a text of one caption's length, from the words to the vector.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import report, targets_page, vit
from benchmarks.report import Bar, Result
from training.measure import Shipped, measure_all
from wordsight.datasets import load_task
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.experiment import run_task
from wordsight.registry import MODELS

_BATCH = 16
_QUERIES = 20
_QUERY = "a brown dog runs along the beach with a stick"


def main() -> None:
    """Measure ``--models`` and write ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", default=[MODELS / "mini", MODELS / "midi"])
    parser.add_argument("--data", type=Path, default=report.ROOT.parent / "shared/data")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--skip", choices=("speed", "quality"), help="leave this half out")
    parser.add_argument("--out", type=Path, help="the results file; only printed unless told")
    given = parser.parse_args()
    about = report.machine()
    result = Result("targets", "the shipped models against their targets")
    result.add("all files of the shipped models", sum(map(_bytes, MODELS.glob("*/"))) / 1e6, "MB", Bar("<=", 40))
    for model in given.models:
        result.add(f"{model.name}: its own files", _bytes(model) / 1e6, "MB")
        if given.skip != "quality":
            quality(result, model, given.data)
    if given.skip != "speed":
        speed(result, given.models, given.repeats)
    if given.out:
        report.write_json(
            result, given.out, command="python -m benchmarks.targets --out benchmarks/results/targets.json", about=about
        )
        report.write_table(given.out, report.ROOT / "docs" / "benchmarks.md")
        targets_page.write(json.loads(given.out.read_text()))


def _bytes(model: Path) -> int:
    return sum(file.stat().st_size for file in model.iterdir() if file.suffix != ".md")


def quality(result: Result, model: Path, data: Path) -> None:
    """Add what ``training.measure`` finds, in percent."""
    found = measure_all(model, data)
    result.raw.setdefault("quality", {})[model.name] = found
    forth, back = found["flickr8k"]["text_to_image"], found["flickr8k"]["image_to_text"]
    game = found["voc2007"]["pointing_game"]
    rows = (
        ("CIFAR-10 zero-shot accuracy", found["cifar10"]["accuracy"], 70),
        ("VOC2007 mAP, all points", found["voc2007"]["mAP"], 77),
        *((f"Flickr8k dev, text to image, {k}", forth[k], bar) for k, bar in zip(forth, (28, 58, 71), strict=True)),
        ("Flickr8k dev, image to text, Success@5", back["Success@5"], 68),
        ("VOC2007 pointing game, projected map", game["map"], 76),
        ("VOC2007 pointing game, centre point", game["centre_point"], None),
    )
    for name, value, bar in rows:
        result.add(f"{model.name}: {name}", 100 * value, "%", None if bar is None else Bar(">=", bar))
    if (data / "caltech101").is_dir():
        task = load_task("caltech101", data / "caltech101")
        accuracy = run_task(task, OnnxEncoder(model)).measures["accuracy"]
        result.add(f"{model.name}: Caltech-101 zero-shot accuracy", 100 * accuracy, "%", Bar(">=", 50))
    else:
        print(f"  {model.name}: Caltech-101 zero-shot accuracy: not measured, {data / 'caltech101'} is not there")


def speed(result: Result, models: Sequence[Path], repeats: int) -> None:
    """Add pictures a second beside ViT-B/32, each at its own size, and the time of a query."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        theirs = ort.InferenceSession(vit.write(Path(folder) / "vit.onnx"), options, providers=["CPUExecutionProvider"])
    scaled = np.random.default_rng(0).random((_BATCH, 3, 224, 224), np.float32)
    calls: dict[str, Callable[[], object]] = {"ViT-B/32": lambda: theirs.run(None, {"pixels": scaled})}
    for model in models:
        calls |= _calls(model)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:  # the first one warms up
                taken[name].append(time.perf_counter() - start)
    result.raw["seconds"] = taken
    result.setting = {"batch": _BATCH, "threads": 1, "repeats": repeats, "runtime": "onnxruntime", "query": _QUERY}
    vits = taken["ViT-B/32"]
    result.add("ViT-B/32 float32, one core", _BATCH / statistics.median(vits), "images/s")
    for name in (model.name for model in models):
        pictures, queries = taken[f"{name}: pictures"], taken[f"{name}: queries"]
        result.add(f"{name}: pictures a second, one core", _BATCH / statistics.median(pictures), "images/s")
        ratio = report.median_ratio(vits, pictures)
        result.add(f"{name}: pictures a second / ViT-B/32", ratio, "x", Bar(">=", 8))
        query = 1e3 * statistics.median(queries) / _QUERIES
        result.add(f"{name}: one query, one core", query, "ms", Bar("<=", 5))


def _calls(model: Path) -> dict[str, Callable[[], object]]:
    ours, encoder = Shipped(model, threads=1).image, OnnxEncoder(model, runtime="onnxruntime")
    side = encoder.image_side
    pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, side, side, 3), np.uint8)
    return {
        f"{model.name}: pictures": lambda: ours.run(["embedding"], {"pixels": pixels}),
        f"{model.name}: queries": lambda: [encoder.encode_texts([_QUERY]) for _ in range(_QUERIES)],
    }


if __name__ == "__main__":
    main()
