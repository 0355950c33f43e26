"""Towers of real architectures with random weights: what each runtime and precision keeps, and how fast it is.

``python -m benchmarks.backbones`` writes benchmarks/results/backbones.json: cosines to OpenCLIP's own model and
transform in float32 on the same pictures, and on the same token ids; pictures a second of the image tower alone on all
cores (two per run and thread in onnxruntime, four in OpenVINO), and milliseconds of one text. Random weights prove
mechanics and speed, not what quantisation does to a trained model. Batch normalisation is set from the pictures: as it
starts, all vectors of an RN50 nearly agree; "alike" is the greatest cosine of two different pictures, or texts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import open_clip
import openvino
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import nn

from benchmarks import report
from benchmarks.backbones_page import write_page
from wordsight.encoders import export_level
from wordsight.encoders.export_int8 import quantised
from wordsight.encoders.export_quality import synthetic
from wordsight.encoders.export_towers import image_graph, takes_short_texts, text_graph
from wordsight.encoders.open_clip import OpenClipEncoder
from wordsight.encoders.preprocess import to_pixels
from wordsight.machine import cores
from wordsight.registry import MODELS

SHIPPED = "mini"
ARCHITECTURES = (SHIPPED, "RN50", "ViT-B-32", "ViT-B-16", "ViT-B-16-SigLIP", "MobileCLIP2-S0")
FILE = report.ROOT / "benchmarks" / "results" / "backbones.json"
PAGE = report.ROOT / "docs" / "models.md"
PICTURES, TEXTS = 24, 12
Tower = Callable[[NDArray[Any]], NDArray[np.float32]]


def towers(folder: Path) -> Iterator[tuple[str, int, Tower]]:
    """Yield runtime and precision, pictures a run, and the tower, from the graphs in ``folder``."""
    for precision in ("fp32", "int8"):
        file = folder / f"{precision}.onnx"
        if file.is_file():
            yield f"onnxruntime {precision}", 2, _onnxruntime(file, "pixels")
    for precision, file, hint in (("fp32", "fp32", "f32"), ("bf16", "fp32", "bf16"), ("int8", "int8", "f32")):
        if (folder / f"{file}.onnx").is_file() and (precision != "bf16" or _has_bf16()):
            yield f"openvino {precision}", 4, _openvino(folder / f"{file}.onnx", "pixels", hint)


def _has_bf16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _onnxruntime(file: Path, given: str) -> Tower:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda values: session.run(["embedding"], {given: values})[0]


def _openvino(file: Path, given: str, hint: str) -> Tower:
    settings = {"NUM_STREAMS": cores(), "INFERENCE_NUM_THREADS": cores(), "INFERENCE_PRECISION_HINT": hint}
    model = openvino.Core().compile_model(file, "CPU", settings)

    def run(values: NDArray[Any]) -> NDArray[np.float32]:
        request = model.create_infer_request()
        request.set_tensor(given, openvino.Tensor(np.ascontiguousarray(values)))
        request.start_async()
        request.wait()
        return np.array(request.get_tensor("embedding").data, np.float32)

    return run


def prepare(architecture: str, folder: Path) -> None:
    """Write the graphs, the pictures' pixels and texts' tokens, and OpenCLIP's embeddings of them."""
    folder.mkdir(parents=True, exist_ok=True)
    if architecture == SHIPPED:
        for name, kept in (("image.onnx", "fp32.onnx"), ("image.weights",) * 2, ("text.weights",) * 2):
            shutil.copyfile(MODELS / SHIPPED / name, folder / kept)
        np.save(folder / "pixels.npy", np.stack([np.asarray(picture) for picture in synthetic(PICTURES, 224)]))
        return
    os.environ["WORDSIGHT_PRECISION"] = "fp32"
    encoder = OpenClipEncoder(f"openclip:{architecture}/random:0")
    pictures = synthetic(PICTURES)
    _spread(encoder.model.visual, encoder.pixels(pictures))
    pixels = np.stack([to_pixels(picture, encoder.preprocess) for picture in pictures])
    graph = image_graph(encoder)
    onnx.save(graph, str(folder / "fp32.onnx"))
    export_level.apply(graph, export_level.factors(graph, list(pixels)))
    onnx.save(quantised(graph, list(pixels)), str(folder / "int8.onnx"))
    onnx.save(text_graph(encoder), str(folder / "text.onnx"))
    tokens, length = _tokens(encoder.model)
    np.save(folder / "tokens.npy", tokens[:, :length])
    with torch.inference_mode():
        np.save(folder / "texts.npy", encoder.model.encode_text(torch.from_numpy(tokens), normalize=True).numpy())
        np.save(folder / "embeddings.npy", _by_open_clip(encoder.model, pictures))
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "ours.npy", encoder.encode_images(pictures))


def _by_open_clip(model: nn.Module, pictures: Sequence[Image]) -> NDArray[np.float32]:
    settings = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(settings, is_train=False)
    return model.encode_image(torch.stack([transform(picture) for picture in pictures]), normalize=True).numpy()


def _spread(visual: nn.Module, pixels: torch.Tensor) -> None:
    """Give batch normalisations random weights and the statistics of ``pixels``, so that vectors differ as trained."""
    torch.manual_seed(0)
    norms = [module for module in visual.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
        norm.reset_running_stats()
        norm.momentum = None  # the statistics of this one run, not a moving average
        norm.train()
    if norms:
        with torch.inference_mode():
            visual(pixels)
    visual.eval()


def _tokens(model: nn.Module) -> tuple[NDArray[np.int64], int]:
    """Return random texts (n, context) and how many of their tokens the exported graph is given."""
    context, words = model.context_length, model.vocab_size
    tokens = np.random.default_rng(0).integers(1, words - 2, (TEXTS, context))
    if not takes_short_texts(model):
        return tokens, context
    length = context // 2
    tokens[:, 0], tokens[:, length - 1], tokens[:, length:] = words - 2, words - 1, 0  # begin, end, nothing
    return tokens, length


def parity(folder: Path) -> dict[str, dict[str, float]]:
    """Return, for each runtime and precision, the least cosine, plain and after subtracting the mean."""
    pixels, want = np.load(folder / "pixels.npy"), np.load(folder / "embeddings.npy")
    found = {"torch fp32": _closeness(np.load(folder / "ours.npy"), want)}
    for name, batch, tower in towers(folder):
        got = np.concatenate([tower(pixels[start : start + batch]) for start in range(0, len(pixels), batch)])
        found[name] = _closeness(got, want)
    tokens, want = np.load(folder / "tokens.npy"), np.load(folder / "texts.npy")
    for name, tower in text_towers(folder).items():
        found[f"{name}, texts"] = _closeness(tower(tokens), want)
    return found


def text_towers(folder: Path) -> dict[str, Tower]:
    """Return the text tower in each runtime."""
    file = folder / "text.onnx"
    return {
        "onnxruntime fp32": _onnxruntime(file, "input_ids"),
        "openvino fp32": _openvino(file, "input_ids", "f32"),
    }


def alike(folder: Path) -> dict[str, float]:
    """Return the greatest cosine of two different pictures, and texts: where all agree, closeness proves nothing."""
    found = {}
    for what, file in (("pictures", "embeddings"), ("texts", "texts")):
        rows = np.load(folder / f"{file}.npy")
        scores = rows @ rows.T
        np.fill_diagonal(scores, -1)
        found[what] = round(float(scores.max()), 4)
    return found


def _closeness(got: NDArray[np.float32], want: NDArray[np.float32]) -> dict[str, float]:
    mean = want.mean(axis=0)
    return {"cosine": _least(got, want), "centred": _least(got - mean, want - mean)}


def _least(got: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    cosines = (got * want).sum(axis=1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    return round(float(cosines.min()), 6)


def speed(folder: Path, seconds: float) -> dict[str, float]:
    """Return pictures a second of each tower, all cores busy."""
    pixels, rates = np.load(folder / "pixels.npy"), {}
    for name, batch, tower in towers(folder):
        tower(pixels[:batch])
        start, done = time.perf_counter(), 0
        with ThreadPoolExecutor(cores()) as pool:
            while (spent := time.perf_counter() - start) < seconds:
                list(pool.map(lambda _, tower=tower, batch=batch: tower(pixels[:batch]), range(2 * cores())))
                done += 2 * cores() * batch
        rates[name] = round(done / spent, 2)
    return rates


def text_ms(folder: Path, repeats: int = 15) -> dict[str, float]:
    """Return the median milliseconds of one text, on one thread in onnxruntime."""
    if not (folder / "text.onnx").is_file():
        return {}
    tokens, found = np.load(folder / "tokens.npy")[:1], {}
    for name, tower in text_towers(folder).items():
        tower(tokens)
        spent = []
        for _ in range(repeats):
            start = time.perf_counter()
            tower(tokens)
            spent.append(time.perf_counter() - start)
        found[name] = round(1000 * statistics.median(spent), 1)
    return found


def megabytes(folder: Path) -> int:
    """Return the size of both towers as they are stored here: float32, but for the shipped model."""
    files = ("fp32.onnx", "text.onnx", "image.weights", "text.weights")
    return round(sum((folder / file).stat().st_size for file in files if (folder / file).is_file()) / 1e6)


def closeness(folder: Path) -> dict[str, Any]:
    """Return all about how close vectors stay."""
    return {"least": parity(folder), "alike": alike(folder)}


def pace(folder: Path, seconds: float) -> dict[str, Any]:
    """Return all about how fast it is, and how large."""
    return {"images_per_s": speed(folder, seconds), "text_ms": text_ms(folder), "megabytes": megabytes(folder)}


def main() -> None:
    """Prepare, then measure what was asked for; figures that were there before are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    parser.add_argument("--what", nargs="*", choices=("parity", "speed"), default=("parity", "speed"))
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work" / "backbones")
    given = parser.parse_args()
    result: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {"architectures": {}}
    machine = report.machine()
    for architecture in given.only:
        folder = given.work / architecture
        if not (folder / ("pixels.npy" if architecture == SHIPPED else "ours.npy")).is_file():
            prepare(architecture, folder)
        entry = result["architectures"].setdefault(architecture, {})
        for what in given.what:
            if (architecture, what) != (SHIPPED, "parity"):
                command = f"python -m benchmarks.backbones --only {architecture} --what {what}"
                about = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "command": command}
                measured = closeness(folder) if what == "parity" else pace(folder, given.seconds)
                entry[what] = measured | about | {"machine": machine, "versions": report.versions()}
                print(architecture, json.dumps(entry[what]), flush=True)
                FILE.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    write_page(result, PAGE)


if __name__ == "__main__":
    main()
