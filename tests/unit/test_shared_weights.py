"""Model folders that share files with a sibling: the shipped `midi` reads the text tower of `mini`."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from wordsight.comparison.cost import _size
from wordsight.encoders import runtime
from wordsight.encoders.check import check
from wordsight.encoders.export_quality import synthetic
from wordsight.encoders.folder import ModelFolder
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.errors import ModelError
from wordsight.registry import MODELS, encoder_names, load_encoder

SHARED = ("text.weights", "tokenizer.json")


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with copies of both models."""
    for name in ("mini", "midi"):
        shutil.copytree(MODELS / name, tmp_path / name)
    return tmp_path


def rewrite(folder: Path, name: str, **changes: object) -> None:
    describe = json.loads((folder / "model.json").read_text())
    describe["files"][name] |= changes
    (folder / "model.json").write_text(json.dumps(describe))


def test_all_shipped_models_together_stay_small() -> None:
    names = [name for name in encoder_names() if (MODELS / name).is_dir()]
    assert names == ["midi", "mini"]
    assert sum(file.stat().st_size for name in names for file in (MODELS / name).iterdir()) <= 40_000_000
    for name in names:
        folder = ModelFolder.open(MODELS / name)
        for file in folder.describe["files"]:
            folder.file(file)


def test_the_text_tower_is_stored_once() -> None:
    folder = ModelFolder.open(MODELS / "midi")
    assert [name for name in folder.describe["files"] if not (folder.path / name).exists()] == list(SHARED)
    assert {folder.location(name).parent.name for name in SHARED} == {"mini"}
    assert folder.own_bytes < 10e6 < (_size("midi").model_bytes or 0) - folder.own_bytes
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(*(load_encoder(name).encode_texts(["a dog"]) for name in ("mini", "midi")), atol=0.1)


def test_side_by_side_they_work_anywhere(pair: Path) -> None:
    here, there = load_encoder("midi"), OnnxEncoder(pair / "midi")
    assert here.fingerprint == there.fingerprint
    assert (here.encode_texts(["a dog"]) == there.encode_texts(["a dog"])).all()
    assert {found.what: found.passed for found in check(pair / "midi")} == dict.fromkeys(
        ("layout", "files", "texts", "pictures", "answers"), True
    )


def test_alone_it_says_what_is_missing(pair: Path) -> None:
    shutil.rmtree(pair / "mini")
    with pytest.raises(ModelError, match=r"midi reads text\.weights from the model folder mini.* side by side"):
        OnnxEncoder(pair / "midi").encode_texts(["a dog"])
    files = check(pair / "midi")[1]
    assert (files.what, files.passed) == ("files", False)
    assert "side by side" in files.said


@pytest.mark.parametrize("name", SHARED)
def test_damage_in_the_sibling_is_found(pair: Path, name: str) -> None:
    data = bytearray((pair / "mini" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (pair / "mini" / name).write_bytes(data)
    with pytest.raises(ModelError, match="damaged: SHA-256"):
        OnnxEncoder(pair / "midi").encode_texts(["a dog"])


@pytest.mark.parametrize("elsewhere", ["..", "../mini", "/etc", "", "a/b", ".hidden", 3])
def test_files_come_from_a_sibling_and_no_other_place(pair: Path, elsewhere: object) -> None:
    rewrite(pair / "midi", "tokenizer.json", **{"from": elsewhere})
    with pytest.raises(ModelError, match="should come from a folder beside this one"):
        OnnxEncoder(pair / "midi")


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_openvino_reads_the_narrow_weights_alike() -> None:
    pictures = synthetic(4, 300)  # several at a time, in as many streams as there are cores
    ours, theirs = (
        OnnxEncoder(MODELS / "midi", runtime=name).encode_images(pictures) for name in ("onnxruntime", "openvino-fp32")
    )
    assert (ours * theirs).sum(axis=1).min() > 0.9999


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_openvino_is_given_weights_that_are_widened() -> None:
    """It would do so itself, in several threads, and wrongly one time in four."""
    read = runtime._openvino().Core().read_model(MODELS / "midi" / "image.onnx")

    def kinds(model: object) -> set[str]:
        constants = (node for node in model.get_ops() if node.get_type_name() == "Constant")
        return {constant.get_element_type().get_type_name() for constant in constants}

    assert {"i8", "f16"} <= kinds(read)
    assert not {"i8", "f16"} & kinds(runtime._folded(read))


def test_only_a_relative_borrows_weights(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from wordsight.encoders.export_graphs import borrow_weights, move_weights

    def model(seed: int, head: float) -> onnx.ModelProto:
        tower = np.random.default_rng(seed).normal(size=(40, 40)).astype(np.float32)
        own = np.eye(8, dtype=np.float32) * head
        constants = [numpy_helper.from_array(tower, "tower"), numpy_helper.from_array(own, "head")]
        given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [40, 40]) for name in ("x", "y"))
        nodes = [helper.make_node("MatMul", ["x", "tower"], ["y"])]
        return helper.make_model(helper.make_graph(nodes, "g", [given], [made], constants))

    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    move_weights({"text.onnx": model(0, 1.0)}, tmp_path / "first", "text.weights", least=128)
    borrow_weights(model(0, 2.0), tmp_path / "first", "text.onnx", tmp_path / "second", least=128)
    written = onnx.load(tmp_path / "second" / "text.onnx", load_external_data=False).graph.initializer
    assert [constant.data_location for constant in written] == [TensorProto.EXTERNAL, TensorProto.DEFAULT]
    assert (numpy_helper.to_array(written[1]) == 2 * np.eye(8)).all()
    with pytest.raises(ValueError, match=r"only \d+ of 6,656 bytes"):
        borrow_weights(model(1, 1.0), tmp_path / "first", "text.onnx", tmp_path / "second", least=128)
