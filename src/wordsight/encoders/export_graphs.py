"""ONNX graphs after torch wrote them: weights stored narrow, and once for all graphs that share them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wordsight.errors import ModelError

LEAST = 1024
"""Bytes. Smaller constants stay in the graph, in float32: they are shapes, scales and biases."""

_HALF_LIMIT = 65_504


def narrow(model: onnx.ModelProto, precision: str) -> None:
    """Store the large float32 constants as "fp16" or "bf16" and widen them by a Cast, which runtimes fold at load.

    Raises ``ModelError`` for a weight that half precision cannot hold.
    """
    kind = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}[precision]
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.raw_data) < LEAST:
            continue
        values = numpy_helper.to_array(tensor)
        stored = f"{tensor.name}_{precision}"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        tensor.raw_data = _rounded(values, precision, tensor.name).tobytes()
        tensor.data_type, tensor.name = kind, stored
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _rounded(values: NDArray[np.float32], precision: str, name: str) -> NDArray[np.generic]:
    if precision == "fp16":
        if np.abs(values).max(initial=0) > _HALF_LIMIT:
            raise ModelError(f"the weight {name} does not fit into fp16: export with --precision bf16")
        return values.astype(np.float16)
    bits = np.ascontiguousarray(values).view(np.uint32)  # bfloat16 is the upper half; rounded to nearest, ties to even
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def move_weights(models: Mapping[str, onnx.ModelProto], folder: Path, weights: str, least: int = LEAST) -> None:
    """Write several graphs whose equal constants (of ``least`` bytes or more) lie once in one file beside them."""
    places: dict[bytes, tuple[int, int]] = {}
    with (folder / weights).open("wb") as file:
        for name, model in models.items():
            for tensor in model.graph.initializer:
                raw = tensor.raw_data
                if len(raw) < least:
                    continue
                if raw not in places:
                    file.write(b"\0" * (-file.tell() % 64))
                    places[raw] = (file.tell(), len(raw))
                    file.write(raw)
                offset, length = places[raw]
                onnx.external_data_helper.set_external_data(tensor, weights, offset=offset, length=length)
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
            (folder / name).write_bytes(model.SerializeToString())


def borrow_weights(model: onnx.ModelProto, sibling: Path, graph: str, folder: Path, least: int = LEAST) -> None:
    """Write a graph whose constants, as far as the graph of that name in ``sibling`` has them, stay in its weights.

    The others, such as a head of its own, go into the graph's file. Raises ``ValueError`` if fewer than half of the
    bytes are there already: then it is no relative, and should have weights of its own.
    """
    known = _places(sibling, graph)
    total = borrowed = 0
    for tensor in model.graph.initializer:
        raw = tensor.raw_data
        total += len(raw)
        if len(raw) >= least and raw in known:
            borrowed += len(raw)
            location, offset = known[raw]
            onnx.external_data_helper.set_external_data(tensor, location, offset, len(raw))
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    if 2 * borrowed < total:
        raise ValueError(f"{sibling / graph} has only {borrowed:,} of {total:,} bytes of these weights")
    (folder / graph).write_bytes(model.SerializeToString())


def _places(folder: Path, graph: str) -> dict[bytes, tuple[str, int]]:
    """Return where the graph's constants lie in files beside it: bytes -> file and offset."""
    files: dict[str, bytes] = {}
    places = {}
    for tensor in onnx.load(folder / graph, load_external_data=False).graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            info = onnx.external_data_helper.ExternalDataInfo(tensor)
            start, length = info.offset or 0, info.length or 0
            if info.location not in files:
                files[info.location] = (folder / info.location).read_bytes()
            places[files[info.location][start : start + length]] = (info.location, start)
    return places
