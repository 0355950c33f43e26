"""Is a model folder what it should be? Files, vocabulary, preprocessing and answers, as far as each can be known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wordsight.encoders import store
from wordsight.encoders.export_quality import TEXTS, synthetic
from wordsight.encoders.folder import OWN
from wordsight.encoders.layouts import open_model
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.errors import ModelError
from wordsight.protocols import Image
from wordsight.types import Embeddings

ANSWERS = "answers.json"
_LEAST = 0.99
_PICTURES, _SIDE = 8, 300
_ODD = ("A Dog!", "狗", "", "word " * 200)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``passed`` is ``None`` where the folder does not hold what it would need."""

    what: str
    passed: bool | None
    said: str


def check(path: Path) -> list[Finding]:
    """Return what was found of the model in folder ``path``; a check that needs one that failed is left out."""
    findings: list[Finding] = []
    try:
        folder = open_model(path)
        encoder = OnnxEncoder(path, runtime="onnxruntime")
        findings.append(Finding("layout", True, f"{folder.layout}, {folder.dim} dimensions"))
        findings.append(_files(path, folder.layout, folder.describe["files"]))
        if findings[-1].passed is False:
            return findings
        findings.append(_texts(encoder))
        findings.append(_pictures(encoder))
        findings.append(_answers(path, encoder))
    except ModelError as error:
        findings.append(Finding("layout" if not findings else "towers", False, str(error)))
    return findings


def answers(encoder: OnnxEncoder) -> dict[str, object]:
    """Return the answers to the built-in pictures and texts, to be kept with a model."""
    return {
        "images": np.round(encoder.encode_images(_pictures_asked()), 5).tolist(),
        "texts": np.round(encoder.encode_texts(TEXTS), 5).tolist(),
    }


def _pictures_asked() -> list[Image]:
    return [picture.resize((_SIDE + 40 * n, _SIDE)) for n, picture in enumerate(synthetic(_PICTURES, _SIDE))]


def _files(path: Path, layout: str, files: dict[str, dict[str, object]]) -> Finding:
    if layout == OWN:
        folder = open_model(path)
        for name in files:
            try:
                folder.file(name)
            except ModelError as error:
                return Finding("files", False, str(error))
        return Finding("files", True, f"{len(files)} files are as recorded in model.json")
    for entry in store.added():
        if entry.path == path:
            try:
                store.verify(entry)
            except ModelError as error:
                return Finding("files", False, str(error))
            return Finding("files", True, f"{len(entry.files)} files are as they were when they were pulled")
    return Finding("files", None, "this layout records no checksums, and the folder was not pulled")


def _texts(encoder: OnnxEncoder) -> Finding:
    rows = encoder.encode_texts([*TEXTS, *_ODD])
    if not np.isfinite(rows).all():
        return Finding("texts", False, "some text has no finite vector")
    closest = _closest(rows[: len(TEXTS)])
    if closest > 0.9999:
        return Finding("texts", False, "different texts have the same vector: the vocabulary is not the model's")
    return Finding("texts", True, f"{len(rows)} texts read; the two closest different ones have cosine {closest:.3f}")


def _pictures(encoder: OnnxEncoder) -> Finding:
    pictures = _pictures_asked()
    rows = encoder.encode_images(pictures)
    alone = np.concatenate([encoder.encode_images([picture]) for picture in pictures])
    if not np.isfinite(rows).all() or _closest(rows) > 0.9999:
        return Finding("pictures", False, "different pictures have the same vector, or none that is finite")
    if float((rows * alone).sum(axis=1).min()) < 0.999:
        return Finding("pictures", False, "a picture's vector depends on the pictures beside it")
    size = encoder.image_side
    return Finding("pictures", True, f"{len(rows)} built-in pictures read at {size} x {size}")


def _answers(path: Path, encoder: OnnxEncoder) -> Finding:
    """Compare with the answers recorded at export: preprocessing, vocabulary and both towers at once."""
    try:
        said = json.loads((path / ANSWERS).read_text("utf-8"))
        known = {side: np.asarray(said[side], np.float32) for side in ("images", "texts")}
    except FileNotFoundError:
        return Finding("answers", None, "no answers are recorded: preprocessing cannot be proven, only read")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding("answers", False, f"{ANSWERS} cannot be read: {error}")
    got = answers(encoder)
    worst = {}
    for side, want in known.items():
        have = np.asarray(got[side], np.float32)
        if have.shape != want.shape:
            return Finding("answers", False, f"{ANSWERS} belongs to another model: its vectors have another length")
        centred = [rows - want.mean(axis=0) for rows in (want, have)]
        cosines = (centred[0] * centred[1]).sum(axis=1) / np.prod([np.linalg.norm(c, axis=1) for c in centred], axis=0)
        worst[side] = float(cosines.min())
    passed = min(worst.values()) >= _LEAST
    return Finding(
        "answers",
        passed,
        f"cosine to the recorded answers, after subtracting the mean: pictures at least {worst['images']:.4f}, texts "
        f"{worst['texts']:.4f} ({_LEAST} is needed)",
    )


def _closest(rows: Embeddings) -> float:
    scores = rows @ rows.T
    np.fill_diagonal(scores, -1)
    return float(scores.max())
