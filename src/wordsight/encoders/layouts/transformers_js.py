"""The folders of transformers.js and of Optimum: towers of the transformers library, configured as it does.

``onnx/text_model.onnx`` and ``onnx/vision_model.onnx``, or variants of them that are stored in another precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wordsight.encoders.layouts import parts
from wordsight.encoders.onnx_signature import signature
from wordsight.errors import ModelError

NAME = "transformers.js"
EXPECTED = "onnx/text_model.onnx and onnx/vision_model.onnx, or variants such as onnx/text_model_quantized.onnx"
VARIANTS = ("", "_fp16", "_quantized", "_int8", "_uint8")  # the first that is there
_FILLED = ("siglip",)  # trained on texts of full length, without a mask


def fits(folder: Path) -> bool:
    """Say whether the folder has this layout."""
    return _variant(folder, "text_model") is not None and _variant(folder, "vision_model") is not None


def describe(folder: Path) -> dict[str, Any]:
    """Return the folder's description; raises ``ModelError`` that names a missing fact."""
    vision, words = _variant(folder, "vision_model"), _variant(folder, "text_model")
    assert vision is not None
    assert words is not None
    return describe_files(folder, vision, words, ("image_embeds", "pooler_output"), ("text_embeds", "pooler_output"))


def describe_files(
    folder: Path, vision: str, words: str, images: tuple[str, ...], texts: tuple[str, ...]
) -> dict[str, Any]:
    """Return the description of two graphs, or one in both roles; the first of the outputs that is there counts."""
    prepared, config_file = folder / "preprocessor_config.json", folder / "config.json"
    config = parts.read_json(config_file)
    kind = parts.need(config, "model_type", config_file, "what kind of model it is")
    image = parts.image_side(
        folder,
        vision,
        *parts.image_processor(parts.read_json(prepared), prepared),
        output=_output(folder / vision, images),
    )
    tokens = parts.read_json(folder / "tokenizer_config.json")
    text_config = config.get("text_config", {})
    context = text_config.get("max_position_embeddings") or tokens.get("model_max_length")
    if context is None or context > 100_000:  # the library writes 1e30 where it does not know
        context = _length(folder / words) or parts.need({}, "model_max_length", config_file, "how long texts may be")
    filled = kind.startswith(_FILLED)
    if not filled and kind != "clip" and "attention_mask" not in signature(folder / words).inputs:
        raise ModelError(f"{folder} does not say whether texts of a {kind!r} model are filled up, and it has no mask")
    text = parts.text_side(
        folder,
        words,
        "tokenizer.json",
        context=int(context),
        pad=parts.token_id(folder, "tokenizer.json", tokens.get("pad_token")),
        fill=filled,
        output=_output(folder / words, texts),
    )
    return parts.described(folder, image, text, config.get("projection_dim"))


def _length(file: Path) -> int | None:
    return parts.text_input(signature(file), file)[1].shape[1]


def _variant(folder: Path, stem: str) -> str | None:
    names = (f"onnx/{stem}{variant}.onnx" for variant in VARIANTS)
    return next((name for name in names if (folder / name).is_file()), None)


def _output(file: Path, known: Iterable[str]) -> str:
    there = signature(file).outputs
    for name in known:
        if name in there:
            return name
    raise ModelError(f"{file} has none of the outputs {', '.join(known)}: it has {', '.join(there)}")
