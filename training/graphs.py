"""A small writer of ONNX graphs: nodes in order, initializers by value, stored narrow and widened in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8  # read by every onnxruntime since 1.14
MICROSOFT = "com.microsoft"


def to_int8(weight: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric, one scale for each index of the other axis: weight ~ values * scale."""
    scale = np.maximum(np.abs(weight).max(axis, keepdims=True), 1e-8) / 127
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)


def to_int8_pairs(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(out, in) with an even `in`, symmetric, one scale for each output: no two neighbours together exceed 128.

    Processors without VNNI add the products of two neighbours and bytes up to 255 in 16 bits, which hold just that: the
    sums are the same everywhere.
    """
    size = np.abs(weight)
    scale = np.maximum(size.max(1), (size[:, ::2] + size[:, 1::2]).max(1)).clip(1e-8) / 127
    return np.round(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


class Graph:
    """Collects nodes; every method gives the name of the value it makes."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: int, shape: Sequence[str | int]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[str | int], kind: int = TensorProto.FLOAT) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def add(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        names = [f"v{len(self.nodes)}" if i == 0 else f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: NDArray[Any] | float | Sequence[int], name: str | None = None) -> str:
        """Exactly as given; Python numbers become float32, sequences of them int64."""
        if isinstance(value, float):
            value = np.array(value, np.float32)
        array = np.asarray(value)
        name = name or f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def half(self, value: NDArray[np.float32]) -> str:
        """Stored as float16, used as float32; onnxruntime folds the cast when it opens the file."""
        limit = float(np.abs(value).max(initial=0))
        if limit > 60_000:
            raise ValueError(f"a weight of {limit:g} does not fit in float16")
        return self.add("Cast", self.constant(value.astype(np.float16)), to=TensorProto.FLOAT)

    def byte(self, value: NDArray[np.float32]) -> str:
        """Stored as int8 with a scale for each index of the first axis, used as float32; folded like `half`.

        The reshaping is on purpose: OpenVINO takes a kernel that is widened and scaled in place for a quantised one,
        and with two streams computes something else with it (2026.4: cosine 0.3 to the right result).
        """
        rows, scale = to_int8(value.reshape(len(value), -1), axis=1)
        wide = self.add("Cast", self.constant(rows), to=TensorProto.FLOAT)
        return self.add("Reshape", self.add("Mul", wide, self.constant(scale)), self.constant(list(value.shape)))

    def unit_length(self, x: str) -> str:
        length = self.add("ReduceL2", x, axes=[-1], keepdims=1)
        return self.add("Div", x, self.add("Max", length, self.constant(1e-12)))

    def model(self, metadata: dict[str, str] | None = None) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, list(self.constants.values()))
        domains = {node.domain for node in self.nodes} | {""}
        opsets = [helper.make_opsetid(d, OPSET if d == "" else 1) for d in sorted(domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="wordsight")
        helper.set_model_props(model, metadata or {})
        onnx.checker.check_model(model)
        return model
