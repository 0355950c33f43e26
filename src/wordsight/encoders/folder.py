"""A model folder: what ``model.json`` says, and proof that the files beside it are the ones it speaks of.

Models may share files: an entry of ``files`` with ``"from": "mini"`` lies in the folder ``mini`` beside this one. The
shipped models store their text tower once that way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wordsight.encoders.preprocess import Preprocess
from wordsight.errors import ModelError

FORMAT_VERSION = 1
OWN = "wordsight"

_NEEDED: dict[str, type] = {
    "name": str,
    "dim": int,
    "files": dict,
    "image": dict,
    "image.file": str,
    "text": dict,
    "text.file": str,
    "text.tokenizer": str,
    "text.max_tokens": int,
}
_POSSIBLE: dict[str, type] = {
    "prompts": dict,
    "prompts.label": list,
    **dict.fromkeys(("image.preprocess", "image.normalise", "image.idle", "text.idle"), dict),
    **dict.fromkeys(("image.stride", "image.batch", "text.batch", "text.pad"), int),
    **dict.fromkeys(("image.map_file", "image.features_file", "text.clean"), str),
    **{f"{side}.{key}": str for side in ("image", "text") for key in ("input", "output", "kind", "graph_optimization")},
}
"""Entries of ``model.json`` and what they are; whole numbers are 1 or more, but ``text.pad``."""
_SMALLEST = {"text.pad": 0}


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk. ``describe`` holds the parsed ``model.json``, or what stands for one in another ``layout``."""

    path: Path
    describe: dict[str, Any]
    layout: str = OWN

    @classmethod
    def open(cls, path: Path) -> ModelFolder:
        """Read ``path/model.json``; raises ``ModelError`` when it is missing, damaged or of a newer format."""
        file = path / "model.json"
        try:
            describe = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{path} is no model folder: it has no model.json") from None
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{file} cannot be read: {error}") from error
        if not isinstance(describe, dict) or describe.get("format") != "wordsight-model":
            raise ModelError(f'{file} does not describe a model: expected "format": "wordsight-model"')
        if describe.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                f"{file} has format version {describe.get('format_version')!r}, this wordsight reads {FORMAT_VERSION}: "
                "update wordsight or export the model again"
            )
        folder = cls(path, describe)
        missing = {"name", "dim", "image", "text", "files"} - describe.keys()
        if missing:
            raise ModelError(f"{file} lacks {', '.join(sorted(missing))}")
        try:
            check_entries(describe)
        except ValueError as error:
            raise ModelError(f"{file} is not in order: {error}; export the model again") from error
        return folder

    @property
    def name(self) -> str:
        """Short name of the model."""
        return str(self.describe["name"])

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        return int(self.describe["dim"])

    @property
    def label_prompts(self) -> tuple[str, ...]:
        """Templates that turn a label into texts, ``{}`` standing for the label."""
        return tuple((self.describe.get("prompts") or {}).get("label") or ["a photo of a {}."])

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that decides a vector: the recorded file digests and the two sides' settings.

        The graph of ``features_file`` only explains vectors: adding it to a folder changes none.
        """
        image = dict(self.describe["image"])
        aside = image.pop("features_file", None)
        decisive = {"dim": self.describe["dim"], "image": image, "text": self.describe["text"]}
        files = self.describe["files"].items()
        decisive["files"] = {name: entry["sha256"] for name, entry in files if name != aside}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def preprocess(self) -> Preprocess:
        """The image side's settings; raises ``ModelError`` for a mode that is not known: never guess."""
        return Preprocess.from_json(self.describe["image"].get("preprocess") or {}, self.path)

    def location(self, name: str) -> Path:
        """Return where one of the model's files should be: in the folder, or in the sibling that it is shared with."""
        sibling = self.describe["files"][name].get("from")
        return self.path / name if sibling is None else self.path.parent / sibling / name

    def shared_weights(self, side: str) -> Path | None:
        """Return the sibling folder that holds the weights of "image" or "text"; ``None`` if they are not shared."""
        name = f"{side}.weights"
        return self.location(name).parent if "from" in self.describe["files"].get(name, {}) else None

    @property
    def own_bytes(self) -> int:
        """What the model's files take, without those that a sibling folder holds."""
        return sum(int(entry["bytes"]) for entry in self.describe["files"].values() if "from" not in entry)

    def file(self, name: str) -> Path:
        """Return the path of one of the model's files after checking its size and SHA-256 against ``model.json``.

        In another layout nothing is recorded to check against: the size and SHA-256 are those just found.
        """
        expected = self.describe["files"].get(name)
        if expected is None:
            raise ModelError(f"{self.path}/model.json does not list {name}")
        path = self.location(name)
        if "from" in expected and not path.parent.is_dir():
            raise ModelError(
                f"{self.name} reads {name} from the model folder {expected['from']}, which should lie beside it at "
                f"{path.parent} but does not: keep the two folders side by side"
            )
        try:
            size = path.stat().st_size
            if size != expected["bytes"]:
                raise ModelError(f"{path} has {size} bytes, expected {expected['bytes']}: fetch it again")
            if self.layout != OWN:
                return path
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error}") from error
        if digest != expected["sha256"]:
            raise ModelError(f"{path} is damaged: SHA-256 {digest}, expected {expected['sha256']}; fetch it again")
        return path


def check_entries(describe: dict[str, Any]) -> None:
    """Raise ``ValueError`` for an entry that is missing, or of another kind than those who read it expect."""
    for wrong in _wrong_entries(describe):
        raise ValueError(wrong)


def _wrong_entries(describe: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong, outer entries first: who asks for more than the first may fail on it."""
    for entry, kind in (_NEEDED | _POSSIBLE).items():
        value: Any = describe
        for key in entry.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is None and entry not in _NEEDED:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            yield f"{entry} should be {_WORDS[kind]}"
        elif isinstance(value, int) and not _SMALLEST.get(entry, 1) <= value < 2**31:
            yield f"{entry} is {value}"
    prompts = (describe.get("prompts") or {}).get("label") or []
    if not all(isinstance(prompt, str) for prompt in prompts):
        yield "prompts.label should be texts"
    for name, entry in describe["files"].items():
        kinds = [type(entry.get(key)) for key in ("sha256", "bytes")] if isinstance(entry, dict) else []
        if kinds != [str, int]:
            yield f"files should hold sha256 and bytes of {name}"
        elif "from" in entry and not _is_plain(entry["from"]):
            yield f"{name} should come from a folder beside this one, not from {entry['from']!r}"


def _is_plain(name: Any) -> bool:
    """Whether it names a sibling, and no place elsewhere on the disk."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is not None


_WORDS = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}
