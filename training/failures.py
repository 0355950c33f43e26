"""Draws where the shipped model errs, on photographs that may be shown: those of the demo (scikit-image, scikit-learn).

    python -m training.failures --photos demo-output/photos --out docs/images/mini-failures.webp

Each query has photos that answer it. Where another photo comes first, the picture shows that one beside the best right
one and its rank. The queries were written before the ranks were seen; all are listed, also those that went well.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wordsight.encoders.onnx import OnnxEncoder

QUERIES = {
    "a woman smiling": ("astronaut",),
    "a man with a camera on a tripod": ("camera",),
    "a person in an orange suit": ("astronaut",),
    "two motorcycles": ("motorcycle_left", "motorcycle_right"),
    "a spoon": ("coffee",),
    "a clock": ("clock_motion",),
    "old coins": ("coins",),
    "the moon": ("moon",),
    "galaxies in space": ("hubble_deep_field",),
    "a rocket launch at night": ("rocket",),
    "an eye": ("retina", "microaneurysms", "chelsea"),
    "a medical image": ("retina", "microaneurysms", "ihc", "cell"),
    "a brick wall": ("brick",),
    "gravel": ("gravel",),
    "lawn": ("grass",),
    "an American flag": ("astronaut",),
    "a wooden table": ("coffee",),
    "a building by the water": ("china",),
}
SIDE, GAP, LINE = 132, 8, 18


@dataclass(frozen=True)
class Failure:
    query: str
    first: Path
    right: Path
    rank: int


def failures(encoder: OnnxEncoder, photos: list[Path]) -> list[Failure]:
    """What went wrong, the worst first."""
    pictures = encoder.encode_images([Image.open(path).convert("RGB") for path in photos])
    found = []
    for query, names in QUERIES.items():
        order = np.argsort(-(encoder.encode_texts([query]) @ pictures.T)[0], kind="stable")
        ranked = [photos[i] for i in order]
        rank, right = next((n, path) for n, path in enumerate(ranked, 1) if path.stem in names)
        if rank > 1:
            found.append(Failure(query, ranked[0], right, rank))
    return sorted(found, key=lambda failure: -failure.rank)


def draw(found: list[Failure], columns: int = 4) -> Image.Image:
    width, height = 2 * SIDE + 3 * GAP, SIDE + 3 * LINE + GAP
    rows = -(-len(found) // columns)
    sheet = Image.new("RGB", (columns * width, max(1, rows) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, failure in enumerate(found):
        left, top = place % columns * width + GAP, place // columns * height + GAP
        pen.text((left, top), failure.query, "black", font)
        rank = {2: "2nd", 3: "3rd"}.get(failure.rank, f"{failure.rank}th")
        for x, path, line in ((left, failure.first, "came first"), (left + SIDE + GAP, failure.right, rank)):
            picture = Image.open(path).convert("RGB")
            picture.thumbnail((SIDE, SIDE))
            sheet.paste(picture, (x, top + LINE))
            pen.text((x, top + LINE + SIDE), line, "black", font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("src/wordsight/models/mini"))
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/images/mini-failures.webp"))
    arguments = parser.parse_args()
    photos = sorted(path for path in arguments.photos.iterdir() if path.suffix in {".png", ".jpg", ".tif"})
    found = failures(OnnxEncoder(arguments.model), photos)
    for failure in found:
        print(f"{failure.query}: first {failure.first.stem}, {failure.right.stem} at rank {failure.rank}")
    print(f"{len(found)} of {len(QUERIES)} queries, {len(photos)} photos")
    draw(found).save(arguments.out, quality=82)


if __name__ == "__main__":
    main()
