"""Targets that are files of our own: the catalogue, the notes, index files, ``.wsc``, model folders."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import sqlite3
import sys
import tempfile
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fuzz.edits import Choices, document, edited, flipped
from fuzz.target import Target, at, scratch
from wordsight.encoders import cluster_file
from wordsight.encoders.cluster_model import FitConfig, fit_model
from wordsight.encoders.folder import ModelFolder
from wordsight.encoders.layouts import open_model
from wordsight.encoders.onnx import OnnxEncoder
from wordsight.encoders.onnx_graph import read
from wordsight.encoders.onnx_rows import lean
from wordsight.encoders.onnx_signature import signature
from wordsight.errors import WordsightError
from wordsight.library import Catalogue, Library, derived, notes
from wordsight.library.catalogue import DATABASE
from wordsight.registry import MODELS
from wordsight.testing import ColourEncoder, colour_image

_LAYOUTS = ("immich", "rclip", "transformers_js", "combined")


@cache
def _sound_wsc() -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the manifest and the arrays of a small fitted engine."""
    colours = ("red", "green", "blue")
    pictures = [colour_image(colour, size=size) for colour in colours for size in (32, 40, 48, 56)]
    targets = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    model = fit_model(pictures, targets, colours, FitConfig(features="colour,patches(words=6)"), exemplars=frozenset())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sound.wsc"
        cluster_file.write(model, file)
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(members.pop("wordsight.json")), members


def _wsc(data: bytes) -> None:
    choices = Choices(data)
    manifest, arrays = _sound_wsc()
    kind = choices.byte() % 4
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        if kind == 0:
            archive.writestr("wordsight.json", document(manifest, choices))
        else:
            archive.writestr("wordsight.json", json.dumps(manifest))
        spoilt = choices.below(len(arrays)) if kind == 1 else -1
        for place, (name, array) in enumerate(arrays.items()):
            archive.writestr(name, flipped(array[:200], choices) + array[200:] if place == spoilt else array)
    whole = stream.getvalue()
    file = at("x.wsc", {2: flipped(whole, choices), 3: choices.rest()}.get(kind, whole))
    model = cluster_file.read(file)
    model.rows([colour_image("red", size=20)])


def _notes(data: bytes) -> None:
    choices = Choices(data)
    place = scratch() / "notes"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    book = notes.Notes(place)
    if choices.byte() % 2:
        (place / notes.FILE).write_bytes(flipped(_sound_notes(), choices))
    else:
        (place / notes.FILE).write_bytes(_sound_notes())
        saved = {"q": "dog", "encoder": None, "liked": ["ab"], "disliked": []}
        with closing(sqlite3.connect(place / notes.FILE)) as db, db:
            db.execute("UPDATE saved SET payload = CAST(? AS TEXT)", [document(saved, choices)])
    for step in (book.recent, book.saved, book.marks, lambda: book.remember("x"), lambda: book.find("dogs")):
        try:
            step()
        except WordsightError:
            continue


@cache
def _sound_notes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        book = notes.Notes(Path(folder))
        book.remember("a dog")
        book.save(notes.SavedQuery("dogs", "dog", liked=("ab" * 32,)))
        book.mark(notes.Mark("dog", "ab" * 32, 1))
        return (Path(folder) / notes.FILE).read_bytes()


@cache
def _sound_catalogue() -> Path:
    """Return a catalogue with index files, made once for this process."""
    place, photos = scratch() / "sound", scratch() / "photos"
    photos.mkdir(exist_ok=True)
    for colour in ("red", "green", "blue", "white"):
        colour_image(colour).save(photos / f"{colour}.png")
    encoder = ColourEncoder()
    with Library(encoder, place) as library:
        library.sync(photos)
    with Catalogue.open(place, create=True) as catalogue:
        with catalogue.writing():
            derived.fold(catalogue, catalogue.encoder_row(encoder))
        catalogue.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place


def _catalogue(data: bytes) -> None:
    """Spoil the database, one of the index files, or the manifest; then search, look for what is new, write."""
    choices = Choices(data)
    sound = _sound_catalogue()
    place = scratch() / "spoilt"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound, place)
    files = [place / DATABASE, *sorted(file for file in (place / "index").rglob("*") if file.is_file())]
    file = files[choices.byte() % len(files)]
    if file.name == "manifest.json":
        file.write_bytes(document(json.loads(file.read_bytes()), choices))
    else:
        file.write_bytes(flipped(file.read_bytes(), choices))
    with Library(ColourEncoder(), place) as library:
        for step in (
            lambda: library.search("red", top=10),
            lambda: library.status(scratch() / "photos"),
            lambda: library.sync(scratch() / "photos"),
            lambda: library.search("blue + white"),
        ):
            try:
                step()
            except WordsightError:
                continue


def _model(data: bytes) -> None:
    """Change the shipped model's ``model.json``; its files stay whole, so that none is loaded with success by luck."""
    folder = scratch() / "model"
    folder.mkdir(exist_ok=True)
    sound = json.loads((MODELS / "mini" / "model.json").read_bytes())
    (folder / "model.json").write_bytes(document(sound, Choices(data)))
    opened = ModelFolder.open(folder)
    for step in (
        lambda: (opened.name, opened.dim, opened.label_prompts, opened.fingerprint, opened.preprocess),
        lambda: OnnxEncoder(folder),
        lambda: opened.file("image.onnx"),
        lambda: OnnxEncoder(folder).stride,
        lambda: OnnxEncoder(folder).encode_texts(["dog"]),
    ):
        try:
            step()
        except WordsightError:
            continue


@cache
def _tiny_models() -> ModuleType:
    """Return the module of the tests that writes tiny models in the layouts of other programs."""
    file = Path(__file__).parent.parent / "tests" / "unit" / "tiny_models.py"
    spec = importlib.util.spec_from_file_location("tiny_models", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_models"] = module
    spec.loader.exec_module(module)
    return module


@cache
def _layout(name: str) -> Path:
    folder: Path = getattr(_tiny_models(), name)(scratch() / "layouts" / name)
    return folder


def _layouts(data: bytes) -> None:
    choices = Choices(data)
    sound = _layout(_LAYOUTS[choices.byte() % len(_LAYOUTS)])
    folder = scratch() / "layout"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = files[choices.byte() % len(files)]
    if file.suffix == ".json" and file.name != "tokenizer.json":
        file.write_bytes(document(json.loads(file.read_bytes()), choices))
    elif file.name == "tokenizer.json":
        changed = json.loads(file.read_bytes())
        while choices.left:
            changed = edited(changed, choices)
        file.write_text(json.dumps(changed))
    else:
        file.write_bytes(flipped(file.read_bytes(), choices))
    model = open_model(folder)
    assert model.fingerprint
    OnnxEncoder(folder)


def _signature(data: bytes) -> None:
    choices = Choices(data)
    sound = (_layout("rclip") / "visual.onnx").read_bytes()
    file = at("x.onnx", flipped(sound, choices) if choices.byte() % 4 else choices.rest())
    for output in getattr(read(file), "outputs", ()):
        lean(file, output)
    signature(file)


TARGETS = (
    Target(
        "wsc",
        "fitted engines (.wsc)",
        _wsc,
        lambda: [bytes([kind, 0, place, 3, 1]) for kind in range(4) for place in range(8)],
        (
            "wordsight.encoders.cluster_file",
            "wordsight.encoders.cluster_model",
            "wordsight.features.registry",
            "wordsight.features.codebook_lists",
            "wordsight.features.projection",
            "wordsight.clustering.prototypes",
        ),
    ),
    Target(
        "notes",
        "saved queries and marks (notes.sqlite3)",
        _notes,
        lambda: [bytes([kind, 1, place, 0, 5, 9]) for kind in range(2) for place in range(6)],
        ("wordsight.library.notes",),
    ),
    Target(
        "catalogue",
        "the catalogue's database and index files",
        _catalogue,
        lambda: [bytes([kind, 4, place, 7, 9]) for kind in range(4) for place in range(0, 250, 50)],
        ("wordsight.library.catalogue", "wordsight.library.derived", "wordsight.library.schema"),
    ),
    Target(
        "model",
        "model.json, also of trained models",
        _model,
        lambda: [bytes([0, 1, 0, place, 5, 0, 9, 0]) for place in range(12)],
        ("wordsight.encoders.folder", "wordsight.encoders.preprocess", "wordsight.encoders.onnx"),
    ),
    Target(
        "layouts",
        "model folders of other programs",
        _layouts,
        lambda: [bytes([layout, file, 0, 1, 0, 2, 5, 0, 9]) for layout in range(4) for file in range(6)],
        ("wordsight.encoders.layouts", "wordsight.encoders.onnx_signature", "wordsight.encoders.preprocess"),
    ),
    Target(
        "signature",
        "inputs, outputs and steps of an ONNX file",
        _signature,
        lambda: [bytes([1, 4, 0, place, 9]) for place in range(0, 250, 30)],
        ("wordsight.encoders.onnx_signature", "wordsight.encoders.onnx_graph", "wordsight.encoders.onnx_rows"),
    ),
)
