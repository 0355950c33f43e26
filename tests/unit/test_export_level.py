"""Channels that stand out, levelled before a transformer is exported in 8 bits: the same function, less rounding."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="needs onnx, which comes with the extra test")

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from wordsight.encoders import export_level  # noqa: E402
from wordsight.encoders.export_int8 import quantised  # noqa: E402

WIDTH, DIM = 32, 16
PIXELS = list(np.random.default_rng(1).integers(0, 256, (24, 4, 4, 3), np.uint8))


def transformer(*, two_readers: bool = False) -> onnx.ModelProto:
    """Pixels -> tokens -> layer normalisation -> product -> mean; two channels are a hundred times the others."""
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.5, 1.5, WIDTH)
    gain[[3, 20]] *= 100
    weights = rng.normal(size=(WIDTH, DIM))
    weights[[3, 20]] /= 100
    values = {
        "embed": rng.normal(size=(3, WIDTH)) / 100,
        "gain": gain,
        "shift": rng.normal(size=WIDTH) * gain / 10,
        "weights": weights,
        "weights2": weights[::-1].copy(),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["places"]),
        helper.make_node("MatMul", ["places", "embed"], ["tokens"]),
        helper.make_node("LayerNormalization", ["tokens", "gain", "shift"], ["norm"], name="norm"),
        helper.make_node("Cast", ["norm"], ["cast"], to=TensorProto.FLOAT),  # as OpenCLIP's own normalisation does
        helper.make_node("Shape", ["cast"], ["unused"]),
        helper.make_node("MatMul", ["cast", "weights"], ["made"]),
        helper.make_node("MatMul", ["norm", "weights2"], ["made2"]),
        helper.make_node("Add", ["made", "made2"], ["sum"]),
        helper.make_node("ReduceMean", ["sum"], ["embedding"], axes=[1], keepdims=0),
    ]
    if two_readers:
        nodes[-2] = helper.make_node("Concat", ["norm", "made", "made2"], ["sum"], axis=2)
    tensors = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in values.items()]
    tensors.append(numpy_helper.from_array(np.array([0, 16, 3]), "shape"))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 4, 4, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", None])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def vectors(model: onnx.ModelProto) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"pixels": np.stack(PIXELS)})[0]


def levelled(**given: bool) -> onnx.ModelProto:
    model = transformer(**given)
    export_level.apply(model, export_level.factors(model, PIXELS))
    return model


def test_it_computes_the_same() -> None:
    want, model = vectors(transformer()), levelled()
    np.testing.assert_allclose(vectors(model), want, atol=1e-4 * np.abs(want).max())
    assert "weights" not in {tensor.name for tensor in model.graph.initializer}  # what nobody reads is gone


def test_channels_are_alike_afterwards() -> None:
    ranges = []
    for model in (transformer(), levelled()):
        (norm,) = (node for node in model.graph.node if node.op_type == "LayerNormalization")
        gain = next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == norm.input[1])
        ranges.append(np.abs(gain).max() / np.median(np.abs(gain)))
    assert ranges[1] < ranges[0] / 4


def test_eight_bits_lose_less() -> None:
    want = vectors(transformer())
    errors = [np.abs(vectors(quantised(model, PIXELS)) - want).mean() for model in (transformer(), levelled())]
    assert errors[1] < 0.5 * errors[0]


def test_a_normalisation_that_others_read_stays() -> None:
    model = transformer(two_readers=True)
    assert export_level.factors(model, PIXELS) == {}
    assert levelled(two_readers=True).graph == model.graph


def test_another_graph_with_the_same_weights_is_levelled_alike() -> None:
    image, places = transformer(), transformer()
    places.graph.node.pop()  # the sum of all places, before the mean
    places.graph.output[0].name = "sum"
    known = export_level.factors(image, PIXELS)
    for model in (image, places):
        export_level.apply(model, known)
    assert {t.raw_data for t in image.graph.initializer} == {t.raw_data for t in places.graph.initializer}
