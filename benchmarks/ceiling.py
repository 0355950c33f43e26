"""How many pictures a second a processor allows at most: the work of a tower, over the fastest products it can do.

``python -m benchmarks.ceiling MODEL.onnx`` prints both. Products are those of ViT-B/32's layers for eight pictures, and
a large square one, in onnxruntime and in numpy, on all cores at once; the fastest of all counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from wordsight.comparison.counting import count_tower
from wordsight.machine import cores

_ROWS, _WIDTH = 8 * 50, 768
_SHAPES = ((_ROWS, _WIDTH, 3 * _WIDTH), (_ROWS, _WIDTH, 4 * _WIDTH), (_ROWS, 4 * _WIDTH, _WIDTH), (2048, 2048, 2048))
_SECONDS, _ROUNDS = 0.4, 3


def gigaflops(graph: Path, side: int) -> float:
    """Return the operations of one picture, a multiplication and an addition counting two, in 10^9."""
    products = count_tower(graph, side).multiply_adds
    assert products is not None
    return 2 * products / 1e9


def peak() -> dict[str, float]:
    """Return 10^9 operations a second on all cores: library and shape -> the best of some rounds."""
    found = {}
    for rows, inner, columns in _SHAPES:
        work = 2 * rows * inner * columns / 1e9
        told = f"{rows} x {inner} by {inner} x {columns}"
        found[f"onnxruntime, {told}"] = work * _most(_product(rows, inner, columns), cores())
        found[f"numpy, {told}"] = work * _most(_numpy_product(rows, inner, columns), 1)  # threads of its own
    return found


def _product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    weights = numpy_helper.from_array(_random(inner, columns), "w")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product", values[:1], values[1:], [weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {"x": _random(rows, inner)}
    return lambda: session.run(None, given)


def _numpy_product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    left, right, out = _random(rows, inner), _random(inner, columns), np.empty((rows, columns), np.float32)
    return lambda: np.matmul(left, right, out=out)


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def _most(step: Callable[[], object], threads: int) -> float:
    """Return steps a second of so many threads together."""

    def repeat(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            step()
            done += 1
        return done

    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            done = sum(pool.map(repeat, [start + _SECONDS] * threads))
            rates.append(done / (time.perf_counter() - start))
    return max(rates)


if __name__ == "__main__":
    print(f"{gigaflops(Path(sys.argv[1]), 224):.3f} GFLOP a picture")
    for name, value in peak().items():
        print(f"{value:7.1f} GFLOP/s: {name}")
