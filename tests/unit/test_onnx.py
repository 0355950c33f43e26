"""Model folders: verified files, preprocessing, clear errors."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight import images
from wordsight.encoders.folder import ModelFolder
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.encoders.preprocess import Preprocess, to_pixels
from wordsight.errors import BadInput, MissingExtra, ModelError, UnknownEncoder
from wordsight.registry import MODELS, load_encoder
from wordsight.testing import colour_image

MINI = MODELS / "mini"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may damage."""
    return Path(shutil.copytree(MINI, tmp_path / "mini"))


def rewrite(folder: Path, **changes: object) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_shipped_model_by_name_and_by_path(folder: Path) -> None:
    by_name, by_path = load_encoder("mini"), load_encoder(str(folder))
    assert by_name.fingerprint == by_path.fingerprint
    assert (by_name.encode_texts(["a dog"]) == by_path.encode_texts(["a dog"])).all()
    with pytest.raises(UnknownEncoder, match="mini"):
        load_encoder("minni")


def test_all_shipped_files_are_as_recorded() -> None:
    folder = ModelFolder.open(MINI)
    for name in folder.describe["files"]:
        folder.file(name)
    assert sum(file.stat().st_size for file in MINI.iterdir()) <= 40_000_000


def test_the_fingerprint_follows_what_decides_a_vector(folder: Path) -> None:
    before = ModelFolder.open(folder).fingerprint
    rewrite(folder, measures={}, licence="other words")
    assert ModelFolder.open(folder).fingerprint == before
    describe = json.loads((folder / "model.json").read_text())
    describe["image"]["preprocess"]["size"] = 192
    rewrite(folder, **describe)
    assert ModelFolder.open(folder).fingerprint != before


@pytest.mark.parametrize("name", ["image.onnx", "image.weights", "text.onnx", "text.weights", "tokenizer.json"])
def test_damaged_files_are_found_at_load(folder: Path, name: str) -> None:
    file = folder / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    encoder = OnnxEncoder(folder)
    encode = encoder.encode_images if name.startswith("image") else encoder.encode_texts
    with pytest.raises(ModelError, match="damaged: SHA-256"):
        encode([colour_image("red") if name.startswith("image") else "red"])


def test_truncated_and_missing_files(folder: Path) -> None:
    (folder / "text.weights").write_bytes((folder / "text.weights").read_bytes()[:1000])
    with pytest.raises(ModelError, match="1000 bytes, expected"):
        OnnxEncoder(folder).encode_texts(["red"])
    (folder / "text.weights").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxEncoder(folder).encode_texts(["red"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something"}, "does not describe a model"),
        ({"format_version": 99}, "format version 99"),
        ({"image": {"file": "image.onnx"}}, "preprocessing None"),
        ({"image": {"file": "x", "preprocess": {"mode": "stretch", "interpolation": "bicubic"}}}, "'stretch'"),
    ],
)
def test_descriptions_that_are_not_understood(folder: Path, changes: dict, message: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=message):
        OnnxEncoder(folder)


def test_folders_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_encoder(str(tmp_path))
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_encoder(str(tmp_path))


def test_long_queries_are_cut_with_a_notice() -> None:
    encoder = load_encoder("mini")
    long = "dog " * 500
    (remark,) = encoder.remarks(long)
    assert "502 tokens" in remark or "501 tokens" in remark
    assert encoder.encode_texts([long]).shape == (1, encoder.dim)
    assert encoder.remarks("a dog") == ()


@pytest.mark.parametrize("text", ["", " ", "\x00", "狗在雪地里", "🐕", "a" * 10_000, "\ud800"])
def test_any_text_gets_a_vector(text: str) -> None:
    vector = load_encoder("mini").encode_texts([text])
    assert np.isfinite(vector).all()


def test_preprocessing_keeps_what_it_should() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste((255, 255, 255), (100, 0, 200, 100))
    squash, crop = (to_pixels(image, Preprocess(mode, 60)) for mode in ("squash", "crop"))
    assert squash.shape == crop.shape == (60, 60, 3)
    assert crop.min() >= 240  # only the white centre is left
    assert squash[:, :15].max() < 15  # the black ends are still there
    small = Preprocess("squash", 224, small_side=64, small_size=112)
    assert to_pixels(Image.new("RGB", (64, 30)), small).shape == (112, 112, 3)
    assert to_pixels(Image.new("RGB", (65, 30)), small).shape == (224, 224, 3)
    assert to_pixels(Image.new("RGB", (64, 30)), small, full_size=True).shape == (224, 224, 3)


def test_pictures_of_different_sizes_in_one_call() -> None:
    encoder = load_encoder("mini")
    images = [colour_image("red", size=size) for size in (40, 300, 50, 301, 302)]
    together = encoder.encode_images(images)
    for image, row in zip(images, together, strict=True):
        np.testing.assert_allclose(encoder.encode_images([image])[0], row, atol=1e-3)


def test_the_runtime_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDSIGHT_RUNTIME", "abacus")
    with pytest.raises(BadInput, match="onnxruntime"):
        load_encoder("mini")
    monkeypatch.setenv("WORDSIGHT_RUNTIME", "openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"wordsight\[fast\]"):
        load_encoder("mini")


def test_openvino_agrees_with_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason='needs the extra "fast"')
    images = [colour_image("red", "blue", size=256), colour_image("green", "white", size=256)]
    rows = []
    for runtime in ("onnxruntime", "openvino"):
        monkeypatch.setenv("WORDSIGHT_RUNTIME", runtime)
        rows.append(load_encoder("mini").encode_images(images))
    assert (rows[0] * rows[1]).sum(axis=1).min() > 0.99


def test_all_eight_orientations_give_one_embedding() -> None:
    upright = Image.new("RGB", (320, 200), "navy")
    upright.paste((255, 220, 40), (30, 20, 150, 90))
    upright.paste((200, 30, 30), (200, 110, 310, 190))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation -> Pillow's transposition that leads there
    pictures = []
    for orientation in range(1, 9):
        stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        stored.save(file, "PNG", exif=exif)
        pictures.append(images.read(file.getvalue(), side=224).image)
    rows = load_encoder("mini").encode_images(pictures)
    np.testing.assert_allclose(rows, np.tile(rows[:1], (8, 1)), atol=2e-3)
