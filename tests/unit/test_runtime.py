"""Which runtime runs an image tower: by a trial that is remembered, only where vectors stay what they are."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

tiny_models = pytest.importorskip("tiny_models", reason="needs onnx, which comes with the extra test")

from wordsight.encoders import runtime, trial  # noqa: E402
from wordsight.encoders.onnx import OnnxEncoder  # noqa: E402
from wordsight.encoders.runtime import Plan  # noqa: E402
from wordsight.encoders.trial import Measured, best, centred  # noqa: E402
from wordsight.errors import BadInput  # noqa: E402
from wordsight.library import Library  # noqa: E402
from wordsight.testing import colour_image  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WORDSIGHT_RUNTIME")
    monkeypatch.setattr(trial, "_SECONDS", 0.01)
    return tiny_models.immich(tmp_path / "model")


def pretend(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(trial, "available", lambda: names)


def test_the_trial_is_remembered_and_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "onnxruntime")
    encoder = OnnxEncoder(folder)
    before = encoder.encode_images([colour_image("red")])
    encoder.tune()
    (found,) = trial.known(encoder.fingerprint) or []
    assert (found.runtime, found.closeness) == ("onnxruntime", pytest.approx(1))
    assert found.images_per_second > 0
    monkeypatch.setattr(OnnxEncoder, "measure", lambda self: pytest.fail("measured again"))
    again = OnnxEncoder(folder)
    again.tune()
    assert again._image_plan() == Plan("onnxruntime", found.batch)
    np.testing.assert_allclose(
        again.encode_images([colour_image("red")]), before, atol=0.01
    )  # before, another runtime ran
    assert again.fingerprint == encoder.fingerprint


def test_without_a_trial_int8_runs_in_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDSIGHT_RUNTIME")
    monkeypatch.setattr(runtime, "_has_openvino", lambda: True)
    for variant, expected in (("", "openvino"), ("_quantized", "onnxruntime")):
        encoder = OnnxEncoder(tiny_models.transformers_js(tmp_path / f"model{variant}", variant=variant))
        assert encoder.runtime == expected


def test_other_versions_or_machines_measure_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "onnxruntime")
    encoder = OnnxEncoder(folder)
    encoder.tune()
    monkeypatch.setattr(trial, "processor", lambda: "another")
    assert trial.known(encoder.fingerprint) is None
    monkeypatch.undo()
    assert trial.known("another model") is None


def test_a_runtime_that_gives_other_vectors_is_not_taken() -> None:
    rows = [Measured("openvino", 4, 900.0, 0.97), Measured("onnxruntime", 2, 100.0, 1.0)]
    assert best(rows) == Plan("onnxruntime", 2)
    assert best([Measured("openvino", 4, 900.0, 0.995), *rows[1:]]) == Plan("openvino", 4)
    assert best([]) is None


def test_a_runtime_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_SECONDS", 0.01)
    pretend(monkeypatch, "onnxruntime", "cuda", "coreml")
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(12, 5)).astype(np.float32)

    def open_runtime(name: str):  # type: ignore[no-untyped-def]
        if name == "cuda":
            raise RuntimeError("no device")
        noise = 0 if name == "onnxruntime" else 3
        return lambda given: given["pixels"].reshape(-1, 12) @ matrix + noise * rng.normal(size=(1, 5)) * 500

    pixels = rng.integers(0, 256, (8, 2, 2, 3), np.uint8)
    found = trial.measure("tiny", open_runtime, pixels)
    assert {row.runtime: row.is_close for row in found} == {"onnxruntime": True, "coreml": False}
    assert best(found) == Plan("onnxruntime", next(row.batch for row in found if row.is_close))


def test_closeness_is_taken_after_subtracting_the_mean() -> None:
    common = np.array([100.0, 0, 0])
    want = common + np.array([[0, 1, 0], [0, -1, 0]])
    got = common + np.array([[0, 0, 1], [0, 0, -1]])
    plain = (want * got).sum(1) / np.linalg.norm(want, axis=1) / np.linalg.norm(got, axis=1)
    assert plain.min() > 0.999
    assert centred(want.astype(np.float32), got.astype(np.float32)) == pytest.approx(0, abs=1e-6)
    assert centred(want.astype(np.float32), want.astype(np.float32)) == pytest.approx(1)


def test_words_never_wait_for_a_trial(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = runtime.open_tower

    def spy(file: Path, output: str, **options: str):  # type: ignore[no-untyped-def]
        opened.append((file.parent.name, options["runtime"]))
        return real(file, output, **options)

    monkeypatch.setattr("wordsight.encoders.onnx.open_tower", spy)
    encoder = OnnxEncoder(folder)
    encoder.encode_texts(["a dog"])
    assert opened == [("textual", "onnxruntime")]


def test_many_threads_get_the_same(folder: Path) -> None:
    encoder = OnnxEncoder(folder, runtime="onnxruntime")
    pictures = [colour_image(name, size=64) for name in ("red", "green", "blue")]
    want, got = encoder.encode_images(pictures), {}
    threads = [
        threading.Thread(target=lambda n=n: got.update({n: encoder.encode_images(pictures)}))  # type: ignore[misc]
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((rows == want).all() for rows in got.values())
    assert len(got) == 4


def test_accelerators_that_are_not_there(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"cuda was asked for, but .* runs on onnxruntime"):
        OnnxEncoder(folder, runtime="cuda")
    with pytest.raises(BadInput, match="auto, onnxruntime, openvino, openvino-fp32, cuda"):
        OnnxEncoder(folder, runtime="abacus")


def test_only_long_jobs_tune_first(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("red", "green", "blue"):
        colour_image(name, size=40).save(photos / f"{name}.png")
    tuned = []
    monkeypatch.setattr(OnnxEncoder, "tune", lambda self: tuned.append(self.name))
    with Library(OnnxEncoder(folder), tmp_path / "one") as library:
        assert library.sync(photos).added == 3
    assert tuned == []
    monkeypatch.setattr("wordsight.library.sync.MANY", 3)
    with Library(OnnxEncoder(folder), tmp_path / "two") as library:
        library.sync(photos)
    assert tuned == ["model"]


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason='needs the extra "fast"')
    program = """
import sys
from pathlib import Path
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in {"socket.connect", "socket.getaddrinfo",
                 "subprocess.Popen", "os.fork", "os.posix_spawn"} else None)
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.testing import colour_image
OnnxEncoder(Path(sys.argv[1]), runtime="openvino").encode_images([colour_image("red")])
assert "openvino" in sys.modules
print(seen)
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    shipped = Path(runtime.__file__).parents[1] / "models/mini"
    told = subprocess.run(
        [sys.executable, "-c", program, str(shipped)],
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
    assert list(home.iterdir()) == []
