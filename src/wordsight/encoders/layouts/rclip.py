"""The folders of rclip: ``visual.onnx`` and ``textual.onnx``, an OpenCLIP model named by the folder.

The vocabulary is a ``tokenizer.json``, or OpenAI's list of merges in the folder or beside it, as rclip keeps it. rclip
holds the preprocessing of its model in its program; a folder of any other name must have OpenCLIP's
``preprocess_cfg.json`` or ``open_clip_config.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wordsight.encoders.layouts import parts
from wordsight.errors import ModelError

NAME = "rclip"
EXPECTED = "visual.onnx and textual.onnx"
_MERGES = "tokenizer/bpe_simple_vocab_16e6.txt.gz"
_CONTEXT = 77
_CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
_PUBLISHED = {"ViT-B-32-256-datacomp_s34b_b86k": {"size": 256, **_CLIP}}


def fits(folder: Path) -> bool:
    """Say whether the folder has this layout."""
    return (folder / "visual.onnx").is_file() and (folder / "textual.onnx").is_file()


def describe(folder: Path) -> dict[str, Any]:
    """Return the folder's description; raises ``ModelError`` that names a missing fact."""
    image = parts.image_side(folder, "visual.onnx", *parts.open_clip_preprocessing(*_preprocessing(folder)))
    text = parts.text_side(folder, "textual.onnx", _vocabulary(folder), context=_CONTEXT, pad=0, fill=True)
    return parts.described(folder, image, text | {"clean": "whitespace"}, None)


def _preprocessing(folder: Path) -> tuple[dict[str, Any], Path]:
    alone, whole = folder / "preprocess_cfg.json", folder / "open_clip_config.json"
    if alone.is_file():
        return parts.read_json(alone), alone
    if whole.is_file():
        return parts.need(parts.read_json(whole), "preprocess_cfg", whole, "how pictures are prepared"), whole
    if folder.name in _PUBLISHED:
        return _PUBLISHED[folder.name], folder
    raise ModelError(
        f"{folder} does not say how pictures are prepared, and it is not guessed: put the model's preprocess_cfg.json "
        f"of OpenCLIP beside visual.onnx, or name the folder as rclip does ({', '.join(_PUBLISHED)})"
    )


def _vocabulary(folder: Path) -> str:
    for name in ("tokenizer.json", "tokenizer/tokenizer.json", _MERGES, Path(_MERGES).name, f"../{_MERGES}"):
        if (folder / name).is_file():
            return name
    raise ModelError(f"{folder} has no vocabulary: expected tokenizer.json, or {_MERGES} in it or beside it")
