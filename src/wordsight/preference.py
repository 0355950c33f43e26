"""Which encoder a catalogue is searched with unless told: a line in its folder, read before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from wordsight.errors import CatalogueError
from wordsight.machine import write_whole

DEFAULT = "mini"
CATALOGUE = "WORDSIGHT_CATALOG"
_FILE = "default-encoder"


def catalogue_home() -> Path:
    """Return where the catalogue lives: ``$WORDSIGHT_CATALOG``, else the user's data folder (XDG on Linux)."""
    if chosen := os.environ.get(CATALOGUE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("wordsight", appauthor=False))


def preferred(location: Path | None = None) -> str:
    """Return the name of the encoder that the catalogue in folder ``location`` was last migrated to, or "mini"."""
    try:
        return ((location or catalogue_home()) / _FILE).read_text("utf-8").strip() or DEFAULT
    except (OSError, ValueError):
        return DEFAULT


def prefer(location: Path, name: str) -> None:
    """Make ``name`` the encoder of the catalogue in ``location``; raises ``CatalogueError`` when it cannot."""
    try:
        write_whole(location / _FILE, f"{name}\n".encode())
    except OSError as error:
        raise CatalogueError(f"{location / _FILE} cannot be written: {error}") from error
