"""Writes the text tower as ONNX with int8 weights."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from torch import nn

from training.graphs import MICROSOFT, Graph, to_int8
from training.towers import TextTower

Floats = NDArray[np.float32]
Mode = Literal["blocks", "float"]
BLOCK = 64  # weights that share a scale, along the input


def to_blocks(weight: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """(out, in) -> bytes around 128 (out, blocks, BLOCK) and scales (out, blocks), as MatMulNBits wants them."""
    values, scale = to_int8(weight.reshape(len(weight), -1, BLOCK), axis=2)
    return (values.astype(np.int16) + 128).astype(np.uint8), scale[:, :, 0]


class TextGraph(Graph):
    """Adds the layers of the text tower.

    mode "blocks" multiplies int8 weights with activations that are quantised block by block as they come
    (`MatMulNBits`, accuracy level 4: needs onnxruntime 1.22); "float" is the unquantised reference.
    """

    def __init__(self, mode: Mode):
        super().__init__("wordsight text tower")
        self.mode = mode

    def linear(self, x: str, layer: nn.Linear) -> str:
        weight, bias = layer.weight.detach().numpy(), self.constant(layer.bias.detach().numpy())
        if self.mode == "float":
            return self.add("Add", self.add("MatMul", x, self.constant(weight.T)), bias)
        values, scales = (self.constant(part) for part in to_blocks(weight))
        shape = {"N": len(weight), "K": weight.shape[1], "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
        return self.add("Add", self.add("MatMulNBits", x, values, scales, domain=MICROSOFT, **shape), bias)

    def table(self, ids: str, layer: nn.Embedding) -> str:
        """Rows of an embedding, gathered as int8 and widened after."""
        if self.mode == "float":
            return self.add("Gather", self.constant(layer.weight.detach().numpy()), ids)
        values, scale = to_int8(layer.weight.detach().numpy(), axis=1)
        rows = self.add("Cast", self.add("Gather", self.constant(values), ids), to=TensorProto.FLOAT)
        return self.add("Mul", rows, self.add("Gather", self.constant(scale), ids))

    def norm(self, x: str, layer: nn.LayerNorm) -> str:
        gain, shift = (self.constant(p.detach().numpy()) for p in (layer.weight, layer.bias))
        return self.add("LayerNormalization", x, gain, shift, epsilon=layer.eps, axis=-1)

    def attention(self, x: str, qkv: nn.Linear, heads: int, blocked: str) -> str:
        width = qkv.in_features
        split = self.add("Reshape", self.linear(x, qkv), self.constant([0, 0, 3, heads, width // heads]))
        parts = self.add("Transpose", split, perm=[2, 0, 3, 1, 4])
        q, k, v = (self.add("Gather", parts, self.constant(np.array(i, np.int64)), axis=0) for i in range(3))
        scores = self.add("MatMul", q, self.add("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.add("Mul", scores, self.constant(float((width // heads) ** -0.5)))
        mixed = self.add("MatMul", self.add("Softmax", self.add("Add", scores, blocked), axis=-1), v)
        return self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), self.constant([0, 0, width]))


def text_graph(tower: TextTower, weight: Floats, bias: Floats, mode: Mode = "blocks") -> onnx.ModelProto:
    """input_ids, attention_mask int64 (n, t) -> embedding float32 (n, d), unit length. The head stays float."""
    graph = TextGraph(mode)
    ids = graph.input("input_ids", TensorProto.INT64, ["n", "t"])
    mask = graph.add("Cast", graph.input("attention_mask", TensorProto.INT64, ["n", "t"]), to=TensorProto.FLOAT)
    wide = graph.add("Unsqueeze", mask, graph.constant([1, 2]))
    blocked = graph.add("Mul", graph.add("Sub", wide, graph.constant(1.0)), graph.constant(10_000.0))
    length = graph.add("Slice", graph.add("Shape", ids), graph.constant([1]), graph.constant([2]))
    places = graph.constant(tower.places.weight.detach().numpy().astype(np.float16))
    places = graph.add("Slice", places, graph.constant([0]), length, graph.constant([0]))
    x = graph.add("Add", graph.table(ids, tower.words), graph.add("Cast", places, to=TensorProto.FLOAT))
    x = graph.norm(x, tower.norm)
    for block in tower.blocks:
        mixed = graph.linear(graph.attention(x, block.qkv, tower.heads, blocked), block.out)
        x = graph.norm(graph.add("Add", x, mixed), block.norm1)
        up = graph.add("Gelu", graph.linear(x, block.up), domain=MICROSOFT)
        x = graph.norm(graph.add("Add", x, graph.linear(up, block.down)), block.norm2)
    column = graph.add("Unsqueeze", mask, graph.constant([2]))
    total = graph.add("ReduceSum", graph.add("Mul", x, column), graph.constant([1]), keepdims=0)
    mean = graph.unit_length(graph.add("Div", total, graph.add("ReduceSum", mask, graph.constant([1]), keepdims=1)))
    head = graph.add("Gemm", mean, graph.constant(weight), graph.constant(bias), transB=1)
    graph.output(graph.unit_length(head), "embedding", ["n", len(bias)])
    return graph.model()
