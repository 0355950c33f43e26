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
from onnxruntime import quantization

_CALIBRATION = 64


def quantised(model: onnx.ModelProto, pixels: Sequence[NDArray[np.uint8]]) -> onnx.ModelProto:
    """Return the graph with int8 weights, a scale for each channel.

    Transformers: matrix products with scales of the activations found at run time. Convolutional towers: scales of the
    activations from ``pixels``, for finding them at run time costs more than int8 saves.
    """
    convolutional = sum(node.op_type == "Conv" for node in model.graph.node) > 1  # the first cuts patches
    with tempfile.TemporaryDirectory() as scratch:
        given, clean, made = (Path(scratch, name) for name in ("given.onnx", "clean.onnx", "made.onnx"))
        onnx.save(model, str(given))
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # the quantizer advises what is done here already
        try:
            quantization.shape_inference.quant_pre_process(str(given), str(clean), skip_symbolic_shape=True)
            if convolutional:
                quantization.quantize_static(
                    str(clean),
                    str(made),
                    _Reader(pixels[:_CALIBRATION]),
                    op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                    per_channel=True,
                    extra_options={"CalibMovingAverage": True},
                )
            else:
                quantization.quantize_dynamic(
                    str(clean),
                    str(made),
                    op_types_to_quantize=["MatMul", "Gemm"],
                    per_channel=True,
                    weight_type=quantization.QuantType.QInt8,
                )
        finally:
            logging.root.setLevel(level)
        return onnx.load(str(made))


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(pixels)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next picture."""
        picture = next(self._left, None)
        return None if picture is None else {"pixels": picture[None]}
