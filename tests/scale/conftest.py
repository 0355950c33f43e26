"""Photos and encoders for the tests of stores."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from wordsight.testing import COLOURS, ColourEncoder, colour_image


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask failing storages again at once."""
    if find_spec("lance") is not None:
        monkeypatch.setattr("wordsight.scale.storage._WAIT", 0.001)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Fourteen readable photos (one content twice, one name that is not UTF-8) and two files that are no pictures."""
    root = tmp_path / "photos"
    names = list(COLOURS)[:6]
    for number, first in enumerate(names):
        for second in names[number : number + 2]:
            file = root / ("trip" if number % 2 else ".") / f"{first} {second}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            colour_image(first, second, size=32 + number).save(file)
    (root / "a copy.png").write_bytes((root / f"{names[0]} {names[0]}.png").read_bytes())
    dated = colour_image("red", "green", size=64)
    exif = dated.getexif()
    exif[0x9003] = exif[306] = "2021:06:15 12:30:00"
    exif[272] = "Pixel 'O' 7"
    dated.save(root / "dated.jpg", exif=exif)
    Path(os.fsdecode(os.fsencode(root) + b"/odd \xff.png")).write_bytes((root / "dated.jpg").read_bytes())
    (root / "broken.jpg").write_bytes(b"no picture")
    (root / "trip" / "empty.png").write_bytes(b"")
    return root
