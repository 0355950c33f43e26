"""Graphs are opened without the work that their output does not need, and give the same vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="comes with the extra test")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static  # noqa: E402

from wordsight.encoders.onnx_graph import read  # noqa: E402
from wordsight.encoders.onnx_rows import lean  # noqa: E402
from wordsight.encoders.runtime import open_tower  # noqa: E402

WIDTH, TOKENS, SIDE = 96, 5, 8
PIXELS = np.random.default_rng(1).standard_normal((3, TOKENS, SIDE)).astype(np.float32)


class Builder:
    """Two layers of a transformer over rows of a picture, as exporters write them."""

    def __init__(self, *, tokens_first: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(0)
        self.swap = tokens_first

    def add(self, kind: str, *inputs: str | NDArray[np.generic], name: str = "", **attributes: object) -> str:
        given = []
        for value in inputs:
            if isinstance(value, np.ndarray):
                self.weights.append(numpy_helper.from_array(value, f"w{len(self.weights)}"))
                value = self.weights[-1].name
            given.append(value)
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, given, [name], **attributes))
        return name

    def random(self, *shape: int) -> NDArray[np.float32]:
        return (self.rng.standard_normal(shape) * 0.2).astype(np.float32)

    def linear(self, x: str, rows: int, columns: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.random(rows, columns)), self.random(columns))

    def norm(self, x: str) -> str:
        return self.add("LayerNormalization", x, np.ones(WIDTH, np.float32), self.random(WIDTH), axis=-1)

    def layer(self, x: str) -> str:
        rows = self.norm(x)
        query, key = (self.linear(rows, WIDTH, WIDTH) for _ in range(2))
        if self.swap:
            query, key = (self.add("Transpose", each, perm=[1, 0, 2]) for each in (query, key))
        scores = self.add("Softmax", self.add("MatMul", query, self.add("Transpose", key, perm=[0, 2, 1])), axis=-1)
        value = self.linear(rows, WIDTH, WIDTH)
        value = self.add("Transpose", value, perm=[1, 0, 2]) if self.swap else value
        mixed = self.add("MatMul", scores, value)
        mixed = self.add("Transpose", mixed, perm=[1, 0, 2]) if self.swap else mixed
        x = self.add("Add", x, self.linear(mixed, WIDTH, WIDTH))
        wide = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        gated = self.add("Mul", wide, self.add("Sigmoid", self.add("Mul", wide, np.float32([1.702]))))
        return self.add("Add", x, self.linear(gated, 4 * WIDTH, WIDTH))

    def save(self, file: Path, first: int = 0) -> Path:
        """Write pixels (n, tokens, side) -> embedding (n, 16), and all rows after the last layer as ``rows``."""
        x = self.add("Add", self.linear("pixels", SIDE, WIDTH), self.random(TOKENS, WIDTH))
        x = self.add("Transpose", x, perm=[1, 0, 2]) if self.swap else x
        for _ in range(2):
            x = self.layer(x)
        x = self.add("Transpose", x, perm=[1, 0, 2]) if self.swap else x
        x = self.add("Identity", x, name="rows")
        picked = self.add("Gather", x, np.asarray(first, np.int64), axis=1)
        self.add("MatMul", self.norm(picked), self.random(WIDTH, 16), name="embedding")
        sides = {"pixels": ["n", TOKENS, SIDE], "rows": ["n", TOKENS, WIDTH], "embedding": ["n", 16]}
        values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in sides.items()}
        outputs = [values["embedding"], values["rows"]]
        graph = helper.make_graph(self.nodes, "tower", [values["pixels"]], outputs, self.weights)
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="x" * 3), str(file))
        return file


def in_8_bits(file: Path) -> Path:
    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.waiting = [{"pixels": PIXELS}]

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return self.waiting.pop() if self.waiting else None

    small = file.with_name("small.onnx")
    quantize_static(str(file), str(small), Pictures(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul"])
    return small


def plainly(file: Path, output: str) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return np.asarray(session.run([output], {"pixels": PIXELS})[0])


def narrowed(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(graph).graph.node if "first" in node.output[0]]


@pytest.mark.parametrize("tokens_first", [False, True])
@pytest.mark.parametrize("bits", [32, 8])
def test_only_the_first_row_of_the_last_layer_is_computed(tokens_first: bool, bits: int, tmp_path: Path) -> None:
    file = Builder(tokens_first=tokens_first).save(tmp_path / "tower.onnx")
    file = file if bits == 32 else in_8_bits(file)
    graph = lean(file, "embedding")
    assert graph is not None
    assert narrowed(graph).count("MatMul") == 3  # out of attention, and the two of the last layer's second half
    assert narrowed(graph).count("Gather") == 2  # of what attention mixed, and of what goes past it
    got = open_tower(file, "embedding")({"pixels": PIXELS})
    np.testing.assert_allclose(got, plainly(file, "embedding"), atol=1e-5)


def test_large_weights_stay_where_they_are(tmp_path: Path) -> None:
    file = Builder(tokens_first=False).save(tmp_path / "tower.onnx")
    graph = lean(file, "embedding")
    assert graph is not None
    large = [each for each in onnx.load(str(file)).graph.initializer if len(each.raw_data) >= 1 << 16]
    assert len(large) == 4
    assert len(graph) < file.stat().st_size - sum(len(each.raw_data) for each in large) + 4_000
    found = {each.name: {entry.key: entry.value for entry in each.external_data} for each in _weights(graph)}
    content = file.read_bytes()
    for each in large:
        place = found[each.name]
        start = int(place["offset"])
        assert place["location"] == "tower.onnx"
        assert content[start : start + int(place["length"])] == each.raw_data


def _weights(graph: bytes) -> list[onnx.TensorProto]:
    return [each for each in onnx.load_from_string(graph).graph.initializer if each.external_data]


def test_rows_that_are_read_are_computed(tmp_path: Path) -> None:
    file = Builder(tokens_first=False).save(tmp_path / "tower.onnx")
    graph = lean(file, "rows")
    assert graph is not None
    assert not narrowed(graph)
    np.testing.assert_array_equal(open_tower(file, "rows")({"pixels": PIXELS}), plainly(file, "rows"))
    second = Builder(tokens_first=False).save(tmp_path / "second.onnx", first=1)
    graph = lean(second, "embedding")
    assert graph is not None
    assert not narrowed(graph)


def test_graphs_that_are_not_understood_are_left_alone(tmp_path: Path) -> None:
    file = Builder(tokens_first=False).save(tmp_path / "tower.onnx")
    content = file.read_bytes()
    for size in range(0, len(content) - 1, len(content) // 20):
        (tmp_path / "cut.onnx").write_bytes(content[:size])
        assert lean(tmp_path / "cut.onnx", "embedding") is None
    branch = helper.make_graph([helper.make_node("Identity", ["v1"], ["b"])], "b", [], [
        helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    ])  # fmt: skip
    model = onnx.load(str(file))
    chosen = helper.make_node("If", ["w0"], ["chosen"], then_branch=branch, else_branch=branch)
    model.graph.node.append(chosen)
    onnx.save(model, str(file))
    assert read(file) is None
    assert lean(tmp_path / "absent.onnx", "embedding") is None
