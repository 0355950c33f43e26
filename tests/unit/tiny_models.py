"""Tiny dual encoders as ONNX graphs, in the layouts of several programs, with their answers computed by other code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SIDE, DIM, CONTEXT, PAD = 16, 8, 7, 2
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
WORDS = ["<s>", "</s>", "<pad>", "[UNK]", "a", "dog", "red", "cat", "in", "snow"]
_RNG = np.random.default_rng(0)
PROJECT = _RNG.normal(size=(12, DIM)).astype(np.float32)
TABLE = _RNG.normal(size=(len(WORDS), DIM)).astype(np.float32)
KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "int32": TensorProto.INT32}
KINDS |= {"int64": TensorProto.INT64, "uint8": TensorProto.UINT8}

Shape = Sequence[int | str]


def image_nodes(given: str, made: str, kind: str) -> list[onnx.NodeProto]:
    """Means of the four quarters, projected; uint8 pixels (n, h, w, 3) are normalised in the graph."""
    nodes = [helper.make_node("Cast", [given], ["cast"], to=TensorProto.FLOAT)]
    if kind == "uint8":
        nodes += [
            helper.make_node("Div", ["cast", "c255"], ["unit"]),
            helper.make_node("Sub", ["unit", "mean"], ["shifted"]),
            helper.make_node("Div", ["shifted", "std"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        ]
    half = SIDE // 2
    source = "planes" if kind == "uint8" else "cast"
    return [
        *nodes,
        helper.make_node("AveragePool", [source], ["pooled"], kernel_shape=[half, half], strides=[half, half]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "project"], [made]),
    ]


def text_nodes(given: str, made: str, mask: bool) -> list[onnx.NodeProto]:
    """The mean of the words' vectors: of all tokens, or of those the mask keeps."""
    nodes = [helper.make_node("Gather", ["table", given], ["vectors"])]
    if not mask:
        return [*nodes, helper.make_node("ReduceMean", ["vectors"], [made], axes=[1], keepdims=0)]
    return [
        *nodes,
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["kept", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], [made]),
    ]


def save(
    file: Path, nodes: list[onnx.NodeProto], inputs: dict[str, tuple[str, Shape]], outputs: dict[str, Shape]
) -> None:
    constants = {
        "project": PROJECT,
        "table": TABLE,
        "mean": np.array(MEAN, np.float32),
        "std": np.array(STD, np.float32),
        "c255": np.float32(255),
        "last": np.array([-1]),
        "one": np.array([1]),
    }
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, KINDS[kind], shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(file))


def save_image(file: Path, given: str = "image", made: str = "embedding", kind: str = "float32", rows: int | str = "n"):
    shape = [rows, SIDE, SIDE, 3] if kind == "uint8" else [rows, 3, SIDE, SIDE]
    save(file, image_nodes(given, made, kind), {given: (kind, shape)}, {made: [rows, DIM]})


def save_text(
    file: Path,
    given: str = "text",
    made: str = "embedding",
    kind: str = "int32",
    shape: Shape = ("n", CONTEXT),
    mask: bool = False,
):
    inputs = {given: (kind, shape)} | ({"attention_mask": (kind, shape)} if mask else {})
    save(file, text_nodes(given, made, mask), inputs, {made: [shape[0], DIM]})


def save_tokenizer(file: Path, *, padded: bool = False) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    if padded:  # as some folders have it: what their program sets anew on each start
        tokenizer.enable_padding(length=CONTEXT, pad_id=PAD, pad_token="<pad>")
        tokenizer.enable_truncation(CONTEXT)
    file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(file))


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


OPEN_CLIP = {
    "size": [SIDE, SIDE],
    "mode": "RGB",
    "mean": MEAN,
    "std": STD,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}


def immich(folder: Path, *, kind: str = "float32", **preprocess: object) -> Path:
    save_image(folder / "visual" / "model.onnx", kind=kind, rows=1)
    save_text(folder / "textual" / "model.onnx", shape=(1, CONTEXT))
    save_tokenizer(folder / "textual" / "tokenizer.json", padded=True)
    write(folder / "textual" / "tokenizer_config.json", {"pad_token": "<pad>"})
    write(folder / "visual" / "preprocess_cfg.json", OPEN_CLIP | preprocess)
    write(folder / "config.json", {"embed_dim": DIM, "vision_cfg": {}, "text_cfg": {"context_length": CONTEXT}})
    return folder


def rclip(folder: Path) -> Path:
    save_image(folder / "visual.onnx", "input", "output")
    save_text(folder / "textual.onnx", "input", "output", "int64", ("n", 77))
    save_tokenizer(folder / "tokenizer.json")
    write(folder / "preprocess_cfg.json", OPEN_CLIP)
    return folder


PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": SIDE},
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_normalize": True,
    "image_mean": MEAN,
    "image_std": STD,
    "resample": 3,
    "rescale_factor": 1 / 255,
}


def configured(folder: Path, kind: str, **processor: object) -> Path:
    write(folder / "config.json", {"model_type": kind, "text_config": {"max_position_embeddings": CONTEXT}})
    write(folder / "preprocessor_config.json", PROCESSOR | processor)
    save_tokenizer(folder / "tokenizer.json", padded=True)
    write(folder / "tokenizer_config.json", {"pad_token": {"content": "<pad>"}, "model_max_length": 10**30})
    return folder


def transformers_js(folder: Path, *, kind: str = "clip", variant: str = "", **processor: object) -> Path:
    filled = kind == "siglip"
    vision, words = ("pooler_output", "pooler_output") if filled else ("image_embeds", "text_embeds")
    save_image(folder / "onnx" / f"vision_model{variant}.onnx", "pixel_values", vision)
    save_text(
        folder / "onnx" / f"text_model{variant}.onnx", "input_ids", words, "int64", ("n", "length"), mask=not filled
    )
    return configured(folder, kind, **processor)


def combined(folder: Path) -> Path:
    nodes = [*image_nodes("pixel_values", "image_embeds", "float32"), *text_nodes("input_ids", "text_embeds", True)]
    nodes += [
        helper.make_node("Transpose", ["text_embeds"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["image_embeds", "turned"], ["logits_per_image"]),
    ]
    inputs: dict[str, tuple[str, Shape]] = {
        "input_ids": ("int64", ("t", "length")),
        "pixel_values": ("float32", ("n", 3, SIDE, SIDE)),
        "attention_mask": ("int64", ("t", "length")),
    }
    outputs: dict[str, Shape] = {
        "logits_per_image": ("n", "t"),
        "text_embeds": ("t", DIM),
        "image_embeds": ("n", DIM),
    }
    save(folder / "model.onnx", nodes, inputs, outputs)
    return configured(folder, "clip")


def expected_image(picture: Image.Image, *, squash: bool = False, shorter: int = SIDE) -> NDArray[np.float64]:
    """Resize, cut, normalise and project, after the description of OpenAI's transform."""
    width, height = picture.size
    if squash:
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    else:
        least = min(width, height)
        picture = picture.resize((shorter * width // least, shorter * height // least), Image.Resampling.BICUBIC)
        left, top = (round((side - SIDE) / 2) for side in picture.size)
        picture = picture.crop((left, top, left + SIDE, top + SIDE))
    values = (np.asarray(picture, float) / 255 - MEAN) / STD
    half = SIDE // 2
    quarters = values.reshape(2, half, 2, half, 3).mean(axis=(1, 3)).transpose(2, 0, 1).reshape(-1)
    row = quarters @ PROJECT.astype(float)
    return row / np.linalg.norm(row)


def expected_text(text: str, *, filled: int = 0) -> NDArray[np.float64]:
    """The mean vector of the words, of all ``filled`` tokens where the model looks at what fills."""
    words = [WORDS.index(word) if word in WORDS else 3 for word in text.lower().split()]
    ids = [0, *words, 1]
    if filled:
        ids = [*ids[: filled - 1], 1] if len(ids) > filled else ids + [PAD] * (filled - len(ids))
    row = TABLE[ids].astype(float).mean(axis=0)
    return row / np.linalg.norm(row)
