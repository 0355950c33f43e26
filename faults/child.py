"""A run to inject faults into: ``python -m faults.child PHOTOS CATALOGUE STEP ...``.

It commits and folds far more often than it would, so that faults meet that. Steps: ``sync``; ``change`` moves, renames,
removes and spoils pictures of the folder; ``fold`` writes index files anew, with a graph. Exit status 3: wordsight's
own error, said on stderr.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import wordsight.library.sync as syncing
from wordsight.errors import WordsightError
from wordsight.library import Catalogue, Library, derived
from wordsight.testing import ColourEncoder


def main() -> int:
    """Take the steps."""
    photos, place, *steps = sys.argv[1:]
    syncing._COMMIT_FILES, derived._FEW = 8, 20
    encoder = ColourEncoder()
    try:
        for step in steps:
            if step == "sync":
                with Library(encoder, Path(place)) as library:
                    library.sync(photos, workers=2)
            elif step == "change":
                change(Path(photos))
            elif step == "fold":
                with Catalogue.open(Path(place), create=True) as catalogue, catalogue.writing():
                    derived.fold(catalogue, catalogue.encoder_row(encoder), graph_from=1)
    except WordsightError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


def change(photos: Path) -> None:
    """Move a folder, rename pictures, remove some, spoil one: the same ones each time."""
    folders = sorted(folder for folder in photos.iterdir() if folder.is_dir())
    folders[0].rename(photos / f"{folders[0].name}-moved")
    for place, file in enumerate(sorted(folders[1].iterdir())):
        if place % 3 == 0:
            file.unlink()
        elif place % 3 == 1:
            file.rename(file.with_name(f"new {file.name}"))
    first = min(folders[2].iterdir())
    first.write_bytes(first.read_bytes()[:20])
    shutil.copytree(folders[3], photos / f"{folders[3].name}-copy")


if __name__ == "__main__":
    sys.exit(main())
