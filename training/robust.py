"""How much of the VOC2007 mAP is left when the pictures are spoiled, through the exported files.

python -m training.robust --model src/wordsight/models/mini --data ../shared/data [--note]
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training import data, scores
from training.card import note_measures, write_card
from training.measure import Shipped
from wordsight.images.corruptions import Corruption

Spoil = Callable[[Image.Image], Image.Image]


def low(side: int) -> Spoil:
    """The longer side shrunk to that many pixels; the encoder blows such a picture up again itself."""

    def shrunk(picture: Image.Image) -> Image.Image:
        scale = side / max(picture.size)
        return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), 3)

    return shrunk


def jpeg(quality: int) -> Spoil:
    def saved(picture: Image.Image) -> Image.Image:
        memory = io.BytesIO()
        picture.save(memory, "JPEG", quality=quality)
        return data.open_rgb(memory)

    return saved


SPOILED: dict[str, Spoil] = {
    "as they are": lambda picture: picture,
    "blur (Gaussian, 3 px at 224)": Corruption("blur", 3),
    "64 px": low(64),
    "32 px": low(32),
    "JPEG quality 20": jpeg(20),
    "grayscale": lambda picture: picture.convert("L").convert("RGB"),
    "turned by 90 degrees": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "fog, strength 3 of 5": Corruption("fog", 3),
    "snow, strength 3 of 5": Corruption("snow", 3),
}


def measure_spoiled(folder: Path, data_folder: Path, threads: int = 2) -> dict[str, float]:
    """Name -> mAP (all points) on the VOC2007 development pictures."""
    model, voc = Shipped(folder, threads), data.read_voc(data_folder)
    texts = model.labels(list(data.VOC_CLASSES.values()))
    relevance = np.array([[p.labels.get(name, -1) for name in data.VOC_CLASSES] for p in voc])
    found: dict[str, float] = {}
    for name, spoil in SPOILED.items():
        pictures = model.pictures(spoil(data.open_rgb(p.path)) for p in voc)
        found[name] = scores.voc_scores(pictures @ texts.T, relevance, tuple(data.VOC_CLASSES))["mAP"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--note", action="store_true", help="write the figures into model.json and the card")
    arguments = parser.parse_args()
    found: dict[str, Any] = scores.rounded(measure_spoiled(arguments.model, arguments.data, arguments.threads))
    print(json.dumps(found, indent=1))
    if arguments.note:
        measures = json.loads((arguments.model / "model.json").read_text())["measures"]
        note_measures(arguments.model, measures | {"voc2007_spoiled": found})
        write_card(arguments.model)


if __name__ == "__main__":
    main()
