"""Folders of the transformers library with both towers in one graph, ``model.onnx``: pixel_values and input_ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wordsight.encoders.layouts import transformers_js
from wordsight.encoders.onnx_signature import signature

NAME = "combined"
EXPECTED = "model.onnx or onnx/model.onnx with both towers"


def fits(folder: Path) -> bool:
    """Say whether the folder has this layout."""
    return _file(folder) is not None


def describe(folder: Path) -> dict[str, Any]:
    """Return the folder's description; raises ``ModelError`` that names a missing fact."""
    file = _file(folder)
    assert file is not None
    made = transformers_js.describe_files(folder, file, file, ("image_embeds",), ("text_embeds",))
    inputs = signature(folder / file).inputs
    # A run asks for one side's output, and gives the other side's inputs something small.
    size = made["image"]["preprocess"]["size"]
    idle_picture = {made["image"]["input"]: {"kind": made["image"]["kind"], "shape": [1, 3, size, size]}}
    length = made["text"]["max_tokens"] if "pad" in made["text"] else 2
    idle_text = {
        name: {"kind": value.kind, "shape": [1, length]} for name, value in inputs.items() if name not in idle_picture
    }
    made["image"]["idle"], made["text"]["idle"] = idle_text, idle_picture
    return made


def _file(folder: Path) -> str | None:
    names = (f"{place}model{variant}.onnx" for place in ("", "onnx/") for variant in transformers_js.VARIANTS)
    for name in names:
        if (folder / name).is_file() and {"pixel_values", "input_ids"} <= signature(folder / name).inputs.keys():
            return name
    return None
