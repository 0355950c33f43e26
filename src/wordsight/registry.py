"""From a name to an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.errors import MissingExtra, UnknownEncoder
from wordsight.preference import DEFAULT
from wordsight.protocols import Encoder

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from wordsight.encoders.store import Added

MODELS = Path(__file__).parent / "models"
PLUGIN_GROUP = "wordsight.encoders"


def encoder_names() -> tuple[str, ...]:
    """Return the names that need no path: shipped models, then installed plug-ins."""
    shipped = sorted(file.parent.name for file in MODELS.glob("*/model.json"))
    plugins = sorted(entry.name for entry in _plugins())
    return (*shipped, *plugins)


def load_encoder(name: str = DEFAULT) -> Encoder:
    """Return the encoder called ``name``.

    Names are those of shipped, added (``wordsight models pull``) and plugged-in encoders, the path of a model folder or
    of a ``.wsc`` file, and ``openclip:...``. A plug-in is an entry point of the group ``wordsight.encoders`` that names
    a callable without arguments.
    Nothing heavy is loaded before the first call to ``encode_*``. Raises ``UnknownEncoder`` or ``ModelError``.
    """
    if (MODELS / name / "model.json").is_file() and Path(name).name == name:
        return _onnx(MODELS / name)
    if name.startswith("openclip:"):
        return _open_clip(name)
    if Path(name).is_dir():
        return _onnx(Path(name))
    if (added := _added(name)) is not None:
        return _onnx(added.path, name)
    if Path(name).suffix == ".wsc":
        return _cluster(Path(name))
    for entry in _plugins():
        if entry.name == name:
            encoder: Encoder = entry.load()()
            return encoder
    known = ", ".join(encoder_names())
    raise UnknownEncoder(
        f"no encoder is called {name!r}: expected one of {known}, the path of a model folder or of a .wsc file, "
        "or openclip:ARCHITECTURE/TAG"
    )


def _cluster(file: Path) -> Encoder:
    from wordsight.encoders.cluster import ClusterEncoder

    return ClusterEncoder.load(file, texts=load_encoder)


def _onnx(folder: Path, name: str | None = None) -> Encoder:
    from wordsight.encoders.onnx import OnnxEncoder

    return OnnxEncoder(folder, name=name)


def _open_clip(name: str) -> Encoder:
    from importlib.util import find_spec

    if find_spec("open_clip") is None or find_spec("torch") is None:
        raise MissingExtra("an OpenCLIP model", "openclip")
    from wordsight.encoders.open_clip import OpenClipEncoder

    added = _added(name)
    if added is None or added.fetched:
        return OpenClipEncoder(name)
    encoder = OpenClipEncoder(f"{name}={added.path}")
    encoder.name = name
    return encoder


def _added(name: str) -> Added | None:
    from wordsight.encoders import store  # a shipped model need not wait for it

    return store.find(name)


def _plugins() -> EntryPoints:
    from importlib.metadata import entry_points  # a shipped model need not wait for it

    return entry_points(group=PLUGIN_GROUP)
