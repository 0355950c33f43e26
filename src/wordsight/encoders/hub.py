"""Models from the Hugging Face hub, or a mirror of it: what would be fetched, and fetching it.

``huggingface_hub`` resumes what was cut off, and follows the usual variables for proxies, certificates, ``HF_HOME``,
``HF_ENDPOINT`` and ``HF_TOKEN``. It compares sizes only; here, every file is compared with the checksum that the hub
publishes. With ``HF_HUB_OFFLINE`` nothing is asked at all.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordsight.encoders import store
from wordsight.encoders.digests import digest
from wordsight.encoders.layouts import transformers_js
from wordsight.encoders.store import OPENCLIP, Added
from wordsight.errors import BadInput, MissingExtra, ModelError

_HUB = "https://huggingface.co"
_SETTINGS = re.compile(r"[^/]+\.(json|txt|model)")
_MERGES = "tokenizer/bpe_simple_vocab_16e6.txt.gz"
_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the hub; ``checksum``: "sha256:..." of its content, or "git:..." as git names small files."""

    name: str
    bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be fetched as ``name``: files of one commit of a repository."""

    name: str
    repository: str
    commit: str
    files: tuple[RemoteFile, ...]
    folder: str = ""

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)


def offer(name: str) -> Offer:
    """Ask the hub what ``name`` is: "openclip:...", or the repository ORG/REPO or ORG/REPO/FOLDER of an ONNX model.

    Raises ``BadInput`` for a name that can be none, ``MissingExtra`` where OpenCLIP is needed to know,
    and ``ModelError`` where the hub cannot be reached, or has no such model.
    """
    repository, folder, choose = _wanted(name)
    _refuse_offline(name, repository)
    from huggingface_hub import HfApi

    try:
        api = HfApi(endpoint=_endpoint(), library_name="wordsight")
        info = api.model_info(repository, files_metadata=True, timeout=_TIMEOUT)
    except Exception as error:  # the client's own, and those of its HTTP library
        raise _failed(name, repository, error) from error
    prefix = f"{folder}/" if folder else ""
    sizes = {entry.rfilename: entry for entry in info.siblings or ()}
    inside = [path.removeprefix(prefix) for path in sizes if path.startswith(prefix)]
    chosen = [prefix + path for path in choose(inside)]
    if not chosen:
        raise ModelError(
            f"{repository} holds no model in a layout that is known: it has {', '.join(sorted(sizes)[:12])}; "
            "expected that of wordsight, immich, rclip or transformers.js"
        )
    if folder and _MERGES in sizes and not any("token" in path for path in inside):
        chosen.append(_MERGES)  # rclip keeps one vocabulary for all its models
    files = tuple(RemoteFile(path, int(sizes[path].size or 0), _checksum(sizes[path])) for path in chosen)
    return Offer(name, repository, str(info.sha), files, folder)


def fetch(what: Offer, progress: Callable[[int], None] = lambda _: None) -> Added:
    """Fetch, compare with the checksums, and remember; ``progress`` is told how many more bytes have come.

    What was cut off continues the next time. Raises ``BadInput`` where it does not fit on the disk and ``ModelError``
    where it cannot be fetched, or is not what the hub published.
    """
    store.need_space(what.bytes, _cache())
    from huggingface_hub import hf_hub_download

    paths = {}
    for file in what.files:
        try:
            got = hf_hub_download(
                what.repository,
                file.name,
                revision=what.commit,
                cache_dir=_cache(),
                endpoint=_endpoint(),
                library_name="wordsight",
                tqdm_class=_told(progress),
            )
        except Exception as error:  # the client's own, and those of its HTTP library
            raise _failed(what.name, what.repository, error) from error
        paths[file.name] = Path(got)
        _verify(paths[file.name], file)
    first = what.files[0].name
    root = paths[first]
    if not what.name.startswith(OPENCLIP) or len(what.files) > 1:
        root = Path(str(paths[first]).removesuffix(first)) / what.folder
    inside = {name: path for name, path in paths.items() if path.is_relative_to(root)}
    sums = {path.relative_to(root).as_posix() if root.is_dir() else name: digest(path) for name, path in inside.items()}
    entry = Added(what.name, root, sums, fetched=True)
    store.record(entry)
    return entry


def _wanted(name: str) -> tuple[str, str, Callable[[Sequence[str]], list[str]]]:
    """Return the repository, a folder in it, and what chooses from the names of its files."""
    if name.startswith(OPENCLIP):
        from importlib.util import find_spec

        if find_spec("open_clip") is None:
            raise MissingExtra("an OpenCLIP model", "openclip")
        from wordsight.encoders.open_clip_names import hub_files

        if name.startswith("openclip:hf-hub:"):
            weights = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
            return name.removeprefix("openclip:hf-hub:"), "", lambda names: _first(weights, names) + _settings(names)
        found = hub_files(name)
        if found is None:
            raise BadInput(f"{name} is not on the hub: fetch its file and add it with --from FILE")
        return found[0], "", lambda names: _first(found[1], names)
    parts = name.split("/")
    if len(parts) not in (2, 3) or not all(re.fullmatch(r"\w[\w.-]*", part) for part in parts):
        raise BadInput(
            f"{name!r} is no model that can be fetched: expected openclip:ARCHITECTURE/TAG, or a repository "
            "with ONNX files such as immich-app/ViT-B-32__openai"
        )
    return "/".join(parts[:2]), "/".join(parts[2:]), choose_files


def choose_files(names: Sequence[str]) -> list[str]:
    """Return which files of a repository make a model in a layout that is known; none: it has no such layout."""
    there = set(names)
    if "model.json" in there:
        return [name for name in names if "/" not in name]
    if {"visual/model.onnx", "textual/model.onnx"} <= there:
        parts = re.compile(r"(config\.json|(visual|textual)/([^/]+\.(json|txt)|model\.onnx[^/]*))")
        return [name for name in names if parts.fullmatch(name)]
    if {"visual.onnx", "textual.onnx"} <= there:
        return [name for name in names if re.fullmatch(r"(tokenizer/)?[^/]+\.(json|onnx[^/]*|txt\.gz)", name)]
    for variant in transformers_js.VARIANTS:
        towers = [f"onnx/{stem}{variant}.onnx" for stem in ("vision_model", "text_model")]
        if set(towers) <= there:
            return _settings(names) + [name for name in names if name.startswith(tuple(towers))]
    single = _first(("model.onnx", "onnx/model.onnx"), names)
    return _settings(names) + [name for name in names if name.startswith(single[0])] if single else []


def _settings(names: Sequence[str]) -> list[str]:
    return [name for name in names if _SETTINGS.fullmatch(name)]


def _first(candidates: Sequence[str], names: Sequence[str]) -> list[str]:
    return [name for name in candidates if name in names][:1]


def _checksum(entry: Any) -> str:
    return f"sha256:{entry.lfs.sha256}" if entry.lfs else f"git:{entry.blob_id}"


def _verify(path: Path, file: RemoteFile) -> None:
    kind, _, expected = file.checksum.partition(":")
    if kind == "git":
        content = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    else:
        found = digest(path)
    if found != expected:
        for part in {path.resolve(), path}:
            with suppress(OSError):
                part.unlink()
        raise ModelError(
            f"{file.name} is not the file that the hub published: checksum {found}, expected {expected}. It was thrown "
            "away; try again, or another mirror"
        )


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")


def _cache() -> Path:
    from huggingface_hub import constants

    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    return Path(home).expanduser() / "hub" if (home := os.environ.get("HF_HOME")) else Path(constants.HF_HUB_CACHE)


def _refuse_offline(name: str, repository: str) -> None:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise _failed(name, repository, f"{variable} is set, so nothing was asked")


def _failed(name: str, repository: str, error: object) -> ModelError:
    said = str(error).strip().splitlines() or [type(error).__name__]
    kind = "" if isinstance(error, str) else f"{type(error).__name__}: "
    what = "FILE" if name.startswith(OPENCLIP) else "FOLDER"
    return ModelError(
        f"{name} could not be fetched from {_endpoint()}/{repository}: {kind}{said[0]}\n"
        "What has come is kept, and the next try continues there. Behind a proxy set HTTPS_PROXY, for a mirror "
        f"HF_ENDPOINT, for a private model HF_TOKEN. Without a connection, fetch {_HUB}/{repository} "
        f"on another computer and run: wordsight models pull {name} --from {what}"
    )


def _told(progress: Callable[[int], None]) -> Any:
    """Return a silent progress bar that tells ``progress``."""
    from huggingface_hub.utils import tqdm

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})
            progress(int(options.get("initial") or 0))

        def update(self, n: float | None = 1) -> None:
            progress(int(n or 0))

    return Silent
