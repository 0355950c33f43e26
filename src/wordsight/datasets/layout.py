"""What all loaders need: where data are looked for, ids, lazy files."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from wordsight.errors import BadInput, DatasetNotFound, ImageError
from wordsight.images import SUFFIXES, open_image
from wordsight.protocols import Image

SPLITS = ("train", "training", "trainval", "val", "valid", "validation", "dev", "test", "testing")
"""How people call the parts of a data set."""

_FOR_TESTS = ("test", "testing", "val", "valid", "validation", "dev")


def not_found(title: str, expected: Sequence[Path], published: str, *, fetched: bool = False) -> DatasetNotFound:
    """Return the error that names the paths expected and where the data set is published.

    ``fetched``: whether ``datasets.download`` knows where to get it.
    """
    paths = "\n".join(f"  {path}" for path in expected)
    hint = "; `wordsight evaluate --download` fetches it from there" if fetched else ""
    return DatasetNotFound(f"{title} was not found; expected one of\n{paths}\nIt is published at {published}{hint}")


def class_folders(root: Path, *, leave_out: Collection[str] = ()) -> dict[str, list[Path]]:
    """Return label -> files below ``root/<label>/``, at any depth, both sorted; labels without a picture are not there.

    Hidden folders and those named in ``leave_out`` are passed over.
    """
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    found = {
        folder.name: sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        for folder in sorted(folders)
        if folder.name not in leave_out
    }
    return {label: files for label, files in found.items() if files}


def split_for_tests(present: Collection[str]) -> str | None:
    """Return the part that papers would report of those ``present``; ``None`` where none is made for testing."""
    return next((name for name in _FOR_TESTS if name in present), None)


def asked_for(split: str | None) -> str:
    """Return how an error calls a split that is not there; ``None``: none was asked for, and none is for testing."""
    return "none to test on" if split is None else f"no split {split!r}"


def safe_id(name: str) -> str:
    """Return ``name`` without blanks, as TREC files need it: blanks and % become %XX, so that names stay distinct."""
    return re.sub(r"[\s%]", lambda match: quote(match.group()), name)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file; raises ``BadInput`` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}") from error


def file_loader(path: Path) -> Callable[[int | None], Image]:
    """Return the function that decodes ``path`` when it is called."""
    return partial(_load, path)


def _load(path: Path, side: int | None) -> Image:
    if not path.is_file():
        raise ImageError("the file is missing")
    return open_image(path, side=side)
