"""Measures the exported files, through onnxruntime only, on the development data. Prints one JSON object.

python -m training.measure --model src/wordsight/models/mini --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from training import data, scores
from wordsight.encoders.folder import ModelFolder
from wordsight.encoders.preprocess import Preprocess, to_pixels
from wordsight.encoders.runtime import graph_of

Floats = NDArray[np.float32]


class Shipped:
    """The shipped folder as its runtime uses it."""

    def __init__(self, folder: Path, threads: int = 2):
        model = ModelFolder.open(folder)
        self.spec = model.describe
        self.preprocess = Preprocess.from_json(self.spec["image"]["preprocess"], folder)

        def open_session(side: str, key: str = "file") -> ort.InferenceSession:
            options = ort.SessionOptions()
            options.intra_op_num_threads = threads
            graph = graph_of(folder / self.spec[side][key], options, model.shared_weights(side))
            return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

        self.image, self.text = open_session("image"), open_session("text")
        self.map = open_session("image", "map_file")
        self.tokenizer = Tokenizer.from_file(str(model.location(self.spec["text"]["tokenizer"])))

    def prepare(self, picture: Image.Image, mode: str | None = None) -> data.Pixels:
        """The one way pictures reach the tower: the product's."""
        return to_pixels(picture, replace(self.preprocess, mode=mode) if mode else self.preprocess)

    def pictures(self, pictures: Iterable[Image.Image], mode: str | None = None, batch: int = 32) -> Floats:
        rows, group = [], []
        for picture in pictures:
            group.append(self.prepare(picture, mode))
            if len(group) == batch:
                rows.append(self.image.run(["embedding"], {"pixels": np.stack(group)})[0])
                group = []
        if group:
            rows.append(self.image.run(["embedding"], {"pixels": np.stack(group)})[0])
        return np.concatenate(rows)

    def feature_map(self, picture: Image.Image) -> Floats:
        """(d, h/32, w/32) of the squashed picture."""
        pixels = self.prepare(picture, "squash")[None]
        return self.map.run(["feature_map"], {"pixels": pixels})[0][0]

    def texts(self, texts: Sequence[str], batch: int = 64) -> Floats:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.empty((len(texts), self.spec["dim"]), np.float32)
        for start in range(0, len(order), batch):
            picked = order[start : start + batch]
            rows = [self.tokenizer.encode(texts[i]).ids for i in picked]
            most = self.spec["text"]["max_tokens"]
            rows = [row if len(row) <= most else row[: most - 1] + row[-1:] for row in rows]
            ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
            mask = np.zeros_like(ids)
            for i, row in enumerate(rows):
                ids[i, : len(row)], mask[i, : len(row)] = row, 1
            out[picked] = self.text.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]
        return out

    def labels(self, names: Sequence[str], templates: Sequence[str] | None = None) -> Floats:
        """The mean over the naming templates, unit length."""
        templates = templates or self.spec["prompts"]["label"]
        every = self.texts([t.format(name) for name in names for t in templates])
        mean = every.reshape(len(names), len(templates), -1).mean(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def measure_cifar(model: Shipped, folder: Path) -> dict[str, Any]:
    pixels, classes = data.read_cifar(folder)
    pictures = model.pictures((Image.fromarray(p) for p in pixels), batch=100)
    named = (pictures @ model.labels(data.CIFAR_CLASSES).T).argmax(1)
    per_class = {name: float((named[classes == i] == i).mean()) for i, name in enumerate(data.CIFAR_CLASSES)}
    return {"n_images": len(pixels), "accuracy": float((named == classes).mean()), "per_class": per_class}


def measure_captions(model: Shipped, folder: Path) -> dict[str, Any]:
    captions = data.read_captions(folder, "dev")
    pictures = model.pictures(Image.fromarray(p) for p in data.read_flickr(folder, captions.names))
    texts = model.texts([text for group in captions.texts for text in group])
    owner = np.repeat(np.arange(len(captions.names)), [len(group) for group in captions.texts])
    similar = texts @ pictures.T
    found = scores.success(similar, owner[:, None] == np.arange(len(pictures))[None])
    back = scores.success(similar.T, owner[None] == np.arange(len(pictures))[:, None])
    return {"n_images": len(pictures), "n_captions": len(texts), "text_to_image": found, "image_to_text": back}


def measure_voc(model: Shipped, folder: Path, mode: str | None = None, maps: bool = True) -> dict[str, Any]:
    voc = data.read_voc(folder)
    pictures = model.pictures((data.open_rgb(p.path) for p in voc), mode)
    texts = model.labels(list(data.VOC_CLASSES.values()))
    relevance = np.array([[p.labels.get(name, -1) for name in data.VOC_CLASSES] for p in voc])
    result: dict[str, Any] = {"n_images": len(voc)} | scores.voc_scores(
        pictures @ texts.T, relevance, tuple(data.VOC_CLASSES)
    )
    if maps:
        result["pointing_game"] = scores.pointing_game(voc, model.feature_map, texts)
    return result


def measure_all(folder: Path, data_folder: Path) -> dict[str, Any]:
    model = Shipped(folder)
    return {
        "cifar10": measure_cifar(model, data_folder),
        "voc2007": measure_voc(model, data_folder),
        "flickr8k": measure_captions(model, data_folder),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    print(json.dumps(scores.rounded(measure_all(arguments.model, arguments.data)), indent=1))


if __name__ == "__main__":
    main()
