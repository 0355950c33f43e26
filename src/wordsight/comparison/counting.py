"""Parameters and multiply-adds of a model folder, counted from what onnxruntime says each node takes and gives."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wordsight.encoders.runtime import graph_of

_TOKENS = 8  # a short query with its sentence around it
_UNCOUNTED = frozenset({"Attention", "MultiHeadAttention", "QAttention", "LSTM", "GRU", "Einsum", "ConvTranspose"})


@dataclass(frozen=True, slots=True)
class Count:
    """``parameters`` in products, normalisations and tables; ``multiply_adds`` of one run; ``None``: not known."""

    parameters: int
    multiply_adds: int | None


def count_tower(graph: Path, side: int, weights: Path | None = None) -> Count:
    """Run the graph once on zeros, pictures of ``side`` pixels or 8 tokens, and count; raises what onnxruntime raises.

    ``weights``: the folder of the graph's file of weights, where that is not its own. Products are those of Conv, Gemm,
    MatMul and its forms with weights in 8 bits. Fused attention and recurrent nodes are not known.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.enable_profiling = True
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(graph_of(graph, options, weights), options, providers=["CPUExecutionProvider"])
        session.run(None, {given.name: _zeros(given.shape, given.type, side) for given in session.get_inputs()})
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    nodes = [event["args"] for event in events if event.get("cat") == "Node" and "output_type_shape" in event["args"]]
    return count_nodes(nodes)


def count_nodes(nodes: Sequence[Mapping[str, Any]]) -> Count:
    """Count nodes given as onnxruntime's profile does: ``op_name``, ``input_type_shape``, ``output_type_shape``."""
    parameters, products, known = 0, 0, True
    for node in nodes:
        op = node["op_name"]
        inputs, outputs = _shapes(node["input_type_shape"]), _shapes(node["output_type_shape"])
        known = known and op not in _UNCOUNTED
        if op in ("Conv", "Gemm", "LayerNormalization"):
            parameters += sum(math.prod(shape) for shape in inputs[1:])
        if op == "Conv":
            products += math.prod(outputs[0]) * math.prod(inputs[1][1:])
        elif op in ("Gemm", "MatMul"):
            products += math.prod(outputs[0]) * inputs[0][-1]
        elif op in ("MatMulNBits", "MatMulIntegerToFloat"):
            products += math.prod(outputs[0]) * inputs[0][-1]
            parameters += outputs[0][-1] * inputs[0][-1]
        elif op == "Gather" and len(inputs[0]) == 2 and len(outputs[0]) > 1:
            parameters += math.prod(inputs[0])  # a table of embeddings
    return Count(parameters, products if known else None)


def _shapes(described: Sequence[Mapping[str, Sequence[int]]]) -> list[list[int]]:
    return [list(shape) for entry in described for shape in entry.values()]


def _zeros(shape: Sequence[int | str | None], kind: str, side: int) -> np.ndarray[Any, Any]:
    """Return zeros for an input whose named dimensions are free: of pictures height and width, of texts the tokens."""
    free = side if len(shape) == 4 else _TOKENS
    sizes = [size if isinstance(size, int) else 1 if place == 0 else free for place, size in enumerate(shape)]
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}.get(kind, np.int32)
    return np.zeros(sizes, dtype) if len(shape) == 4 else np.ones(sizes, dtype)
