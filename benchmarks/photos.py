"""Make folders of JPEGs from real photographs, the same ones on every run; they are never committed.

Sources are the colour photographs in the wheels of scikit-image and scikit-learn and, when present, the development
photos (``$WORDSIGHT_DATA`` or ../shared/data). Each file is another crop, mirrored or not, of other brightness, with
some grain: enlarged pictures lack the fine detail that makes a camera's JPEG large and its decoding slow.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from wordsight.machine import cores

_SAMPLES = {
    "skimage": ("data/astronaut.png", "data/chelsea.png", "data/coffee.png", "data/motorcycle_left.png",
                "data/rocket.jpg", "data/ihc.png", "data/hubble_deep_field.jpg", "data/retina.jpg"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}  # fmt: skip
_FOLDERS = ("imagenet_samples", "voc2007/VOCdevkit/VOC2007/JPEGImages")
_QUALITY = 88
_PER_FOLDER = 500


def sources() -> list[Path]:
    """Return the photographs that files are made from; raises ``FileNotFoundError`` when there is none."""
    found = []
    for package, names in _SAMPLES.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin:
            found += [path for name in names if (path := Path(spec.origin).parent / name).is_file()]
    for folder in _FOLDERS:
        found += sorted((development_data() / folder).glob("*.jpg"))
    if not found:
        raise FileNotFoundError('no photographs to make files from: pip install "wordsight[demo]"')
    return found


def development_data() -> Path:
    """Return where the development photos would be."""
    return Path(os.environ.get("WORDSIGHT_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def make(folder: Path, count: int, size: tuple[int, int], *, pictures: int | None = None) -> Path:
    """Fill ``folder`` with ``count`` JPEGs, 500 to a folder; one that was made before is kept as it is.

    ``pictures``: only so many different ones; the others are the same pixels in files that differ by a comment, which
    saves the time to draw them and costs whoever reads them as much.
    """
    if (folder / ".complete").is_file() and (folder / ".complete").read_text() == f"{count} {size} {pictures}":
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    drawn = min(count, pictures or count)
    draw = partial(_draw, tuple(sources()), size)
    with ProcessPoolExecutor(cores()) as pool:
        made: list[bytes] = []
        for place, data in enumerate(pool.map(draw, range(drawn), chunksize=16)):
            _write(folder, place, data)
            if drawn < count:
                made.append(data)
    for place in range(drawn, count):
        _write(folder, place, _with_comment(made[place % drawn], f"copy {place}"))
    (folder / ".complete").write_text(f"{count} {size} {pictures}")
    return folder


def listing(folder: Path) -> list[Path]:
    """Return the files of a folder that ``make`` made, in order."""
    return sorted(folder.glob("*/*.jpg"))


def _write(folder: Path, place: int, data: bytes) -> None:
    inner = folder / f"{place // _PER_FOLDER:03d}"
    inner.mkdir(exist_ok=True)
    (inner / f"photo-{place:06d}.jpg").write_bytes(data)


def _draw(files: Sequence[Path], size: tuple[int, int], seed: int) -> bytes:
    """Return the JPEG number ``seed``."""
    rng = np.random.default_rng(seed)
    with Image.open(files[seed % len(files)]) as opened:
        image = opened.convert("RGB")
    side = min(image.width, image.height * size[0] / size[1]) * rng.uniform(0.7, 1.0)
    height = side * size[1] / size[0]
    left, top = rng.uniform(0, image.width - side), rng.uniform(0, image.height - height)
    image = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + side, top + height))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image, np.float32) * rng.uniform(0.8, 1.2)
    pixels += rng.standard_normal(pixels.shape[:2], np.float32)[..., None] * rng.uniform(1.5, 3.5)
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _with_comment(jpeg: bytes, comment: str) -> bytes:
    text = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]
