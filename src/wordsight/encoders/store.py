"""Models that were added to this machine: under which name, where their files are, and what these should hold.

Each is a small record in ``machine.models_home()``. Files that were fetched stay in the hub's cache, where other
programs find them; files that were given (``--from``) are copied beside the record.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wordsight.encoders.digests import digest
from wordsight.errors import BadInput, ModelError
from wordsight.machine import models_home, write_whole

OPENCLIP = "openclip:"
_SPARE = 64 << 20


@dataclass(frozen=True, slots=True)
class Added:
    """A model that was added. ``path``: its folder, or the file of an OpenCLIP checkpoint; ``files``: name -> SHA-256.

    ``fetched``: the files lie in the hub's cache, which is not ours.
    """

    name: str
    path: Path
    files: Mapping[str, str]
    fetched: bool = False

    @property
    def bytes(self) -> int:
        """What its files take."""
        return sum(file.stat().st_size for file in map(self.file, self.files) if file.is_file())

    def file(self, name: str) -> Path:
        """Return where one of its files is."""
        return self.path if self.path.is_file() else self.path / name


def added() -> list[Added]:
    """Return all models that were added, by name; damaged records are left out."""
    found = (_read(file) for file in models_home().glob("*.json"))
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)


def find(name: str) -> Added | None:
    """Return the model that was added as ``name``."""
    entry = _read(_record(name))
    return entry if entry is not None and entry.name == name else None


def record(entry: Added) -> None:
    """Remember a model; raises ``BadInput`` where the folder cannot be written."""
    said = {"name": entry.name, "path": str(entry.path), "files": dict(entry.files), "fetched": entry.fetched}
    try:
        write_whole(_record(entry.name), (json.dumps(said, indent=1) + "\n").encode())
    except OSError as error:
        raise BadInput(f"{models_home()} cannot be written: {error}; set WORDSIGHT_MODELS to another folder") from error


def add_copy(name: str, source: Path) -> Added:
    """Copy a checkpoint or a model folder and remember it as ``name``; nothing is left of a copy that fails.

    Raises ``BadInput`` for a source that does not suit the name, or does not fit on the disk, and ``ModelError`` for a
    folder that is no model.
    """
    checkpoint = name.startswith(OPENCLIP)
    if checkpoint != source.is_file() or not source.exists():
        expected = "a checkpoint file" if checkpoint else "a model folder"
        raise BadInput(f"{name} needs {expected}, but {source} is none")
    if not checkpoint:
        from wordsight.encoders.layouts import open_model

        open_model(source)
    files = [source] if checkpoint else sorted(file for file in source.rglob("*") if file.is_file())
    target = models_home() / _slug(name)
    need_space(sum(file.stat().st_size for file in files), models_home())
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.mkdir(parents=True)
        for file in files:
            copied = draft / (file.name if checkpoint else file.relative_to(source))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copied)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise BadInput(f"{source} cannot be copied to {target}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    copies = sorted(file for file in target.rglob("*") if file.is_file())
    sums = {file.relative_to(target).as_posix(): digest(file) for file in copies}
    entry = Added(name, copies[0] if checkpoint else target, sums)
    record(entry)
    return entry


def remove(name: str) -> int:
    """Forget a model and delete its files; return the bytes that were freed. Raises ``BadInput`` for an unknown name.

    Fetched files that other revisions in the hub's cache share stay there.
    """
    entry = find(name)
    if entry is None:
        known = ", ".join(one.name for one in added()) or "none"
        raise BadInput(f"no model was added as {name!r}; these were: {known}")
    freed = entry.bytes
    if entry.fetched:
        for file in map(entry.file, entry.files):
            for part in {file.resolve(), file}:  # the content, and the link to it
                with suppress(OSError):
                    part.unlink()
    else:
        shutil.rmtree(models_home() / _slug(name), ignore_errors=True)
    _record(name).unlink()
    return freed


def need_space(size: int, folder: Path) -> None:
    """Raise ``BadInput`` where ``size`` bytes do not fit into ``folder``, which need not be there yet."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    if free < size + _SPARE:
        raise BadInput(
            f"{size / 1e6:,.0f} MB do not fit into {folder}: {free / 1e6:,.0f} MB are free, and {_SPARE / 1e6:,.0f} MB "
            "should stay so; make room, or choose another place with HF_HOME or WORDSIGHT_MODELS"
        )


def verify(entry: Added) -> None:
    """Compare all files with their recorded SHA-256; raises ``ModelError`` for the first that differs."""
    for name, expected in entry.files.items():
        try:
            found = digest(entry.file(name))
        except OSError as error:
            raise ModelError(f"{entry.file(name)} cannot be read: {error}; pull {entry.name} again") from error
        if found != expected:
            raise ModelError(f"{entry.file(name)} is damaged: SHA-256 {found}, expected {expected}; pull it again")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "--", name).lstrip(".-")


def _record(name: str) -> Path:
    return models_home() / f"{_slug(name)}.json"


def _read(file: Path) -> Added | None:
    try:
        said = json.loads(file.read_text("utf-8"))
        return Added(str(said["name"]), Path(said["path"]), dict(said["files"]), bool(said["fetched"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
