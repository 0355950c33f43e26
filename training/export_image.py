"""Writes the image tower as ONNX."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from training.graphs import Graph
from training.towers import PIXEL_MEAN, PIXEL_SCALE, ImageTower

Floats = NDArray[np.float32]


def image_graph(tower: ImageTower, weight: Floats, bias: Floats, with_map: bool) -> onnx.ModelProto:
    """Pixels uint8 (n, h, w, 3) RGB -> embedding (n, d), unit length, and on demand feature_map (n, d, h/32, w/32).

    `weight` (d, 1280) and `bias` (d) project the features. The map is the projection of every place, so its mean is
    the embedding before normalisation and its dot product with a text embedding is each place's share of the score.
    The subtraction of the pixel mean stays a node of its own: folded into the first bias it would be wrong at the
    border, where the padding is zero after the subtraction. The division is exact in the kernel (a power of two).
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
        x = graph.add("Conv", x, graph.half(kernel), graph.half(shift), **size, **padding)
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
