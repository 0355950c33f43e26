"""What runs an ONNX graph: onnxruntime on a processor or an accelerator, or OpenVINO (extra ``fast``)."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput, MissingExtra, ModelError
from wordsight.machine import cores

Tower: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
"""Takes the graph's inputs by name and returns one output; may be called from several threads at once."""

ENVIRONMENT = "WORDSIGHT_RUNTIME"
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""Accelerators that an onnxruntime may have been built for."""

RUNTIMES = ("auto", "onnxruntime", "openvino", "openvino-fp32", *PROVIDERS)
"""``openvino`` computes in bfloat16 where the processor does, ``openvino-fp32`` never."""

_WEIGHTS = "session.model_external_initializers_file_folder_path"


class Plan(NamedTuple):
    """Which runtime runs an image tower, and how many pictures at a time."""

    runtime: str
    batch: int


# Small batches stay in the cache: on the processors measured, they are a third faster than batches of 32.
BATCHES = {"onnxruntime": 2, "openvino": 4, "openvino-fp32": 4, "cuda": 16, "coreml": 8, "directml": 8}


def wanted_runtime(given: str | None = None) -> str:
    """Return the runtime that is ``given``, or that ``$WORDSIGHT_RUNTIME`` names, or "auto".

    Raises ``BadInput`` for another value and for an accelerator that this onnxruntime was not built for, and
    ``MissingExtra`` when OpenVINO is asked for but not installed.
    """
    wanted = given or os.environ.get(ENVIRONMENT) or "auto"
    if wanted not in RUNTIMES:
        raise BadInput(f"{ENVIRONMENT}={wanted}: expected one of {', '.join(RUNTIMES)}")
    if wanted.startswith("openvino") and not _has_openvino():
        raise MissingExtra("the OpenVINO runtime", "fast")
    if wanted in PROVIDERS and wanted not in available():
        raise BadInput(
            f"{wanted} was asked for, but the onnxruntime that is installed runs on {', '.join(available())} only: "
            f"install the one for {wanted} (onnxruntime-gpu, onnxruntime-directml) in its place"
        )
    return wanted


def available() -> tuple[str, ...]:
    """Return the runtimes that are here; "onnxruntime" first."""
    import onnxruntime

    there = set(onnxruntime.get_available_providers())
    accelerators = [name for name, provider in PROVIDERS.items() if provider in there]
    return ("onnxruntime", *(("openvino", "openvino-fp32") if _has_openvino() else ()), *accelerators)


def usual_plan(*, int8: bool = False) -> Plan:
    """Return what is good without a trial: OpenVINO where it is installed, but not for ``int8``.

    On processors without instructions for int8, OpenVINO takes twice as long for such a graph.
    """
    name = "openvino" if _has_openvino() and not int8 else "onnxruntime"
    return Plan(name, BATCHES[name])


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def open_tower(
    file: Path, output: str, *, runtime: str = "onnxruntime", optimize: str = "all", weights: Path | None = None
) -> Tower:
    """Load ``file`` and return the function that computes its ``output``; raises ``ModelError`` when it cannot be.

    ``optimize``: "all", or "basic" for a graph that gains nothing from more and should start soon (onnxruntime only).
    ``weights``: the folder of the file of weights, where that is not the graph's (onnxruntime only).
    """
    try:
        if runtime.startswith("openvino"):
            return _open_openvino(file, output, half=runtime == "openvino")
        return _open_onnxruntime(file, output, optimize, PROVIDERS.get(runtime), weights)
    except Exception as error:  # the runtimes' exceptions share no public base
        raise ModelError(f"{file} cannot be loaded by {runtime}: {error}") from error


def _open_onnxruntime(file: Path, output: str, optimize: str, accelerator: str | None, weights: Path | None) -> Tower:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if optimize == "basic":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings of the runtime are no concern of the user's
    providers = [*([accelerator] if accelerator else []), "CPUExecutionProvider"]
    session = None
    if optimize == "all" and weights is None:
        from wordsight.encoders.onnx_rows import lean  # a search with a shipped model need not wait for it

        if graph := lean(file, output):
            with suppress(Exception):  # what was not understood of a graph shows when it is loaded: as it is, then
                options.add_session_config_entry(_WEIGHTS, str(file.parent))
                session = onnxruntime.InferenceSession(graph, options, providers=providers)
    if session is None:
        session = onnxruntime.InferenceSession(graph_of(file, options, weights), options, providers=providers)
    asked = onnxruntime.RunOptions()
    asked.only_execute_path_to_fetches = True  # of a graph that holds both towers, run one

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run([output], dict(inputs), asked)[0]
        return result

    return run


def graph_of(file: Path, options: Any, weights: Path | None) -> str | bytes:
    """Return what to open a session of onnxruntime with: ``file``, or its bytes where ``weights`` lie elsewhere.

    A graph on disk may name weights beside itself only. ``options``, which are changed, say where those of bytes are.
    """
    if weights is None:
        return str(file)
    options.add_session_config_entry(_WEIGHTS, str(weights))
    return file.read_bytes()


def _openvino() -> Any:
    """Import OpenVINO without its companion that reports each import to its makers: nothing leaves the machine."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "not there": OpenVINO does without
    import openvino

    return openvino


def _open_openvino(file: Path, output: str, *, half: bool) -> Tower:
    openvino = _openvino()
    core = openvino.Core()
    settings = {"NUM_STREAMS": str(cores()), "INFERENCE_NUM_THREADS": str(cores()), "INFERENCE_PRECISION_HINT": "f32"}
    if half and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        settings["INFERENCE_PRECISION_HINT"] = "bf16"  # twice as fast, cosine 0.999 to float32
    model = core.compile_model(_folded(_one_output(core.read_model(file), output)), "CPU", settings)
    known = {name for given in model.inputs for name in given.names}
    own = threading.local()  # a request serves one call at a time

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        for name in known & inputs.keys():
            # Shared memory, set by hand: the wrapper's copying under the interpreter lock can hang two threads.
            own.request.set_tensor(name, openvino.Tensor(np.ascontiguousarray(inputs[name]), shared_memory=True))
        own.request.start_async()
        own.request.wait()
        return np.array(own.request.get_tensor(output).data, np.float32)  # a copy: the request reuses its memory

    return run


def _folded(model: Any) -> Any:
    """Widen narrow weights before the model is compiled; a model that computes in int8 stays as it is.

    Compiling for several streams folds constants in several threads, which ends in wrong weights one time in four where
    more than a cast is to be folded (OpenVINO 2026.4).
    """
    if not any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
        from openvino.passes import ConstantFolding, Manager

        manager = Manager()
        manager.register_pass(ConstantFolding())
        manager.run_passes(model)
    return model


def _one_output(model: Any, output: str) -> Any:
    """Return the part of the model that computes ``output``: it may hold both towers."""
    if len(model.outputs) == 1:
        return model
    result = model.output(output).get_node()
    needed, rest = set(), [result]
    while rest:
        node = rest.pop()
        if node.get_friendly_name() not in needed:
            needed.add(node.get_friendly_name())
            rest += [value.get_node() for value in node.input_values()]
    inputs = [given for given in model.get_parameters() if given.get_friendly_name() in needed]
    return _openvino().Model([result], inputs, output)
