"""Model folders of other programs: detected by content, prepared as they say, and never guessed."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

tiny_models = pytest.importorskip("tiny_models", reason="needs onnx, which comes with the extra test")

from hypothesis import given, strategies  # noqa: E402

from wordsight.encoders import digests  # noqa: E402
from wordsight.encoders.layouts import open_model  # noqa: E402
from wordsight.encoders.onnx import OnnxEncoder  # noqa: E402
from wordsight.encoders.onnx_signature import Value, signature  # noqa: E402
from wordsight.encoders.vocabulary import read_tokenizer  # noqa: E402
from wordsight.errors import ModelError  # noqa: E402
from wordsight.registry import MODELS  # noqa: E402
from wordsight.testing import check_encoder  # noqa: E402

TEXTS = ["a dog", "Red cat in  snow", "", "a dog in red snow in a cat", "zebra"]
CLOSE = 2e-3  # a level of 255 here and there: resizing and cutting are one step here; a wrong preprocessing is far
MAKERS: dict[str, Callable[[Path], Path]] = {
    "immich": tiny_models.immich,
    "rclip": tiny_models.rclip,
    "transformers.js": tiny_models.transformers_js,
    "combined": tiny_models.combined,
}


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(5)
    sizes = [(40, 30), (23, 61), (16, 16), (300, 17), (9, 12)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), np.uint8)) for w, h in sizes]


def rewrite(file: Path, *gone: str, **changes: object) -> None:
    kept = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in kept.items() if key not in gone}))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino-fp32"])
@pytest.mark.parametrize(("layout", "filled"), [("immich", 7), ("rclip", 77), ("transformers.js", 0), ("combined", 0)])
def test_each_layout_gives_the_reference_vectors(layout: str, filled: int, runtime: str, tmp_path: Path) -> None:
    if runtime != "onnxruntime":
        pytest.importorskip("openvino", reason='needs the extra "fast"')
    folder = MAKERS[layout](tmp_path / "model")
    assert open_model(folder).layout == layout
    encoder = OnnxEncoder(folder, runtime=runtime)
    want = np.array([tiny_models.expected_image(picture) for picture in pictures()])
    np.testing.assert_allclose(encoder.encode_images(pictures()), want, atol=CLOSE)
    if layout == "rclip":  # fills with zeros, which are "<s>" here
        lengths = [[0, *(word(w) for w in text.lower().split()), 1] for text in TEXTS]
        rows = [tiny_models.TABLE[ids + [0] * (77 - len(ids))].mean(axis=0) for ids in lengths]
        texts = np.array([row / np.linalg.norm(row) for row in rows])
    elif layout == "immich":
        texts = np.array([tiny_models.expected_text(text, filled=filled) for text in TEXTS])
    else:  # too long for the model: cut, the closing token kept
        cut = [*TEXTS[:3], "a dog in red snow", TEXTS[4]]
        texts = np.array([tiny_models.expected_text(text) for text in cut])
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-5)
    assert (encoder.dim, encoder.stride, encoder.name) == (tiny_models.DIM, None, "model")
    check_encoder(encoder)


def word(text: str) -> int:
    return tiny_models.WORDS.index(text) if text in tiny_models.WORDS else 3


def test_siglip_fills_texts_and_squashes_pictures(tmp_path: Path) -> None:
    size = {"height": tiny_models.SIDE, "width": tiny_models.SIDE}
    made = tiny_models.transformers_js(tmp_path / "m", kind="siglip", size=size, do_center_crop=None)
    encoder = OnnxEncoder(made)
    want = np.array([tiny_models.expected_image(picture, squash=True) for picture in pictures()])
    np.testing.assert_allclose(encoder.encode_images(pictures()), want, atol=CLOSE)
    texts = np.array([tiny_models.expected_text(text, filled=tiny_models.CONTEXT) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-5)


def test_a_larger_shorter_side_before_the_cut(tmp_path: Path) -> None:
    encoder = OnnxEncoder(tiny_models.transformers_js(tmp_path / "m", size=20))
    want = np.array([tiny_models.expected_image(picture, shorter=20) for picture in pictures()])
    np.testing.assert_allclose(encoder.encode_images(pictures()), want, atol=CLOSE)


def test_a_graph_that_normalises_gets_plain_pixels(tmp_path: Path) -> None:
    encoder = OnnxEncoder(tiny_models.immich(tmp_path / "m", kind="uint8"))
    want = np.array([tiny_models.expected_image(picture) for picture in pictures()])
    np.testing.assert_allclose(encoder.encode_images(pictures()), want, atol=CLOSE)


def test_variants_of_precision(tmp_path: Path) -> None:
    folder = tiny_models.transformers_js(tmp_path / "m", variant="_quantized")
    assert open_model(folder).describe["image"]["file"] == "onnx/vision_model_quantized.onnx"
    before = OnnxEncoder(folder).fingerprint
    tiny_models.transformers_js(folder)
    assert open_model(folder).describe["image"]["file"] == "onnx/vision_model.onnx"
    assert OnnxEncoder(folder).fingerprint != before


@pytest.mark.parametrize(
    ("layout", "file", "gone", "message"),
    [
        ("immich", "visual/preprocess_cfg.json", "resize_mode", 'how pictures are made square ("resize_mode")'),
        ("immich", "visual/preprocess_cfg.json", "mean", 'how pixels are normalised ("mean")'),
        ("immich", "config.json", "text_cfg", 'how texts are read ("text_cfg")'),
        ("immich", "textual/tokenizer_config.json", "pad_token", "which token short texts are filled up"),
        ("transformers.js", "preprocessor_config.json", "resample", 'how pictures are scaled ("resample")'),
        ("transformers.js", "preprocessor_config.json", "image_std", 'how pixels are normalised ("image_std")'),
        ("transformers.js", "preprocessor_config.json", "crop_size", 'what is cut from pictures ("crop_size")'),
        ("combined", "config.json", "model_type", 'what kind of model it is ("model_type")'),
    ],
)
def test_a_missing_fact_is_named(layout: str, file: str, gone: str, message: str, tmp_path: Path) -> None:
    folder = MAKERS[layout](tmp_path / "model")
    rewrite(folder / file, gone)
    with pytest.raises(ModelError) as caught:
        OnnxEncoder(folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "file", "changes", "message"),
    [
        ("immich", "visual/preprocess_cfg.json", {"resize_mode": "longest"}, "'longest'"),
        ("immich", "visual/preprocess_cfg.json", {"interpolation": "random"}, "'random' interpolation"),
        ("immich", "visual/preprocess_cfg.json", {"size": [16, 20]}, r"\[16, 20\] are not known; expected a square"),
        ("immich", "visual/preprocess_cfg.json", {"size": 24}, "takes pictures of 16 pixels"),
        ("immich", "config.json", {"embed_dim": 512}, r"different lengths of vectors: \[8, 512\]"),
        ("immich", "config.json", {"text_cfg": {"context_length": 9}}, "takes 7 tokens"),
        ("immich", "config.json", {"text_cfg": {"tokenizer_kwargs": {"clean": "wash"}}}, "'wash'"),
        ("transformers.js", "preprocessor_config.json", {"do_normalize": False}, "without do_normalize"),
        ("transformers.js", "preprocessor_config.json", {"rescale_factor": 1 / 127.5}, "rescale_factor"),
        ("transformers.js", "preprocessor_config.json", {"do_center_crop": False}, "without cutting"),
        ("transformers.js", "preprocessor_config.json", {"resample": 4}, "resample 4"),
    ],
)
def test_what_is_not_understood_is_refused(
    layout: str, file: str, changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    folder = MAKERS[layout](tmp_path / "model")
    rewrite(folder / file, **changes)
    with pytest.raises(ModelError, match=message):
        OnnxEncoder(folder)


def test_rclip_names_its_one_model_by_the_folder(tmp_path: Path) -> None:
    folder = tiny_models.rclip(tmp_path / "mine")
    (folder / "preprocess_cfg.json").unlink()
    with pytest.raises(ModelError, match="does not say how pictures are prepared"):
        OnnxEncoder(folder)
    renamed = shutil.copytree(folder, tmp_path / "ViT-B-32-256-datacomp_s34b_b86k")
    with pytest.raises(ModelError, match="takes pictures of 16 pixels a side"):  # its real graph takes 256
        OnnxEncoder(renamed)
    (folder / "tokenizer.json").unlink()
    tiny_models.write(folder / "preprocess_cfg.json", tiny_models.OPEN_CLIP)
    with pytest.raises(ModelError, match="has no vocabulary"):
        OnnxEncoder(folder)


def test_openais_list_of_merges(tmp_path: Path) -> None:
    lines = ["#version: 0.2", "d o", "do g</w>", "r e", "re d</w>", ""]
    with gzip.open(tmp_path / "bpe_simple_vocab_16e6.txt.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join([*lines[:-1], *("x y",) * 0]))
    ids = read_tokenizer(tmp_path / "bpe_simple_vocab_16e6.txt.gz", "whitespace").encode("Dog   red!").ids
    first = 512 + 4  # bytes, bytes that end a word, four merges, then the special words
    assert ids == [first, 513, 515, 256 + ord("!") - ord("!"), first + 1]


def test_folders_of_no_layout(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"visual/model.onnx.*immich.*rclip.*transformers.js.*combined"):
        OnnxEncoder(tmp_path)
    folder = tiny_models.immich(tmp_path / "m")
    (folder / "visual" / "preprocess_cfg.json").unlink()
    with pytest.raises(ModelError, match=r"lacks preprocess_cfg.json"):
        OnnxEncoder(folder)


def test_changed_files_change_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_models.immich(tmp_path / "m")
    before = OnnxEncoder(folder).fingerprint
    assert OnnxEncoder(shutil.copytree(folder, tmp_path / "n")).fingerprint == before
    monkeypatch.setattr(tiny_models, "PROJECT", tiny_models.PROJECT * 2)
    assert OnnxEncoder(tiny_models.immich(folder)).fingerprint != before


def test_digests_are_remembered_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    monkeypatch.setattr(digests, "_SETTLED", -1)
    first = digests.digest(file)
    monkeypatch.setattr(digests.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert digests.digest(file) == first
    monkeypatch.undo()
    file.write_bytes(b"three")
    assert digests.digest(file) != first
    (tmp_path / "cache" / "digests.json").write_text('{"x": 3}')
    assert digests.digest(file) != first


def test_signatures(tmp_path: Path) -> None:
    tiny_models.save_text(tmp_path / "t.onnx", "input_ids", "out", "int64", ("n", 77), mask=True)
    found = signature(tmp_path / "t.onnx")
    assert found.inputs == {"input_ids": Value("int64", (None, 77)), "attention_mask": Value("int64", (None, 77))}
    assert found.outputs == {"out": Value("float32", (None, tiny_models.DIM))}
    shipped = signature(MODELS / "mini" / "image.onnx")
    assert shipped.inputs["pixels"].kind == "uint8"


@given(drawn=strategies.data())
def test_damaged_graphs_are_told(drawn: strategies.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    tiny_models.save_image(folder / "g.onnx")
    whole = (folder / "g.onnx").read_bytes()
    length = drawn.draw(strategies.integers(0, len(whole) - 1))
    changed = bytearray(whole[:length])
    for place in drawn.draw(strategies.lists(strategies.integers(0, max(0, length - 1)), max_size=4)):
        if changed:
            changed[place] = drawn.draw(strategies.integers(0, 255))
    (folder / "g.onnx").write_bytes(changed)
    try:
        found = signature(folder / "g.onnx")
    except ModelError:
        return
    assert isinstance(found.inputs, dict)
