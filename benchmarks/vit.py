"""The image tower of CLIP ViT-B/32 with random weights as an ONNX file, built without torch.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021: 12 layers of width 768
and 12 heads, patches of 32 pixels, QuickGELU, a projection to 512. Speed does not depend on the weights' values.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LAYERS, WIDTH, HEADS, PATCH, SIDE, OUT = 12, 768, 12, 32, 224, 512
_TOKENS = (SIDE // PATCH) ** 2 + 1
_OPSET = 17
_WORDS, _CONTEXT = 1_000, 77
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


class _Graph:
    """Collects nodes and weights; ``add`` returns the name of the node's output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.asarray(values, np.int64))

    def random(self, *shape: int) -> str:
        return self.constant(self._rng.standard_normal(shape, np.float32) * np.float32(0.02))

    def linear(self, x: str, rows: int, columns: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.random(rows, columns)), self.random(columns))

    def norm(self, x: str) -> str:
        scale, bias = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)


def write(file: Path) -> Path:
    """Write the graph: ``pixels`` (n, 3, 224, 224) float32 -> ``embedding`` (n, 512), unit length."""
    graph = _Graph()
    x = graph.norm(_tokens(graph))
    for _ in range(LAYERS):
        x = graph.add("Add", x, _attention(graph, graph.norm(x)))
        wide = graph.linear(graph.norm(x), WIDTH, 4 * WIDTH)
        gate = graph.add("Sigmoid", graph.add("Mul", wide, graph.constant(np.asarray([1.702], np.float32))))
        x = graph.add("Add", x, graph.linear(graph.add("Mul", wide, gate), 4 * WIDTH, WIDTH))
    first = graph.add("Gather", x, graph.constant(np.asarray(0, np.int64)), axis=1)
    projected = graph.add("MatMul", graph.norm(first), graph.random(WIDTH, OUT))
    length = graph.add("ReduceL2", projected, axes=[-1], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [projected, length], ["embedding"]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "vit-b-32",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", OUT])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(file))
    return file


def write_folder(folder: Path) -> Path:
    """Write a model folder as rclip's program has it: the tower above, and a text tower that only looks words up."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    write(folder / "visual.onnx")
    table = np.random.default_rng(1).standard_normal((_WORDS, OUT)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "text"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("ReduceL2", ["mean"], ["length"], axes=[-1], keepdims=1),
        helper.make_node("Div", ["mean", "length"], ["embedding"]),
    ]
    text = helper.make_tensor_value_info("text", TensorProto.INT64, ["n", _CONTEXT])
    made = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", OUT])
    graph = helper.make_graph(nodes, "text", [text], [made], [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
    onnx.save(model, str(folder / "textual.onnx"))
    tokenizer = Tokenizer(models.WordLevel({f"word{i}": i for i in range(_WORDS)}, unk_token="word0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"size": [SIDE, SIDE], "mode": "RGB", "mean": MEAN, "std": STD, "interpolation": "bicubic"}
    (folder / "preprocess_cfg.json").write_text(json.dumps(settings | {"resize_mode": "shortest", "fill_color": 0}))
    return folder


def _tokens(graph: _Graph) -> str:
    """Cut the pixels into patches, put the class token before them, and add the positions."""
    patches = graph.add("Conv", "pixels", graph.random(WIDTH, 3, PATCH, PATCH), strides=[PATCH, PATCH])
    flat = graph.add("Reshape", patches, graph.integers(0, WIDTH, _TOKENS - 1))
    rows = graph.add("Transpose", flat, perm=[0, 2, 1])
    count = graph.add("Slice", graph.add("Shape", rows), graph.integers(0), graph.integers(1))
    shape = graph.add("Concat", count, graph.integers(1, WIDTH), axis=0)
    first = graph.add("Expand", graph.random(1, 1, WIDTH), shape)
    return graph.add("Add", graph.add("Concat", first, rows, axis=1), graph.random(1, _TOKENS, WIDTH))


def _attention(graph: _Graph, x: str) -> str:
    wide = graph.add("Reshape", graph.linear(x, WIDTH, 3 * WIDTH), graph.integers(0, 0, 3, HEADS, WIDTH // HEADS))
    split = graph.add("Transpose", wide, perm=[2, 0, 3, 1, 4])
    query, key, value = (
        graph.add("Gather", split, graph.constant(np.asarray(part, np.int64)), axis=0) for part in range(3)
    )
    scaled = graph.add("Mul", query, graph.constant(np.asarray([(WIDTH // HEADS) ** -0.5], np.float32)))
    scores = graph.add("MatMul", scaled, graph.add("Transpose", key, perm=[0, 1, 3, 2]))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    together = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), graph.integers(0, 0, WIDTH))
    return graph.linear(together, WIDTH, WIDTH)
