"""What the model card's figures are made of: spoiled pictures, failures, the card's tables (no torch needed)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.card import note_measures, spoiled_table, write_card
from training.failures import Failure, draw
from training.robust import SPOILED, low

SHIPPED = Path(__file__).parents[2] / "src/wordsight/models/mini"


@pytest.fixture
def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (150, 200, 3), np.uint8))


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_pictures_are_pictures_and_change(picture: Image.Image, name: str) -> None:
    spoiled = SPOILED[name](picture)
    assert spoiled.mode == "RGB"
    assert (spoiled.tobytes() == picture.tobytes()) == (name == "as they are")


def test_low_resolution_is_that_of_the_longer_side(picture: Image.Image) -> None:
    assert low(64)(picture).size == (64, 48)
    assert low(64)(picture.transpose(Image.Transpose.ROTATE_90)).size == (48, 64)


def test_a_card_is_written_from_the_shipped_description(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text((SHIPPED / "model.json").read_text())
    measures = json.loads((SHIPPED / "model.json").read_text())["measures"]
    note_measures(tmp_path, measures | {"voc2007_spoiled": {"as they are": 0.7, "64 px": 0.615}})
    write_card(tmp_path)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "| 64 px | 61.5 | 8.5 |" in card
    assert "{{" not in card


def test_without_spoiled_pictures_there_is_no_table() -> None:
    assert spoiled_table({}) == ""


def test_failures_are_drawn_side_by_side(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    one = Failure("a thing", tmp_path / "a.png", tmp_path / "a.png", 2)
    assert draw([one] * 5, columns=4).size[1] == 2 * draw([one], columns=4).size[1]
