"""Models from a hub on this machine: fetched, verified, resumed; and from files without any network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

tiny_models = pytest.importorskip("tiny_models", reason="needs onnx, which comes with the extra test")

from hub_server import COMMIT, Hub, serving  # noqa: E402

from wordsight.cli.app import build  # noqa: E402
from wordsight.encoders import hub as hub_module  # noqa: E402
from wordsight.encoders import store  # noqa: E402
from wordsight.encoders.hub import choose_files, fetch, offer  # noqa: E402
from wordsight.errors import BadInput, ModelError, UnknownEncoder  # noqa: E402
from wordsight.registry import load_encoder  # noqa: E402
from wordsight.testing import colour_image  # noqa: E402

NAME = "immich-app/tiny"
TOWER = "visual/model.onnx"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tiny_models.immich(tmp_path / "source")
    (folder / "rknpu").mkdir()
    (folder / "rknpu" / "model.rknn").write_bytes(b"for another machine")
    (folder / "README.md").write_text("words")
    return folder


@pytest.fixture
def hub(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)  # the files are small, and only whole chunks are kept
    monkeypatch.setattr("wordsight.encoders.check.TEXTS", ("a dog", "red snow", "cat"))  # words that the models know
    with serving(Hub(source, NAME)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


def run(*words: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(build(words), list(words))


def test_what_would_be_fetched_is_shown(hub: Hub) -> None:
    what = offer(NAME)
    assert (what.commit, what.repository) == (COMMIT, NAME)
    names = {file.name for file in what.files}
    assert TOWER in names
    assert "config.json" in names
    assert not names & {"README.md", "rknpu/model.rknn"}
    told = run("models", "pull", NAME, "--dry-run").stderr
    assert hashlib.sha256(hub.files[TOWER]).hexdigest() in told
    assert all(name in told for name in names)
    assert not any(path.endswith(TOWER) for _, path, _ in hub.asked)
    assert store.added() == []


def test_a_pulled_model_has_a_name(hub: Hub) -> None:
    with pytest.raises(UnknownEncoder):
        load_encoder(NAME)
    outcome = run("models", "pull", NAME)
    assert outcome.exit_code == 0, outcome.output
    encoder = load_encoder(NAME)
    assert (encoder.name, encoder.dim) == (NAME, tiny_models.DIM)
    assert encoder.encode_texts(["a dog"]).shape == (1, tiny_models.DIM)
    assert NAME in run("models").stdout
    checked = run("models", "check", NAME)
    assert checked.exit_code == 0
    assert "as they were when they were pulled" in checked.stdout
    asked = len(hub.asked)
    load_encoder(NAME).encode_texts(["a cat"])  # nothing is asked again
    assert len(hub.asked) == asked
    assert run("models", "remove", NAME).exit_code == 0
    with pytest.raises(UnknownEncoder):
        load_encoder(NAME)
    with pytest.raises(BadInput, match="none"):
        store.remove(NAME)


@pytest.mark.parametrize("trouble", ["truncate", "stall"])
def test_a_connection_that_breaks_is_continued(hub: Hub, trouble: str) -> None:
    what = offer(NAME)
    hub.wrong(trouble)
    fetch(what)
    assert any(given for _, _, given in hub.asked if given)  # a range: what had come was not fetched again
    assert load_encoder(NAME).dim == tiny_models.DIM


def test_redirects_are_followed(hub: Hub) -> None:
    what = offer(NAME)
    hub.wrong("redirect")
    fetch(what)
    assert any(path.startswith("/elsewhere") for _, path, _ in hub.asked)
    load_encoder(NAME)


@pytest.mark.parametrize("status", ["401", "404", "500"])
def test_refusals_say_what_to_do(hub: Hub, status: str) -> None:
    hub.wrong(status, times=100)
    with pytest.raises(ModelError, match=r"could not be fetched.*\n.*HF_TOKEN.*--from FOLDER") as caught:
        offer(NAME)
    assert status in str(caught.value) or "not found" in str(caught.value).lower()
    assert store.added() == []


def test_a_wrong_file_is_thrown_away(hub: Hub) -> None:
    right = hub.files[TOWER]
    hub.files[TOWER] = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(ModelError, match=r"visual/model.onnx is not the file .* thrown away"):
        fetch(offer(NAME))
    assert store.added() == []
    hub.files[TOWER] = right
    fetch(offer(NAME))
    assert load_encoder(NAME).dim == tiny_models.DIM


def test_a_wrong_small_file_is_found_too(hub: Hub) -> None:
    hub.files["config.json"] = hub.files["config.json"].replace(b"8", b"9")
    with pytest.raises(ModelError, match=r"config.json is not the file"):
        fetch(offer(NAME))


def test_a_full_disk_is_told_before(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    what = offer(NAME)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(BadInput, match="do not fit"):
        fetch(what)
    assert not any(path.endswith(TOWER) for _, path, _ in hub.asked)


def test_offline_asks_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set, so nothing was asked"):
        offer(NAME)
    assert hub.asked == []


def test_a_process_of_its_own_follows_the_variables(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wordsight", "models", "pull", NAME, "--quiet"]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "another"), "HF_ENDPOINT": hub.address + "/"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((tmp_path / "another" / "hub").rglob("model.onnx"))
    done = subprocess.run(command, env=environment | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "HF_HUB_OFFLINE is set" in done.stderr


def test_no_network_at_all(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"Without a connection, fetch https://huggingface.co/immich-app/tiny"):
        offer(NAME)


def test_a_folder_without_any_network(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "offer", lambda _: pytest.fail("asked the hub"))
    outcome = run("models", "pull", "my model", "--from", str(source))
    assert outcome.exit_code == 0, outcome.output
    assert load_encoder("my model").fingerprint == load_encoder(str(source)).fingerprint
    (source / "visual" / "model.onnx").unlink()
    load_encoder("my model").encode_texts(["a dog"])  # it is a copy
    entry = store.find("my model")
    assert entry is not None
    (entry.path / "textual" / "model.onnx").write_bytes(b"other")
    outcome = run("models", "check", "my model")
    assert outcome.exit_code == 1
    assert "FAILED" in outcome.stdout


def test_a_second_encoder_says_what_it_encoded(source: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in ("red", "blue"):
        colour_image(colour, size=40).save(photos / f"{colour}.png")
    assert "2 added, 0 unchanged" in run("index", str(photos), "--encoder", "colours").stderr
    told = run("index", str(photos), "--encoder", str(source), "--beside").stderr
    assert "2 encoded, 0 unchanged" in told
    assert "nothing new, 2 unchanged" in run("index", str(photos), "--encoder", str(source)).stderr


def test_sources_that_do_not_suit(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, given, kind, message in (
        ("mine", tmp_path / "none", BadInput, "needs a model folder"),
        ("mine", tmp_path / "empty", ModelError, "no model folder"),
        ("openclip:RN50/openai", tmp_path / "empty", BadInput, "needs a checkpoint file"),
    ):
        with pytest.raises(kind, match=message):
            store.add_copy(name, given)
    assert not (tmp_path / "added-models").exists()


def test_names_that_can_be_none() -> None:
    for name in ("mini", "a/b/c/d", "../x/y", "http://host/x"):
        with pytest.raises(BadInput, match="no model that can be fetched"):
            offer(name)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.json", "image.onnx", "x/y"], ["model.json", "image.onnx"]),
        (
            ["config.json", "onnx/vision_model.onnx", "onnx/text_model.onnx", "onnx/text_model_int8.onnx", "a.md"],
            ["config.json", "onnx/vision_model.onnx", "onnx/text_model.onnx"],
        ),
        (
            ["config.json", "onnx/vision_model_quantized.onnx", "onnx/text_model_quantized.onnx", "tokenizer.json"],
            ["config.json", "tokenizer.json", "onnx/vision_model_quantized.onnx", "onnx/text_model_quantized.onnx"],
        ),
        (["model.onnx", "model.onnx_data", "config.json"], ["config.json", "model.onnx", "model.onnx_data"]),
        (["visual.onnx", "textual.onnx", "visual.mlpackage/x"], ["visual.onnx", "textual.onnx"]),
        (["pytorch_model.bin", "config.json"], []),
    ],
)
def test_only_what_is_needed_is_fetched(names: list[str], chosen: list[str]) -> None:
    assert choose_files(names) == chosen


def test_records_that_are_damaged_are_left_out(source: Path, tmp_path: Path) -> None:
    store.add_copy("one", source)
    (tmp_path / "added-models" / "two.json").write_text("{")
    (tmp_path / "added-models" / "three.json").write_text(json.dumps({"name": "three"}))
    assert [entry.name for entry in store.added()] == ["one"]
