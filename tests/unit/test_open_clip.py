"""Encoders of OpenCLIP: names, weights of every form, QuickGELU, preprocessing, maps and gradients."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.encoders.preprocess import Preprocess, to_pixels
from wordsight.errors import BadInput, MissingExtra, ModelError
from wordsight.registry import load_encoder
from wordsight.testing import check_encoder, check_spatial_encoder, colour_image

torch = pytest.importorskip("torch", reason='needs the extra "openclip"')
open_clip = pytest.importorskip("open_clip", reason='needs the extra "openclip"')

import clip_reference  # noqa: E402  # need torch
import open_clip_models  # noqa: E402

from wordsight.encoders import open_clip_names, open_clip_weights  # noqa: E402
from wordsight.encoders.open_clip import OpenClipEncoder  # noqa: E402
from wordsight.encoders.open_clip_archive import read_archive  # noqa: E402

KINDS = ("rn", "vit", "siglip", "mobile")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenClipEncoder]:
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORDSIGHT_PRECISION", "fp32")
        return {k: load_encoder(f"openclip:local-dir:{open_clip_models.folder(root / k, k)}") for k in KINDS}


@pytest.fixture(autouse=True)
def _precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDSIGHT_PRECISION", "fp32")


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with detail of all sizes."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cells in (3, 12, 60, 240):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        picture += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float) / 4
    return Image.fromarray(picture.astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_contract(encoders: dict[str, OpenClipEncoder], kind: str) -> None:
    check_encoder(encoders[kind])
    check_spatial_encoder(encoders[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_are_those_of_open_clip(encoders: dict[str, OpenClipEncoder], kind: str) -> None:
    encoder = encoders[kind]
    reference = open_clip.create_model_and_transforms(encoder.name.removeprefix("openclip:"), pretrained_text=False)
    model, _, transform = reference
    pictures = [photo(300, 200), photo(97, 260, 1)]
    with torch.inference_mode():
        images = model.eval().encode_image(torch.stack([transform(p) for p in pictures]), normalize=True).numpy()
    assert (encoder.encode_images(pictures) * images).sum(axis=1).min() > 0.99999


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 700), height=st.integers(1, 700))
@example(width=300, height=448)
@example(width=258, height=868)
@example(width=842, height=165)
@example(width=225, height=224)
def test_pixels_are_the_reference_transforms(mode: str, interpolation: str, width: int, height: int) -> None:
    rng = np.random.default_rng(width * 1000 + height)  # noise: each detail of the resize shows
    picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    cfg = open_clip.transform.PreprocessCfg(size=224, resize_mode=mode, interpolation=interpolation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = open_clip.transform.image_transform_v2(cfg, is_train=False)(picture)
    mean, deviation = (torch.tensor(v).reshape(3, 1, 1) for v in (cfg.mean, cfg.std))
    ours = to_pixels(picture, Preprocess(mode, 224, interpolation=interpolation, averaging=False))
    theirs = (reference * deviation + mean).permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - theirs).max() < 0.001  # the same whole numbers; 1 is allowed


def test_the_part_that_is_seen() -> None:
    picture = Image.new("RGB", (400, 100))
    left, top, right, bottom = Preprocess("shortest", 50).seen(*picture.size)
    assert (left, top, right, bottom) == (150, 0, 250, 100)
    assert Preprocess("squash", 50).seen(400, 100) == (0, 0, 400, 100)


@pytest.mark.parametrize("kind", ["rn", "vit"])
@pytest.mark.parametrize("form", ["state dict", "wrapped", "archive"])
def test_checkpoints_of_openai_give_the_reference_numbers(tmp_path: Path, kind: str, form: str) -> None:
    state, file = open_clip_models.openai_state(kind), tmp_path / "model.pt"
    if form == "archive":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated; the published files are not
            torch.jit.script(open_clip_models.Archive(state)).save(str(file))
    else:
        torch.save({"state_dict": state} if form == "wrapped" else state, file)
    encoder = load_encoder(f"openclip:{file}")
    plain = {key: value.float() for key, value in state.items()}
    pictures, texts = [photo(90, 70), photo(64, 80, 1)], ["a dog", "a photo of two red things!"]
    with torch.inference_mode():
        images = clip_reference.encode_image(plain, encoder.pixels(pictures))
        words = clip_reference.encode_text(plain, open_clip.tokenize(texts))
    for got, want in ((encoder.encode_images(pictures), images), (encoder.encode_texts(texts), words)):
        np.testing.assert_allclose(got, torch.nn.functional.normalize(want, dim=-1).numpy(), atol=2e-5)


def test_quickgelu_follows_the_weights(tmp_path: Path) -> None:
    state = open_clip_models.openai_state("vit")
    torch.save(state, tmp_path / "openai.pt")
    plain = {key: value.float() for key, value in state.items() if key not in open_clip_weights.OPENAI_MARKS}
    rows = {}
    for quick in (True, False):
        folder = open_clip_models.folder(tmp_path / str(quick), "vit", quick_gelu=quick)
        torch.save(plain, folder / "open_clip_pytorch_model.bin")
        rows[quick] = load_encoder(f"openclip:local-dir:{folder}").encode_images([photo(90, 70)])
    openai = load_encoder(f"openclip:{tmp_path / 'openai.pt'}").encode_images([photo(90, 70)])
    np.testing.assert_allclose(openai, rows[True], atol=1e-6)
    assert np.abs(openai - rows[False]).max() > 1e-4  # the wrong one loads without an error, and is another model


def test_quickgelu_follows_the_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tag that open_clip calls QuickGELU builds it, and no other."""
    built = {}

    def create(architecture: str, **given: object) -> object:
        built["quick"] = given["force_quick_gelu"] or architecture.endswith("-quickgelu")
        raise RuntimeError("enough")

    monkeypatch.setattr(open_clip, "create_model", create)
    (file := tmp_path / "weights.pt").write_bytes(b"")
    torch.save({"logit_scale": torch.zeros(())}, file)
    for architecture, tag in open_clip.list_pretrained():
        with pytest.raises(ModelError, match="enough"):
            load_encoder(f"openclip:{architecture}/{tag}={file}")
        wanted = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu", False)
        assert built["quick"] == wanted, (architecture, tag)


def test_archives_run_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "owned",))

    import pickle
    import zipfile

    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("evil/constants.pkl", b"")
        archive.writestr("evil/data.pkl", pickle.dumps({"weights": Evil()}))
    torch.save({"weights": Evil()}, tmp_path / "evil2.pt")
    for name in ("evil.pt", "evil2.pt"):
        with pytest.raises(ModelError, match="evil"):
            load_encoder(f"openclip:{tmp_path / name}")
    assert not (tmp_path / "owned").exists()


def test_archives_hold_all_tensors(tmp_path: Path) -> None:
    state = open_clip_models.openai_state("rn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(open_clip_models.Archive(state)).save(str(tmp_path / "rn.pt"))
    read = read_archive(tmp_path / "rn.pt")
    assert read.keys() == state.keys()
    for key, value in state.items():
        assert read[key].dtype == value.dtype
        assert torch.equal(read[key], value), key


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("openclip:ViT-B-32/random", "ViT-B-32"),
        ("openclip:ViT-B/32/random:3", "ViT-B-32"),
        ("openclip:ViT-L/14@336px/random", "ViT-L-14-336"),
        ("openclip:rn50x4/random", "RN50x4"),
    ],
)
def test_names(name: str, architecture: str) -> None:
    source = open_clip_names.parse(name)
    assert (source.architecture, source.seed) == (architecture, 3 if name.endswith("3") else 0)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("openclip:ViT-B-32/openai", ModelError, r"models pull.*huggingface.co/timm.*ViT-B-32.pt.*=FILE"),
        ("openclip:ViT-B-32/laion2b_s34b_b79k", ModelError, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("openclip:ViT-B-32/nonsense", BadInput, "published weights of ViT-B-32: openai, laion400m_e31"),
        ("openclip:ViT-B-33/openai", BadInput, "no architecture of open_clip's and no file"),
        ("openclip:hf-hub:some/repo", ModelError, "models pull openclip:hf-hub:some/repo"),
        ("openclip:local-dir:/nowhere", BadInput, "open_clip_config.json"),
        ("openclip:RN50/openai=/nowhere.pt", BadInput, "/nowhere.pt is no file"),
        ("openclip:RN50/random:x", BadInput, "whole number"),
    ],
)
def test_names_of_nothing(
    name: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_clip_names, "_OPENAI_CACHE", tmp_path)
    with pytest.raises(error, match=message):
        load_encoder(name)


def test_a_checkpoint_without_a_tag_is_not_guessed_at(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    torch.save({"x": torch.zeros(1)}, file)
    with pytest.raises(BadInput, match=r"different ways.*TAG=FILE.*dfn5b"):
        load_encoder(f"openclip:ViT-H-14/{file}")
    with pytest.raises(BadInput, match="architecture must be said"):
        load_encoder(f"openclip:{file}")


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    torch.save(open_clip_models.network("vit").state_dict(), file)
    with pytest.raises(ModelError, match="does not fit"):
        load_encoder(f"openclip:ViT-S-32/{file}")
    file.write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        load_encoder(f"openclip:ViT-S-32/{file}")


def test_a_folder_must_say_how_pictures_are_prepared(tmp_path: Path) -> None:
    folder = open_clip_models.folder(tmp_path, "siglip")
    text = (folder / "open_clip_config.json").read_text().replace('"mean"', '"average"')
    (folder / "open_clip_config.json").write_text(text)
    with pytest.raises(ModelError, match="no mean and std"):
        load_encoder(f"openclip:local-dir:{folder}")


def test_siglip_squashes_and_reads_its_own_vocabulary(encoders: dict[str, OpenClipEncoder]) -> None:
    encoder = encoders["siglip"]
    assert encoder.preprocess == Preprocess("squash", 224, averaging=False)
    pixels = encoder.pixels([Image.new("RGB", (10, 30), "white")])
    assert pixels.min() == pixels.max() == 1  # (1 - 0.5) / 0.5
    tokens = encoder.tokens(["A Dog, red!"])
    assert tokens.tolist() == [[2, 3, 4, 0] + [0] * 12]  # cleaned, closed, filled up with the closing token


def test_long_texts_are_cut_with_a_notice(encoders: dict[str, OpenClipEncoder]) -> None:
    encoder, long = encoders["vit"], "dog " * 100
    assert encoder.remarks("a dog") == ()
    assert "102 tokens" in encoder.remarks(long)[0]
    cut = " ".join(["dog"] * 75)
    np.testing.assert_allclose(encoder.encode_texts([long]), encoder.encode_texts([cut]), atol=1e-6)
    for text in ("", "\ud800", "狗", "\x00"):
        assert np.isfinite(encoder.encode_texts([text])).all()


def test_the_fingerprint_follows_weights_and_activation(tmp_path: Path) -> None:
    plain, quick = (
        load_encoder(f"openclip:local-dir:{open_clip_models.folder(tmp_path / str(q), 'vit', quick_gelu=q)}")
        for q in (False, True)
    )
    again = load_encoder(plain.name)
    assert plain.fingerprint == again.fingerprint != quick.fingerprint
    again.model.visual.proj.data[0, 0] += 1
    assert load_encoder(plain.name).fingerprint == plain.fingerprint
    assert OpenClipEncoder.fingerprint.func(again) != plain.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_layers(encoders: dict[str, OpenClipEncoder], kind: str) -> None:
    encoder = encoders[kind]
    tower, pixels = encoder.gradients(), encoder.pixels([photo(64, 64)])
    kept: dict[int, torch.Tensor] = {}

    def keep(place: int) -> object:
        def hook(_module: object, _inputs: object, output: torch.Tensor) -> None:
            output.retain_grad()
            kept[place] = output

        return hook

    hooks = [layer.register_forward_hook(keep(place)) for place, layer in enumerate(tower.layers)]
    embedding = tower.module(pixels)
    for hook in hooks:
        hook.remove()
    (embedding @ encoder.text_features(["a dog"]).T).sum().backward()
    for place in kept:
        grads = tower.to_map(kept[place].grad)
        assert grads.ndim == 4
        assert grads.shape[2] == grads.shape[3]
        assert grads.abs().max() > 0, f"layer {place}"
    assert len(kept) == len(tower.layers)


def test_the_trace_of_attention_is_the_towers_own_forward(encoders: dict[str, OpenClipEncoder]) -> None:
    encoder = encoders["vit"]
    tower, pixels = encoder.gradients(), encoder.pixels([photo(64, 64), photo(80, 70, 1)])
    assert tower.trace is not None
    assert tower.pool is not None
    trace = tower.trace(pixels)
    assert len(trace) == 3
    torch.testing.assert_close(tower.pool(trace[-1].tokens), tower.module(pixels), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(trace[0].attention.sum(-1), torch.ones_like(trace[0].attention.sum(-1)))
    gradient = torch.autograd.grad(tower.pool(trace[-1].tokens).sum(), trace[0].attention)[0]
    assert gradient.abs().max() > 0


def test_a_place_alone_in_the_attention_pool(encoders: dict[str, OpenClipEncoder]) -> None:
    """The map of a ResNet is the pool's value projection: a map of one place is what that place alone gives."""
    encoder = encoders["rn"]
    pool = encoder.model.visual.attnpool
    maps = torch.from_numpy(encoder.feature_maps([photo(64, 64)]))
    with torch.inference_mode():
        visual, pixels = encoder.model.visual, encoder.pixels([photo(64, 64)])
        features = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels)))))
        alone = pool.c_proj(pool.v_proj(features[0, :, 1, 0]))
    torch.testing.assert_close(maps[0, :, 1, 0], alone, atol=1e-5, rtol=1e-4)


def test_bfloat16_is_close_and_float32_stays_for_maps(
    encoders: dict[str, OpenClipEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDSIGHT_PRECISION", "bf16")
    half = load_encoder(encoders["rn"].name)
    pictures = [photo(80, 90, seed) for seed in range(3)]
    assert (half.encode_images(pictures) * encoders["rn"].encode_images(pictures)).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(half.feature_maps(pictures), encoders["rn"].feature_maps(pictures), atol=1e-5)
    monkeypatch.setenv("WORDSIGHT_PRECISION", "fp8")
    with pytest.raises(BadInput, match="fp32, bf16"):
        load_encoder(encoders["rn"].name)


def test_torch_keeps_to_a_containers_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        monkeypatch.setattr("wordsight.encoders.open_clip.cores", lambda: 2)
        load_encoder(f"openclip:local-dir:{open_clip_models.folder(tmp_path / 'rn', 'rn')}")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_a_text_is_not_computed_and_changes_nothing(
    encoders: dict[str, OpenClipEncoder], kind: str
) -> None:
    encoder = encoders[kind]
    texts = ["a", "a dog on a red sofa", "many words " * 60]
    rows = torch.from_numpy(encoder.tokens(texts))
    with torch.inference_mode():
        wanted = encoder.model.encode_text(rows, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(texts), wanted, atol=1e-5)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(alone, wanted, atol=1e-5)


def test_few_pictures_are_not_worth_a_trial(
    encoders: dict[str, OpenClipEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[object] = []
    monkeypatch.setattr("wordsight.encoders.open_clip._seconds", lambda tower, _: timed.append(tower) or 1.0)
    monkeypatch.setenv("WORDSIGHT_PRECISION", "auto")
    encoder = load_encoder(encoders["rn"].name)
    encoder.encode_images([photo(64, 64)] * 16)
    assert not timed
    encoder.encode_images([photo(64, 64)])
    assert len(timed) == 2


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "wordsight\[openclip\]"'):
        load_encoder("openclip:ViT-B-32/openai")


def test_torch_is_imported_by_nobody_else() -> None:
    code = (
        "import sys; from wordsight.registry import load_encoder; from wordsight.cli.app import build; build();"
        "load_encoder('mini').encode_texts(['a dog']); import wordsight.library, wordsight.explain;"
        "sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_colours_have_the_same_vector_at_any_size(encoders: dict[str, OpenClipEncoder]) -> None:
    rows = encoders["vit"].encode_images([colour_image("red", size=size) for size in (64, 128, 500)])
    np.testing.assert_allclose(rows, np.tile(rows[:1], (3, 1)), atol=1e-5)
