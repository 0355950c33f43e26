"""What several layouts share: configuration files, graphs' inputs, preprocessing written in two ways."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wordsight.encoders.digests import digest
from wordsight.encoders.onnx_signature import Signature, Value, signature
from wordsight.errors import ModelError

_SIDECARS = (".onnx_data", ".onnx.data", ".data", ".weights")
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def read_json(file: Path) -> dict[str, Any]:
    """Return a configuration; raises ``ModelError`` where it is missing or damaged."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{file.parent} lacks {file.name}: fetch the folder again, complete") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{file} holds no JSON object")
    return found


def need(config: Mapping[str, Any], key: str, file: Path, what: str) -> Any:
    """Return a fact of the configuration; raises ``ModelError`` that names it when it is not there."""
    if config.get(key) is None:
        raise ModelError(f'{file} does not say {what} ("{key}"), and it is not guessed: add it to the file')
    return config[key]


def files(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of the files that decide vectors, with those that hold a graph's weights beside it."""
    found = {}
    for name in names:
        path = folder / name
        beside = [path.with_name(path.stem + ending) for ending in _SIDECARS] if path.suffix == ".onnx" else []
        for file in [path, *(extra for extra in beside if extra.is_file())]:
            try:
                entry = {"sha256": digest(file), "bytes": file.stat().st_size}
            except OSError as error:
                raise ModelError(f"{file} cannot be read: {error}") from error
            found[file.relative_to(folder).as_posix()] = entry
    return found


def image_side(
    folder: Path, file: str, preprocess: dict[str, Any], mean: Sequence[float], std: Sequence[float], output: str = ""
) -> dict[str, Any]:
    """Return the description of an image tower whose input is told by its graph."""
    graph = signature(folder / file)
    name, value = _picture_input(graph, folder / file)
    side: dict[str, Any] = {
        "file": file,
        "input": name,
        "kind": value.kind,
        "output": output or _only_output(graph, folder / file),
    }
    if value.kind != "uint8":  # else the graph normalises
        side["normalise"] = {"mean": list(map(float, mean)), "std": list(map(float, std))}
    if value.shape and value.shape[0] is not None:
        side["batch"] = value.shape[0]
    sides = {size for size in value.shape[1:] if size not in (None, 3)}
    if sides - {preprocess["size"]}:
        raise ModelError(
            f"{folder / file} takes pictures of {max(filter(None, sides))} pixels a side, but the folder's "
            f"preprocessing makes {preprocess['size']}: one of the two files belongs to another model"
        )
    return side | {"preprocess": preprocess}


def text_side(
    folder: Path, file: str, tokenizer: str, *, context: int, pad: int | None, fill: bool, output: str = ""
) -> dict[str, Any]:
    """Return the description of a text tower; ``fill``: texts are filled up with ``pad`` to ``context`` tokens.

    They are filled, too, where the graph takes one length only. Raises ``ModelError`` where ``pad`` is needed, but not
    known.
    """
    graph = signature(folder / file)
    name, value = text_input(graph, folder / file)
    described: dict[str, Any] = {
        "file": file,
        "tokenizer": tokenizer,
        "max_tokens": context,
        "attention_mask": "attention_mask" in graph.inputs,
        "input": name,
        "kind": value.kind,
        "output": output or _only_output(graph, folder / file),
    }
    length = value.shape[1] if len(value.shape) == 2 else None
    if length is not None and length != context:
        raise ModelError(f"{folder / file} takes {length} tokens, but the folder's configuration says {context}")
    if fill or length is not None:
        if pad is None:
            raise ModelError(f"{folder} does not say with which token short texts are filled up (pad_token)")
        described["pad"] = pad
    if value.shape and value.shape[0] is not None:
        described["batch"] = value.shape[0]
    return described


def text_input(graph: Signature, file: Path) -> tuple[str, Value]:
    """Return the input for tokens; raises ``ModelError`` where it cannot be told."""
    for name in ("input_ids", "text", "input"):
        if name in graph.inputs and graph.inputs[name].kind in ("int32", "int64"):
            return name, graph.inputs[name]
    raise ModelError(f"{file} has no known input for tokens: expected input_ids, text or input, of int32 or int64")


def _picture_input(graph: Signature, file: Path) -> tuple[str, Value]:
    for name in ("pixel_values", "image", "pixels", "input"):
        if name in graph.inputs and graph.inputs[name].kind in ("float32", "float16", "uint8"):
            return name, graph.inputs[name]
    raise ModelError(f"{file} has no input for pictures that is known: expected pixel_values, image, pixels or input")


def _only_output(graph: Signature, file: Path) -> str:
    known = [name for name in ("embedding", "output") if name in graph.outputs]
    if not known and len(graph.outputs) != 1:
        raise ModelError(f"{file} does not say which output is the embedding: it has {', '.join(graph.outputs)}")
    return known[0] if known else next(iter(graph.outputs))


def width(folder: Path, side: Mapping[str, Any]) -> int | None:
    """Return the length of the vectors that a tower gives, where its graph says."""
    value = signature(folder / side["file"]).outputs.get(side["output"])
    return value.shape[-1] if value and len(value.shape) == 2 else None


def described(folder: Path, image: dict[str, Any], text: dict[str, Any], dim: int | None) -> dict[str, Any]:
    """Return the whole ``model.json``; ``dim``: as the configuration says, needed where the graphs do not tell.

    Raises ``ModelError`` where the towers, or they and the configuration, disagree.
    """
    said = {size for size in (dim, width(folder, image), width(folder, text)) if size is not None}
    if len(said) != 1:
        raise ModelError(
            f"{folder}: the graphs and the configuration say different lengths of vectors: {sorted(said)}"
            if said
            else f"{folder} does not say how long its vectors are, neither in the graphs nor in config.json"
        )
    return {
        "format": "wordsight-model",
        "format_version": 1,
        "name": folder.name,
        "dim": said.pop(),
        "image": image,
        "text": text,
        "files": files(folder, {image["file"]: 0, text["file"]: 0, text["tokenizer"]: 0}),
    }


def open_clip_preprocessing(config: Mapping[str, Any], file: Path) -> tuple[dict[str, Any], Any, Any]:
    """Return preprocessing, mean and deviation from a ``preprocess_cfg`` of OpenCLIP's."""
    size = _square(need(config, "size", file, "how large pictures are"), file)
    if config.get("mode", "RGB") != "RGB":
        raise ModelError(f"{file}: pictures of mode {config['mode']!r} are not known; expected RGB")
    mode = need(config, "resize_mode", file, "how pictures are made square")
    interpolation = need(config, "interpolation", file, "how pictures are scaled")
    mean, std = (need(config, key, file, "how pixels are normalised") for key in ("mean", "std"))
    return {"mode": mode, "size": size, "interpolation": interpolation, "averaging": False}, mean, std


def image_processor(config: Mapping[str, Any], file: Path) -> tuple[dict[str, Any], Any, Any]:
    """Return preprocessing, mean and deviation from a ``preprocessor_config.json`` of the transformers library."""
    for key in ("do_resize", "do_rescale", "do_normalize"):
        if not config.get(key, key == "do_rescale"):
            raise ModelError(f"{file}: preprocessing without {key} is not known")
    factor = config.get("rescale_factor", 1 / 255)
    if abs(factor * 255 - 1) > 1e-6:
        raise ModelError(f"{file}: a rescale_factor of {factor} is not known; expected 1/255")
    resample = need(config, "resample", file, "how pictures are scaled")
    if resample not in _RESAMPLING:
        raise ModelError(f"{file}: resample {resample!r} is not known; expected one of {_RESAMPLING}")
    size = need(config, "size", file, "how large pictures are")
    shorter = size if isinstance(size, int) else size.get("shortest_edge")
    if shorter is None:
        if config.get("do_center_crop"):
            raise ModelError(f"{file}: scaling to width and height and then cutting is not known")
        preprocess = {"mode": "squash", "size": _square(size, file)}
    else:
        if not config.get("do_center_crop"):
            raise ModelError(f"{file}: scaling the shorter side to {shorter} without cutting gives no square")
        crop = _square(need(config, "crop_size", file, "what is cut from pictures"), file)
        preprocess = {"mode": "shortest", "size": crop, "shorter": int(shorter)}
    mean, std = (need(config, key, file, "how pixels are normalised") for key in ("image_mean", "image_std"))
    return preprocess | {"interpolation": _RESAMPLING[resample], "averaging": False}, mean, std


def _square(size: Any, file: Path) -> int:
    if isinstance(size, dict):
        size = [size.get("height"), size.get("width")]
    sides = size if isinstance(size, list) else [size]
    if not all(isinstance(side, int) for side in sides) or len(set(sides)) != 1:
        raise ModelError(f"{file}: pictures of size {size!r} are not known; expected a square")
    return int(sides[0])


def token_id(folder: Path, tokenizer: str, token: Any) -> int | None:
    """Return the number of a special token, as ``tokenizer_config.json`` writes it; ``None`` where there is none."""
    text = token.get("content") if isinstance(token, dict) else token
    vocabulary = read_json(folder / tokenizer)
    for entry in vocabulary.get("added_tokens", []):
        if entry.get("content") == text:
            return int(entry["id"])
    words = vocabulary.get("model", {}).get("vocab", {})
    if isinstance(words, dict) and text in words:
        return int(words[text])
    listed = words if isinstance(words, list) else []  # of pieces with their scores
    return next((place for place, entry in enumerate(listed) if entry[0] == text), None)
