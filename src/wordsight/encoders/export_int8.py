"""Image towers in whole numbers of 8 bits."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

_CALIBRATION = 64


FIXED, FOUND = "fixed", "found"
"""How scales of activations are had: from calibration pictures, or for each run anew."""


def quantised(model: onnx.ModelProto, pixels: Sequence[NDArray[np.uint8]], method: str = FIXED) -> onnx.ModelProto:
    """Return the graph with int8 weights, a scale for each channel, by one of ``methods(model)``.

    Products of attention stay float32: they are two hundredths of the work. Weights use seven of the eight bits:
    processors without instructions for int8 (VNNI) add products in pairs, in 16 bits, and would silently cut off
    larger sums.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, clean, made = (Path(scratch, name) for name in ("given.onnx", "clean.onnx", "made.onnx"))
        onnx.save(model, str(given))
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # the quantizer advises what is done here already
        try:
            quantization.shape_inference.quant_pre_process(str(given), str(clean), skip_symbolic_shape=True)
            if method == FIXED:
                quantization.quantize_static(
                    str(clean),
                    str(made),
                    _Reader(pixels[:_CALIBRATION]),
                    op_types_to_quantize=_inner(model),
                    per_channel=True,
                    reduce_range=True,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    extra_options={
                        "CalibMovingAverage": True,
                        "MatMulConstBOnly": True,
                        "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],  # sums stay as exact as they are
                    },
                )
            else:
                quantization.quantize_dynamic(
                    str(clean),
                    str(made),
                    op_types_to_quantize=["MatMul", "Gemm"],
                    per_channel=True,
                    reduce_range=True,
                    weight_type=quantization.QuantType.QInt8,
                )
        finally:
            logging.root.setLevel(level)
        return onnx.load(str(made))


def methods(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return what may serve, the fastest first; convolutions lose more time by finding scales than int8 saves."""
    return (FIXED,) if _is_convolutional(model) else (FIXED, FOUND)


def _inner(model: onnx.ModelProto) -> list[str]:
    """Return the operators to quantise: a transformer's one convolution cuts patches out of pixels, and stays."""
    return ["Conv", "MatMul", "Gemm"] if _is_convolutional(model) else ["MatMul", "Gemm"]


def _is_convolutional(model: onnx.ModelProto) -> bool:
    return len([node for node in model.graph.node if node.op_type == "Conv"]) > 1


def share_weights(model: onnx.ModelProto, original: onnx.ModelProto, small: onnx.ModelProto) -> None:
    """Let ``model`` compute in float32 with the weights of ``small``, where it holds weights of ``original``.

    ``small`` is ``quantised(original)``. Its weights are widened by Cast and Mul, which runtimes fold at load.
    """
    made = {tensor.name: tensor for tensor in small.graph.initializer}
    known = {tensor.raw_data: tensor.name for tensor in original.graph.initializer}
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        name = known.get(tensor.raw_data, "")
        found = made.get(f"{name}_quantized")
        if found is None or found.data_type != TensorProto.INT8:  # the quantizer makes biases int32
            kept.append(tensor)
            continue
        whole, scale = numpy_helper.to_array(found), numpy_helper.to_array(made[f"{name}_scale"])
        factors = _along_channels(numpy_helper.to_array(tensor), whole, scale)
        stored, wide, factor = (f"{tensor.name}_{part}" for part in ("int8", "wide", "factor"))
        kept.append(numpy_helper.from_array(whole, stored))
        nodes += [
            helper.make_node("Constant", [], [factor], value=numpy_helper.from_array(factors)),
            helper.make_node("Cast", [stored], [wide], to=TensorProto.FLOAT),
            helper.make_node("Mul", [wide, factor], [tensor.name]),
        ]
    nodes += model.graph.node
    for field, values in ((model.graph.initializer, kept), (model.graph.node, nodes)):
        copied = list(values)
        del field[:]
        field.extend(copied)


def _along_channels(
    values: NDArray[np.float32], whole: NDArray[np.int8], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``scale`` shaped to multiply ``whole``: along its first or last axis, whichever gives ``values``."""
    shapes = [(-1, *[1] * (whole.ndim - 1)), (*[1] * (whole.ndim - 1), -1)]
    ends = zip(shapes, (whole.shape[0], whole.shape[-1]), strict=True)
    fitting = [scale.reshape(shape) for shape, length in ends if scale.size in (1, length)]
    return min(fitting, key=lambda factors: float(np.abs(whole * factors - values).max()))


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(pixels)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next picture."""
        picture = next(self._left, None)
        return None if picture is None else {"pixels": picture[None]}
