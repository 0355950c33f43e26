"""Export of OpenCLIP encoders to model folders: the same vectors and maps without torch, or nothing at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from wordsight.cli import run
from wordsight.encoders.check import check as check_folder
from wordsight.encoders.export_quality import LIMITS, Parity, check, measure, synthetic
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.errors import BadInput, ModelError
from wordsight.testing import ColourEncoder, check_encoder, check_spatial_encoder, colour_image

torch = pytest.importorskip("torch", reason='needs the extra "openclip"')
pytest.importorskip("open_clip", reason='needs the extra "openclip"')

import open_clip_models  # noqa: E402  # needs torch
from hypothesis import given, settings, strategies  # noqa: E402
from open_clip.tokenizer import SimpleTokenizer  # noqa: E402

from wordsight.encoders import export as export_module  # noqa: E402
from wordsight.encoders.export import export  # noqa: E402
from wordsight.encoders.export_tokens import clip_tokenizer  # noqa: E402
from wordsight.encoders.open_clip import OpenClipEncoder  # noqa: E402

KINDS = ("rn", "vit", "siglip", "mobile")
TEXTS = ["a dog", "red", "a photo of a blue thing, and of more: " + "dog " * 90, ""]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenClipEncoder]:
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORDSIGHT_PRECISION", "fp32")
        return {k: OpenClipEncoder(f"openclip:local-dir:{open_clip_models.folder(root / k, k)}") for k in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_float32_gives_the_same_numbers(encoders: dict[str, OpenClipEncoder], kind: str, tmp_path: Path) -> None:
    encoder = encoders[kind]
    export(encoder, tmp_path / "out", precision="fp32")
    exported = OnnxEncoder(tmp_path / "out", runtime="onnxruntime")
    pictures = [*synthetic(3, 300), colour_image("red", "blue", size=90)]
    np.testing.assert_allclose(exported.encode_images(pictures), encoder.encode_images(pictures), atol=2e-5)
    np.testing.assert_allclose(exported.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=2e-5)
    np.testing.assert_allclose(exported.feature_maps(pictures), encoder.feature_maps(pictures), atol=2e-4)
    assert exported.remarks(TEXTS[2]) != ()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out"]
    check_encoder(exported)
    check_spatial_encoder(exported)
    wide = [colour_image("red", "green", size=128).resize((128, 64))]
    np.testing.assert_allclose(
        exported.feature_maps(wide, as_is=True), encoder.feature_maps(wide, as_is=True), atol=2e-4
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_halves_the_files(encoders: dict[str, OpenClipEncoder], precision: str, tmp_path: Path) -> None:
    sizes = {}
    for kind in ("fp32", precision):
        export(encoders["vit"], tmp_path / kind, precision=kind)
        sizes[kind] = sum(file.stat().st_size for file in (tmp_path / kind).glob("*.weights"))
    assert sizes[precision] < 0.55 * sizes["fp32"]
    report = json.loads((tmp_path / precision / "parity.json").read_text())
    assert report["precision"] == precision
    assert report["source"] == "synthetic pictures"
    assert 0.999 < report["image_cosine"] <= 1
    check_encoder(OnnxEncoder(tmp_path / precision, runtime="onnxruntime"))


def test_int8_is_judged_on_photos(encoders: dict[str, OpenClipEncoder], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least 32, got 0"):
        export(encoders["vit"], tmp_path / "out", precision="int8")
    parity = export(encoders["vit"], tmp_path / "out", precision="int8", photos=synthetic(40, 96))
    assert parity.source == "photos given"
    assert parity.overlap >= LIMITS["int8"]["overlap"]
    assert parity.image_cosine < 0.9999999  # it is another arithmetic
    assert json.loads((tmp_path / "out" / "parity.json").read_text())["scales"] == "fixed"
    exported, (first, *others) = OnnxEncoder(tmp_path / "out", runtime="onnxruntime"), synthetic(5, 96)
    alone, together = exported.encode_images([first]), exported.encode_images([first, *others])
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)  # what else is in a run changes nothing
    export(encoders["vit"], tmp_path / "bf16", precision="bf16")
    sizes = [sum(file.stat().st_size for file in (tmp_path / name).glob("image*")) for name in ("out", "bf16")]
    assert sizes[0] < sizes[1]  # the map's weights are the tower's


def test_what_is_too_far_is_refused_with_figures(
    encoders: dict[str, OpenClipEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "int8", {"image_centred_mean": 0.99999999})
    with pytest.raises(ModelError, match=r"image_centred_mean 0\.9\d+ < 0.99999999.*Nothing was written"):
        export(encoders["vit"], tmp_path / "out", precision="int8", photos=synthetic(33, 80))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(
    encoders: dict[str, OpenClipEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert any((path / "image.weights").is_file() for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "exported_tokenizer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(encoders["vit"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(encoders: dict[str, OpenClipEncoder], tmp_path: Path) -> None:
    for output, precision, message in (
        (tmp_path, "bf16", "exists: remove it"),
        (tmp_path / "a" / "b", "bf16", "no folder to write"),
        (tmp_path / "a", "fp8", "fp32, bf16, fp16, int8"),
    ):
        with pytest.raises(BadInput, match=message):
            export(encoders["vit"], output, precision=precision)


def test_the_command(
    encoders: dict[str, OpenClipEncoder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    for place, picture in enumerate(synthetic(3, 120)):
        picture.save(tmp_path / "photos" / f"{place}.jpg")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    name, out = encoders["vit"].name, tmp_path / "vit"
    words = ["models", "export", name, "-o", str(out), "--photos", str(tmp_path / "photos"), "--precision", "fp32"]
    monkeypatch.setattr(sys, "argv", ["wordsight", *words])
    assert run() == 0
    told = capsys.readouterr().err
    assert "broken.jpg" in told
    assert "3 pictures (photos given)" in told
    assert OnnxEncoder(out).name == "vit"
    assert {finding.what: finding.passed for finding in check_folder(out)}["answers"] is True
    monkeypatch.setattr(sys, "argv", ["wordsight", "models", "export", "mini", "-o", str(tmp_path / "x")])
    assert run() == 2
    assert "openclip:RN50/openai" in capsys.readouterr().err


_REFERENCE, _OURS = SimpleTokenizer(), clip_tokenizer()


@settings(max_examples=300, deadline=None)
@given(strategies.text(strategies.sampled_from("abcdefgh ABZ019'.,-!?éüßñ狗🐕_\n\t()/"), max_size=40))
def test_the_exported_vocabulary_reads_like_the_reference(text: str) -> None:
    want = [_REFERENCE.sot_token_id, *_REFERENCE.encode(text), _REFERENCE.eot_token_id]
    assert _OURS.encode(text).ids == want


def test_figures_on_hand_made_vectors() -> None:
    class Turned(ColourEncoder):
        def encode_images(self, images):  # type: ignore[no-untyped-def]
            return super().encode_images(images)[:, ::-1].copy()

    pictures = [colour_image(*names) for names in (("red",), ("blue", "green"), ("white",))]
    same = measure(ColourEncoder(), ColourEncoder(), pictures, "by hand")
    assert (same.image_cosine, same.overlap, same.map_cosine) == pytest.approx((1, 1, 1))
    other = measure(ColourEncoder(), Turned(), pictures, "by hand")
    assert other.image_cosine == pytest.approx(0)
    assert isinstance(other, Parity)
    with pytest.raises(ModelError, match=r"image_cosine 0.0 < 0.9999"):
        check(other, "fp32", "colours")
