"""Writes the text tower as ONNX that multiplies in int8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, nn

from training.graphs import MICROSOFT, Graph, to_int8, to_int8_pairs
from training.towers import TextTower

Floats = NDArray[np.float32]

# How much of a channel's size is taken from the activations rather than left to the weights; chosen by the cosine to
# the float32 tower on captions of the training split (LOG.md 15).
STRENGTHS = {"qkv": 0.35, "out": 0.9, "up": 0.65, "down": 0.9}


@dataclass(frozen=True)
class Scale:
    """What the input of a layer is divided by, (in,), and the range of what is left."""

    level: Floats
    low: float
    high: float

    def steps(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The size of one of 255 steps, and the step that stands for zero."""
        step = (self.high - self.low) / 255
        return np.array(step, np.float32), np.array(round(-self.low / step), np.uint8)


Scales = Mapping[nn.Linear, Scale]


@torch.no_grad()
def find_scales(tower: TextTower, tokens: Iterable[Tensor]) -> Scales:
    """Found on texts, each (1, t) token ids, and fixed: what a text becomes does not depend on those beside it.

    Channels are brought to like sizes, so that one scale for all costs little: Xiao et al., "SmoothQuant" (2023),
    equations 3 and 4, with a strength for each place.
    """
    places = {getattr(block, name): strength for block in tower.blocks for name, strength in STRENGTHS.items()}
    least: dict[nn.Module, Tensor] = {layer: torch.zeros(layer.in_features) for layer in places}
    most = dict(least)

    def look(layer: nn.Module, given: tuple[Tensor]) -> None:
        seen = given[0].flatten(0, -2)
        least[layer], most[layer] = torch.minimum(least[layer], seen.amin(0)), torch.maximum(most[layer], seen.amax(0))

    hooks = [layer.register_forward_pre_hook(look) for layer in places]
    for ids in tokens:
        tower(ids, torch.ones_like(ids))
    for hook in hooks:
        hook.remove()
    found = {}
    for layer, strength in places.items():
        read = layer.weight.abs().amax(0).clamp(min=1e-8)
        level = torch.maximum(-least[layer], most[layer]).clamp(min=1e-8) ** strength / read ** (1 - strength)
        level /= level.log().mean().exp()
        found[layer] = Scale(level.numpy(), float((least[layer] / level).min()), float((most[layer] / level).max()))
    return found


class TextGraph(Graph):
    """Adds the layers of the text tower: in int8 under `scales`, in float32 without them, as a reference."""

    def __init__(self, scales: Scales | None):
        super().__init__("wordsight text tower")
        self.scales = scales

    def linear(self, x: str, layer: nn.Linear) -> str:
        weight, bias = layer.weight.detach().numpy(), self.constant(layer.bias.detach().numpy())
        if self.scales is None:
            return self.add("Add", self.add("MatMul", x, self.constant(weight.T)), bias)
        scale = self.scales[layer]
        rows, sizes = to_int8_pairs(weight * scale.level)
        values, sizes = self.constant(rows.T), self.constant(sizes)
        step, zero = (self.constant(part) for part in scale.steps())
        x = self.add("QuantizeLinear", self.add("Mul", x, self.constant(1 / scale.level)), step, zero)
        return self.add("MatMulIntegerToFloat", x, values, step, sizes, zero, "", bias, domain=MICROSOFT)

    def table(self, ids: str, layer: nn.Embedding) -> str:
        """Rows of an embedding, gathered as int8 and widened after."""
        if self.scales is None:
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


def text_graph(tower: TextTower, weight: Floats, bias: Floats, scales: Scales | None) -> onnx.ModelProto:
    """input_ids, attention_mask int64 (n, t) -> embedding float32 (n, d), unit length. The head stays float."""
    graph = TextGraph(scales)
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
