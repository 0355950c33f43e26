"""What fuzzing found once is never let in again; `make fuzz` looks for more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs onnx, which comes with the extra test")
pytest.importorskip("fastapi", reason="needs the extra web")

from fuzz.edits import Choices, document, flipped
from fuzz.targets import TARGETS

INPUTS = Path(__file__).parents[2] / "fuzz" / "inputs"
FOUND = sorted((folder.name, file.name) for folder in INPUTS.iterdir() for file in folder.iterdir())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in TARGETS[name].seeds()[:8]:
        TARGETS[name](seed)


@pytest.mark.parametrize(("target", "name"), FOUND)
def test_what_was_found(target: str, name: str) -> None:
    TARGETS[target]((INPUTS / target / name).read_bytes())


def test_a_target_lets_no_other_error_pass() -> None:
    target = TARGETS["cursors"]
    broken = type(target)("broken", "", lambda data: {}[data], target.seeds, target.modules)
    with pytest.raises(KeyError):
        broken(b"x")


def test_edits_change_the_document() -> None:
    sound = {"a": [1, {"b": "text"}], "c": None}
    made = {document(sound, Choices(bytes([0, 1, 0, place, step, 3, 4]))) for place in range(2) for step in range(12)}
    assert {b'{"a": [{"b": "text"}], "c": null}', b"{}"} < made | {b"{}"}
    assert len(made) >= 5
    assert document(sound, Choices(b"")) == json.dumps(sound).encode()
    assert document(sound, Choices(b"\x07as it is")) == b"as it is"
    assert flipped(b"abcdef", Choices(bytes([4, 0, 2, 120]))) == b"abxdef"
    assert flipped(b"abcdef", Choices(b"")) == b"abcdef"
