"""The folders of immich, such as ``immich-app/ViT-B-32__openai``: an OpenCLIP model as two graphs.

``config.json`` is OpenCLIP's of the model, ``visual/preprocess_cfg.json`` its preprocessing; texts are filled up with
the ``pad_token`` of ``textual/tokenizer_config.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wordsight.encoders.layouts import parts
from wordsight.errors import ModelError

NAME = "immich"
EXPECTED = "visual/model.onnx and textual/model.onnx"
_CLEANING = {None: "whitespace", "whitespace": "whitespace", "lower": "lower", "canonicalize": "canonicalize"}


def fits(folder: Path) -> bool:
    """Say whether the folder has this layout."""
    return (folder / "visual" / "model.onnx").is_file() and (folder / "textual" / "model.onnx").is_file()


def describe(folder: Path) -> dict[str, Any]:
    """Return the folder's description; raises ``ModelError`` that names a missing fact."""
    config_file, visual = folder / "config.json", folder / "visual" / "preprocess_cfg.json"
    config = parts.read_json(config_file)
    words = parts.need(config, "text_cfg", config_file, "how texts are read")
    cleaning = (words.get("tokenizer_kwargs") or {}).get("clean")
    if cleaning not in _CLEANING:
        raise ModelError(f"{config_file}: texts cleaned by {cleaning!r} are not known; expected {list(_CLEANING)}")
    tokens = parts.read_json(folder / "textual" / "tokenizer_config.json")
    preprocess = parts.open_clip_preprocessing(parts.read_json(visual), visual)
    image = parts.image_side(folder, "visual/model.onnx", *preprocess)
    text = parts.text_side(
        folder,
        "textual/model.onnx",
        "textual/tokenizer.json",
        context=int(words.get("context_length", 77)),  # OpenCLIP's default, which its files leave out
        pad=parts.token_id(folder, "textual/tokenizer.json", tokens.get("pad_token")),
        fill=True,
    )
    return parts.described(folder, image, text | {"clean": _CLEANING[cleaning]}, config.get("embed_dim"))
