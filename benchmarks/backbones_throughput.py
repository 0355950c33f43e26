"""ViT-B/32 from JPEG to embedding: our exports against the usual pipeline, same weights, same files, same run.

``python -m benchmarks.backbones_throughput`` needs the extras ``openclip`` and ``fast``, and writes
benchmarks/results/backbones_embedding.json and backbones_indexing.json; on a processor that does not compute in bf16,
backbones_embedding_fp32.json and so on. Weights are random: cosines prove mechanics, and that int8 passes its check
here says nothing about a trained model: ``wordsight models export`` checks that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from benchmarks import photos, report
from benchmarks.process import Command, Sample, measure, module, wordsight
from benchmarks.report import Bar, Result

MODEL = "ViT-B-32"
USUAL = "Pillow, bicubic 224, onnxruntime fp32 on all cores, batches of 8, SQLite"
_SIZE = (640, 480)
_BATCH = 8
_PEERS = {"between": "usual pipeline", "pool": "usual pipeline, decoding ahead"}
BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
_HALF = "openvino bf16" if BF16 else "openvino fp32"  # what OpenVINO makes of weights stored in bf16
_OURS = {
    "onnxruntime fp32": ("bf16", "onnxruntime"),  # stored in bf16, computed in float32
    _HALF: ("bf16", "openvino"),
    "onnxruntime int8": ("int8", "onnxruntime"),
    "openvino int8": ("int8", "openvino"),
}
_BARS = {_HALF: Bar(">=", 2.5), "onnxruntime int8": Bar(">=", 4), "openvino int8": Bar(">=", 4)}
_CLOSE = {_HALF: Bar(">=", 0.999)}


def prepare(work: Path, folder: Path) -> None:
    """Write the usual export of the network and our model folders, from the same weights."""
    import torch
    from torch.nn import functional

    from wordsight import images
    from wordsight.encoders.export import export
    from wordsight.encoders.open_clip import OpenClipEncoder

    class Usual(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return functional.normalize(encoder.model.visual(pixels), dim=-1)

    os.environ["WORDSIGHT_PRECISION"] = "fp32"
    encoder = OpenClipEncoder(f"openclip:{MODEL}/random:0")
    module = Usual()
    module.visual = encoder.model.visual
    torch.backends.mha.set_fastpath_enabled(False)
    names = {"input_names": ["pixels"], "output_names": ["embedding"]}
    axes = {"pixels": {0: "n"}, "embedding": {0: "n"}}
    example = torch.zeros((2, 3, 224, 224))
    torch.onnx.export(
        module.eval(), (example,), str(work / "usual.onnx"), dynamic_axes=axes, opset_version=17, dynamo=False, **names
    )
    some = [images.open_image(file) for file in photos.listing(folder)[:64]]
    for precision in ("bf16", "int8"):
        shutil.rmtree(work / precision, ignore_errors=True)
        print(f"  {precision}: {export(encoder, work / precision, precision=precision, photos=some)}", flush=True)


def embedding(result: Result, work: Path, folder: Path, repeats: int) -> None:
    """Measure from the first file to the last vector, the model loaded, interleaved; and compare the vectors."""
    commands = _peers(work, folder)
    for name, (precision, runtime) in _OURS.items():
        words = module("embed", "--encoder", str(work / precision), "--photos", str(folder))
        commands[name] = Command([*words, "--out", str(work / f"{name}.npy")], {"WORDSIGHT_RUNTIME": runtime})
    samples = _repeated(commands, work, repeats)
    seconds, cpu = (
        {name: [float(str(sample.last_json()[kind])) for sample in made] for name, made in samples.items()}
        for kind in ("seconds", "cpu_s")
    )
    result.raw |= {"embedding_s": seconds, "embedding_cpu_s": cpu}
    count = len(photos.listing(folder))
    for name in commands:
        result.add(f"{name}, JPEG to embedding", count / statistics.median(seconds[name]), "images/s")
        result.add(f"{name}, CPU an image", statistics.median(cpu[name]) / count * 1e3, "ms")
    want = _vectors(work / "between.sqlite3")
    for name in _OURS:
        for peer in _PEERS.values():
            result.add(f"{name} / {peer}", report.median_ratio(seconds[peer], seconds[name]), "x", _BARS.get(name))
            result.add(f"{name} / {peer}, by CPU", report.median_ratio(cpu[peer], cpu[name]), "x")
        got, mean = np.load(work / f"{name}.npy"), want.mean(axis=0)
        result.add(f"{name}, least cosine to the usual pipeline", _least(got, want), "", _CLOSE.get(name))
        result.add(f"{name}, least cosine after subtracting the mean", _least(got - mean, want - mean))


def indexing(result: Result, work: Path, folder: Path, repeats: int) -> None:
    """Measure whole processes, from nothing to a catalogue, the start and loading of the model included."""
    commands = {_PEERS["between"]: _peers(work, folder)[_PEERS["between"]]}
    for name in _BARS:
        precision, runtime = _OURS[name]
        words = wordsight("index", str(folder), "--encoder", str(work / precision), "--json", "--quiet")
        words += ["--catalog", str(work / f"catalogue-{precision}-{runtime}")]
        commands[name] = Command(words, {"WORDSIGHT_RUNTIME": runtime})
    samples = _repeated(commands, work, repeats)
    seconds = {name: [sample.wall_s for sample in made] for name, made in samples.items()}
    result.raw["indexing_s"] = seconds
    count = len(photos.listing(folder))
    for name, values in seconds.items():
        result.add(f"{name}, whole process of indexing", count / statistics.median(values), "images/s")
    for name in _BARS:
        ratio = report.median_ratio(seconds[_PEERS["between"]], seconds[name])
        result.add(f"{name} / {_PEERS['between']}, whole process", ratio, "x")


def _peers(work: Path, folder: Path) -> dict[str, Command]:
    commands = {}
    for decode, told_as in _PEERS.items():
        words = module("peer", "--model", str(work / "usual.onnx"), "--photos", str(folder), "--batch", str(_BATCH))
        commands[told_as] = Command([*words, "--decode", decode, "--database", str(work / f"{decode}.sqlite3")])
    return commands


def _repeated(commands: dict[str, Command], work: Path, repeats: int) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(repeats):
        for made in (*work.glob("*.sqlite3*"), *work.glob("catalogue-*")):
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        for name, command in commands.items():
            found[name] += measure([command])
            print(f"  {name}: {found[name][-1].wall_s:.2f} s, of CPU {found[name][-1].cpu_s:.2f} s", flush=True)
    return found


def _vectors(database: Path) -> NDArray[np.float32]:
    with sqlite3.connect(database) as db:
        rows: Sequence[tuple[bytes]] = db.execute("SELECT vector FROM images ORDER BY path").fetchall()
    return np.stack([np.frombuffer(blob, np.float32) for (blob,) in rows])


def _least(got: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    cosines = (got * want).sum(axis=1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    return float(cosines.min())


def main() -> None:
    """Prepare what is not there, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("prepare", *PARTS), nargs="+", default=list(PARTS))
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work" / "backbones_throughput")
    given = parser.parse_args()
    work = given.work.absolute()
    folder = photos.make(work / f"photos-{given.photos}", given.photos, _SIZE)
    if not (work / "int8").is_dir():
        prepare(work, folder)
    for part in given.what:
        if part == "prepare":
            continue
        about = report.machine()
        measure_part, title = PARTS[part]
        result = Result(
            f"backbones_{part}{'' if BF16 else '_fp32'}", f"{MODEL}, 640x480 JPEGs: {title}, same weights and files"
        )
        result.setting = {"photos": given.photos, "repeats": given.repeats, "usual": USUAL, "weights": "random"}
        for precision in ("bf16", "int8"):
            result.setting[f"check of {precision}"] = json.loads((work / precision / "parity.json").read_text())
        measure_part(result, work, folder, given.repeats)
        file = report.ROOT / "benchmarks" / "results" / f"{result.name}.json"
        command = f"python -m benchmarks.backbones_throughput --what {part} --photos {given.photos}"
        report.write_json(result, file, command=f"{command} --repeats {given.repeats}", about=about)
        report.write_table(file, report.ROOT / "docs" / "benchmarks.md")


PARTS = {
    "embedding": (embedding, "from the file to the embedding, the model loaded"),
    "indexing": (indexing, "whole processes of indexing"),
}


if __name__ == "__main__":
    main()
