"""Writes the image tower as ONNX."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.graphs import Graph
from training.towers import PIXEL_MEAN, PIXEL_SCALE, ImageTower

Floats = NDArray[np.float32]
Storage = Literal["half", "byte"]
_SMALL = 90_000  # weights of a kernel that int8 would save little of, and cost most (LOG.md 11)


def image_graph(
    tower: ImageTower, weight: Floats, bias: Floats, with_map: bool, storage: Storage = "half"
) -> onnx.ModelProto:
    """Pixels uint8 (n, h, w, 3) RGB -> embedding (n, d), unit length, and on demand feature_map (n, d, h/32, w/32).

    `weight` (d, 1280) and `bias` (d) project the features. The map is the projection of every place, so its mean is
    the embedding before normalisation and its dot product with a text embedding is each place's share of the score.
    The subtraction of the pixel mean stays a node of its own: folded into the first bias it would be wrong at the
    border, where the padding is zero after the subtraction. The division is exact in the kernel (a power of two).
    `storage` "byte" keeps the large 1x1 kernels, nearly all of the weights, as int8; the products stay float32.
    """
    graph = Graph("wordsight image tower")
    pixels = graph.input("pixels", TensorProto.UINT8, ["n", "h", "w", 3])
    x = graph.add("Cast", graph.add("Transpose", pixels, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    x = graph.add("Sub", x, graph.constant(PIXEL_MEAN))
    zero, six, kept = graph.constant(0.0), graph.constant(6.0), x
    for index, layer in enumerate(tower.layers):
        kept = x if layer.start else kept
        kernel, shift = (t.detach().numpy() for t in layer.folded())
        kernel = kernel / PIXEL_SCALE if index == 0 else kernel
        side, group = kernel.shape[-1], len(kernel) if layer.depthwise else 1
        padding = {"auto_pad": "SAME_UPPER"} if layer.stride > 1 else {"pads": [side // 2] * 4}
        size = {"kernel_shape": [side, side], "strides": [layer.stride] * 2, "group": group}
        stored = graph.byte(kernel) if storage == "byte" and kernel.size > _SMALL else graph.half(kernel)
        x = graph.add("Conv", x, stored, graph.half(shift), **size, **padding)
        if layer.act:
            x = graph.add("Clip", x, zero, six)
        if layer.skip:
            x = graph.add("Add", x, kept)
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    narrow, shift_name = graph.half(weight[:, :, None, None]), graph.constant(bias.astype(np.float32))
    flat = graph.add("Reshape", narrow, graph.constant(list(weight.shape)))
    embedding = graph.unit_length(graph.add("Gemm", pooled, flat, shift_name, transB=1))
    graph.output(embedding, "embedding", ["n", len(bias)])
    if with_map:
        graph.output(
            graph.add("Conv", x, narrow, shift_name, kernel_shape=[1, 1]), "feature_map", ["n", len(bias), "y", "x"]
        )
    return graph.model()


def features_graph(with_map: onnx.ModelProto) -> onnx.ModelProto:
    """Cuts the graph `with_map` before its head: features (n, c, h/32, w/32) and head (d, c + 1), weight and bias.

    Its mean feature, with a 1 behind it, times the head is the embedding before normalisation: all that a gradient of
    the similarity for the features needs. The constants are those of `with_map`, also where they lie in a file beside.
    """
    model = onnx.ModelProto()
    model.CopyFrom(with_map)
    graph = model.graph
    last = next(node for node in graph.node if "feature_map" in node.output).input[0]
    x, weight, bias = next(node for node in graph.node if last in node.output).input
    bias_width = next(c for c in graph.initializer if c.name == bias).dims[0]
    graph.initializer.append(numpy_helper.from_array(np.array([bias_width, -1]), "rows"))
    graph.initializer.append(numpy_helper.from_array(np.array([bias_width, 1]), "column"))
    graph.node.extend(
        [
            helper.make_node("Identity", [x], ["features"]),
            helper.make_node("Reshape", [weight, "rows"], ["head_weight"]),
            helper.make_node("Reshape", [bias, "column"], ["head_bias"]),
            helper.make_node("Concat", ["head_weight", "head_bias"], ["head"], axis=1),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", "c", "y", "x"]))
    graph.output.append(helper.make_tensor_value_info("head", TensorProto.FLOAT, [bias_width, "c"]))
    needed, nodes = {"features", "head"}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    constants = [c for c in graph.initializer if c.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(constants)
    return model
