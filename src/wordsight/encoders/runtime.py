"""What runs an ONNX graph: onnxruntime, or OpenVINO (extra ``fast``) for image towers where it is installed."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput, MissingExtra, ModelError

Tower: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
"""Takes the graph's inputs by name and returns one output; may be called from several threads at once."""

ENVIRONMENT = "WORDSIGHT_RUNTIME"
RUNTIMES = ("auto", "onnxruntime", "openvino")


def chosen_runtime() -> str:
    """Return "onnxruntime" or "openvino", as ``$WORDSIGHT_RUNTIME`` says; "auto" takes OpenVINO where it is installed.

    Raises ``BadInput`` for another value and ``MissingExtra`` when OpenVINO is asked for but not installed.
    """
    wanted = os.environ.get(ENVIRONMENT, "auto")
    if wanted not in RUNTIMES:
        raise BadInput(f"{ENVIRONMENT}={wanted}: expected one of {', '.join(RUNTIMES)}")
    installed = importlib.util.find_spec("openvino") is not None
    if wanted == "openvino" and not installed:
        raise MissingExtra("the OpenVINO runtime", "fast")
    return "openvino" if installed and wanted != "onnxruntime" else "onnxruntime"


def open_tower(file: Path, output: str, *, runtime: str = "onnxruntime", optimize: str = "all") -> Tower:
    """Load ``file`` and return the function that computes its ``output``; raises ``ModelError`` when it cannot be.

    ``optimize``: "all", or "basic" for a graph that gains nothing from more and should start soon (onnxruntime only).
    """
    try:
        return _open_openvino(file, output) if runtime == "openvino" else _open_onnxruntime(file, output, optimize)
    except Exception as error:  # the runtimes' exceptions share no public base
        raise ModelError(f"{file} cannot be loaded by {runtime}: {error}") from error


def _open_onnxruntime(file: Path, output: str, optimize: str) -> Tower:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if optimize == "basic":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings of the runtime are no concern of the user's
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run([output], dict(inputs))[0]
        return result

    return run


def _open_openvino(file: Path, output: str) -> Tower:
    import openvino

    core = openvino.Core()
    streams = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    settings = {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": str(streams)}
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        settings["INFERENCE_PRECISION_HINT"] = "bf16"  # twice as fast, cosine 0.999 to float32
    model = core.compile_model(core.read_model(file), "CPU", settings)
    own = threading.local()  # a request serves one call at a time

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        for name, values in inputs.items():
            # Shared memory, set by hand: the wrapper's copying under the interpreter lock can hang two threads.
            own.request.set_tensor(name, openvino.Tensor(np.ascontiguousarray(values), shared_memory=True))
        own.request.start_async()
        own.request.wait()
        return np.array(own.request.get_tensor(output).data, np.float32)  # a copy: the request reuses its memory

    return run
