"""Makes a transformer's activations fit for 8 bits, without changing what it computes.

In trained transformers a few channels are many times as large as the others, and one scale for all leaves these a few
of 256 steps. Behind a layer normalisation the channels can be divided, and the weights that read them multiplied, by
the same factors (Xiao et al., "SmoothQuant", 2023, equations 3 and 4, with a strength of a half).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_MOST = 1e3  # no factor is larger, or smaller than its inverse
_PICTURES = 16

Factors = Mapping[bytes, NDArray[np.float32]]
"""Weights as they were, of one product -> what its input channels are divided by."""


class _Pair(NamedTuple):
    norm: onnx.NodeProto
    products: list[onnx.NodeProto]


def factors(model: onnx.ModelProto, pixels: Sequence[NDArray[np.uint8]]) -> Factors:
    """Return by how much each channel should be divided, found on pictures."""
    weights = _weights(model)
    pairs = list(_pairs(model, weights))
    largest = _largest(model, [pair.norm.output[0] for pair in pairs], pixels)
    found: dict[bytes, NDArray[np.float32]] = {}
    for pair, activation in zip(pairs, largest, strict=True):
        read = np.max([np.abs(weights[product.input[1]]).max(axis=1) for product in pair.products], axis=0)
        whole = np.sqrt(np.maximum(activation, 1e-8) / np.maximum(read, 1e-8))
        scale = np.clip(whole / np.median(whole), 1 / _MOST, _MOST).astype(np.float32)
        found |= {weights[product.input[1]].tobytes(): scale for product in pair.products}
    return found


def apply(model: onnx.ModelProto, known: Factors) -> None:
    """Divide channels and multiply weights where ``model`` holds the products that ``known`` speaks of."""
    weights = _weights(model)
    for number, pair in enumerate(list(_pairs(model, weights))):
        scales = [known.get(weights[product.input[1]].tobytes()) for product in pair.products]
        scale = scales[0]
        if scale is None or any(other is not scale for other in scales):
            continue
        for place in range(1, len(pair.norm.input)):
            _replace(model, pair.norm, place, weights[pair.norm.input[place]] / scale, f"level_{number}_{place}")
        for count, product in enumerate(pair.products):
            _replace(model, product, 1, weights[product.input[1]] * scale[:, None], f"level_{number}_weights_{count}")
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _weights(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    floats = (tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in floats}


def _pairs(model: onnx.ModelProto, weights: Mapping[str, NDArray[np.float32]]) -> Iterator[_Pair]:
    """Yield the normalisations that only products with constant weights read."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in model.graph.node:
        if node.op_type != "LayerNormalization" or not all(name in weights for name in node.input[1:]):
            continue
        found = list(_read_by(node.output[0], readers))
        if found and all(
            product.op_type == "MatMul" and product.input[0] == name and product.input[1] in weights
            for name, product in found
        ):
            yield _Pair(node, [product for _, product in found])


def _read_by(name: str, readers: Mapping[str, list[onnx.NodeProto]]) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Yield under which name each node reads a tensor, also behind the casts that end OpenCLIP's normalisation."""
    for node in readers.get(name, []):
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT:
            yield from _read_by(node.output[0], readers)
        elif node.op_type != "Shape":  # it reads no values
            yield name, node


def _largest(
    model: onnx.ModelProto, names: Sequence[str], pixels: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Return the greatest absolute value of each channel of tensors (..., channels)."""
    if not names:
        return []
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(seen.SerializeToString(), options, providers=["CPUExecutionProvider"])
    most: list[NDArray[np.float32]] = []
    for picture in pixels[:_PICTURES]:
        made = session.run(list(names), {"pixels": picture[None]})
        values = [np.abs(value).max(axis=tuple(range(value.ndim - 1))) for value in made]
        most = [np.maximum(one, other) for one, other in zip(most or values, values, strict=True)]
    return most


def _replace(model: onnx.ModelProto, node: onnx.NodeProto, place: int, values: NDArray[np.float32], name: str) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
    node.input[place] = name
