"""Model folders of other programs, told by what is in them, and read as if they had a ``model.json`` of ours.

Each module knows one layout: ``fits`` says whether a folder has it, ``describe`` returns the ``model.json`` that the
folder lacks. How pictures and texts are prepared comes from the folder's own configuration. A fact that is not there is
an error that names it: guessed preprocessing gives no error, only bad hits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from wordsight.encoders.folder import ModelFolder, check_entries
from wordsight.encoders.layouts import combined, immich, rclip, transformers_js
from wordsight.errors import ModelError


class _Layout(Protocol):
    NAME: str
    EXPECTED: str

    def fits(self, folder: Path) -> bool: ...

    def describe(self, folder: Path) -> dict[str, Any]: ...


LAYOUTS: tuple[_Layout, ...] = (immich, rclip, transformers_js, combined)


def open_model(path: Path) -> ModelFolder:
    """Return the model in folder ``path``, whatever the layout; raises ``ModelError``."""
    if (path / "model.json").is_file():
        return ModelFolder.open(path)
    for layout in LAYOUTS:
        if layout.fits(path):
            return ModelFolder(path, _described(layout, path), layout.NAME)
    known = "; ".join(f"{layout.EXPECTED} ({layout.NAME})" for layout in LAYOUTS)
    raise ModelError(f"{path} is no model folder: expected model.json (wordsight's own layout); or {known}")


def _described(layout: _Layout, path: Path) -> dict[str, Any]:
    """Return what the layout reads; its files come from elsewhere, and each of their values may be of any kind."""
    try:
        described = layout.describe(path)
        check_entries(described)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelError(
            f"the configuration in {path} is not that of a {layout.NAME} folder: {error}; fetch the folder again"
        ) from error
    return described
