"""What all loaders need: where data are looked for, ids, lazy files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from wordsight.errors import BadInput, DatasetNotFound, ImageError
from wordsight.images import open_image
from wordsight.protocols import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def not_found(title: str, expected: Sequence[Path], published: str) -> DatasetNotFound:
    """Return the error that names the paths expected and where the data set is published."""
    paths = "\n".join(f"  {path}" for path in expected)
    return DatasetNotFound(f"{title} was not found; expected one of\n{paths}\nIt is published at {published}")


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
