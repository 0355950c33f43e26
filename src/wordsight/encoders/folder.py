"""A model folder: what ``model.json`` says, and proof that the files beside it are the ones it speaks of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wordsight.encoders.preprocess import Preprocess
from wordsight.errors import ModelError

FORMAT_VERSION = 1
OWN = "wordsight"


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
        except (OSError, ValueError) as error:
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
        return tuple(self.describe.get("prompts", {}).get("label", ["a photo of a {}."]))

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
        return Preprocess.from_json(self.describe["image"].get("preprocess", {}), self.path)

    def file(self, name: str) -> Path:
        """Return the path of one of the model's files after checking its size and SHA-256 against ``model.json``.

        In another layout nothing is recorded to check against: the size and SHA-256 are those just found.
        """
        expected = self.describe["files"].get(name)
        if expected is None:
            raise ModelError(f"{self.path}/model.json does not list {name}")
        path = self.path / name
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
