"""From an OpenCLIP encoder to a model folder that needs no torch, proven equal before it is kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx

from wordsight.encoders import export_graphs, export_level, export_quality
from wordsight.encoders.check import ANSWERS, answers
from wordsight.encoders.export_int8 import methods, quantised, share_weights
from wordsight.encoders.export_quality import LEAST_FOR_INT8, LIMITS, NotCloseError, Parity
from wordsight.encoders.export_tokens import exported_tokenizer
from wordsight.encoders.export_towers import image_graph, map_graph, takes_short_texts, text_graph
from wordsight.encoders.folder import FORMAT_VERSION
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.encoders.open_clip import OpenClipEncoder
from wordsight.encoders.preprocess import to_pixels
from wordsight.errors import BadInput
from wordsight.protocols import Image

PRECISIONS = tuple(LIMITS)


def export(
    encoder: OpenClipEncoder, output: Path, *, precision: str = "bf16", photos: Sequence[Image] = (), name: str = ""
) -> Parity:
    """Write ``output``, a folder that appears complete or not at all; return how close it is to ``encoder``.

    ``precision``: how weights are stored ("fp32", "bf16", "fp16": computing stays float32 unless the runtime chooses
    otherwise), or "int8" for an image tower that computes so, which needs at least 32 photos to be judged on; maps are
    computed from the same weights in float32 then, and texts are bf16. Without ``photos`` the proof uses synthetic
    pictures.
    Raises ``BadInput`` for an output that exists and ``ModelError`` where the export is not close enough (``LIMITS``).
    """
    if precision not in PRECISIONS:
        raise BadInput(f"unknown precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if output.exists():
        raise BadInput(f"{output} exists: remove it, or choose another folder")
    if not output.parent.is_dir():
        raise BadInput(f"{output.parent} is no folder to write {output.name} into")
    if precision == "int8" and len(photos) < LEAST_FOR_INT8:
        raise BadInput(f"int8 is judged on your photos: give a folder of at least {LEAST_FOR_INT8}, got {len(photos)}")
    images = list(photos) or export_quality.synthetic()
    source = "photos given" if photos else "synthetic pictures"
    *others, last = methods(image_graph(encoder)) if precision == "int8" else ("",)
    for method in others:
        with suppress(NotCloseError):
            return _attempt(encoder, output, precision, method, images, source, name or output.name)
    return _attempt(encoder, output, precision, last, images, source, name or output.name)


def _attempt(
    encoder: OpenClipEncoder,
    output: Path,
    precision: str,
    method: str,
    images: Sequence[Image],
    source: str,
    name: str,
) -> Parity:
    fresh = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        _write(encoder, fresh, precision, method, images, name)
        exported = OnnxEncoder(fresh, runtime="onnxruntime")
        parity = export_quality.measure(encoder.in_float32(), exported, images, source)
        export_quality.check(parity, precision, encoder.name)
        (fresh / ANSWERS).write_text(json.dumps(answers(exported)) + "\n", "utf-8")
        report = {
            "from": encoder.name,
            "precision": precision,
            **({"scales": method} if method else {}),
            "least": LIMITS[precision],
            **parity.to_json(),
        }
        (fresh / "parity.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
        fresh.chmod(0o777 & ~_umask())
        fresh.rename(output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return parity


def _write(
    encoder: OpenClipEncoder, folder: Path, precision: str, method: str, images: Sequence[Image], name: str
) -> None:
    image, places, text = image_graph(encoder), map_graph(encoder), text_graph(encoder)
    if precision == "int8":
        pixels = [to_pixels(picture, encoder.preprocess) for picture in images]
        known = export_level.factors(image, pixels)
        for graph in (image, places):
            export_level.apply(graph, known)
        small = quantised(image, pixels, method)
        share_weights(places, image, small)
        image = small
    for graph in (places, text) if precision == "int8" else (image, places, text):
        if precision != "fp32":
            export_graphs.narrow(graph, "bf16" if precision == "int8" else precision)
    export_graphs.move_weights({"image.onnx": image, "image_map.onnx": places}, folder, "image.weights")
    export_graphs.move_weights({"text.onnx": text}, folder, "text.weights")
    exported_tokenizer(encoder.tokens).save(str(folder / "tokenizer.json"))
    description = _description(encoder, name, precision, _any_size(places))
    description["files"] = {file.name: _entry(file) for file in sorted(folder.iterdir())}
    (folder / "model.json").write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _description(encoder: OpenClipEncoder, name: str, precision: str, any_size: bool) -> dict[str, Any]:
    text: dict[str, Any] = {
        "file": "text.onnx",
        "tokenizer": "tokenizer.json",
        "max_tokens": encoder.tokens.context,
        "attention_mask": False,
    }
    if not takes_short_texts(encoder.model):
        text["pad"] = encoder.tokens.pad
    return {
        "format": "wordsight-model",
        "format_version": FORMAT_VERSION,
        "name": name,
        "dim": encoder.dim,
        "image": {
            "file": "image.onnx",
            "map_file": "image_map.onnx",
            "stride": encoder.stride,
            "map_any_size": any_size,
            "pools_by_mean": encoder.pools_by_mean,
            "preprocess": encoder.preprocess.to_json(),
        },
        "text": text,
        "prompts": {"label": list(encoder.label_prompts)},
        "made_from": {"name": encoder.name, "fingerprint": encoder.fingerprint, "precision": precision},
    }


def _any_size(graph: onnx.ModelProto) -> bool:
    return bool(graph.graph.input[0].type.tensor_type.shape.dim[1].HasField("dim_param"))


def _entry(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "bytes": file.stat().st_size}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
