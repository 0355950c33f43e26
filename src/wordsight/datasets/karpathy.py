"""Karpathy's ``dataset_*.json``: the splits and captions that nearly all papers on Flickr8k, Flickr30k and COCO use.

Karpathy & Fei-Fei 2015, "Deep Visual-Semantic Alignments for Generating Image Descriptions" (CVPR). Some pictures of
COCO have six or seven captions; papers since VSE++ (Faghri et al. 2018, BMVC) take the first five of each, so that the
test split has 25,000.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from wordsight.errors import BadInput

CAPTIONS = 5
# Where the archives of the pictures unpack to; the JSON of COCO names val2014 and train2014 itself.
_FOLDERS = ("images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images", "flickr30k_images", "")


class Captioned(NamedTuple):
    """A picture, by its path below the folder of pictures, its part of the data set, and its captions in order."""

    image: str
    split: str
    captions: tuple[str, ...]


def read(file: Path) -> list[Captioned]:
    """Return the pictures of a file, in its order. Raises ``BadInput`` for one that is not like Karpathy's."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        return [_captioned(entry) for entry in content["images"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput(f"{file} should hold images with filename, split and sentences: {error!r}") from error


def locator(root: Path) -> Callable[[str], Path]:
    """Return what finds a picture below ``root``: in the first folder of those that are common in which it is there."""

    def locate(image: str) -> Path:
        name = PurePosixPath(image).name
        candidates = [root / folder / path for folder in _FOLDERS for path in dict.fromkeys((image, name))]
        return next((path for path in candidates if path.is_file()), candidates[0])

    return locate


def is_inside(name: str) -> bool:
    """Whether a file's name from a data set stays below the folder it is looked for in."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _captioned(entry: Any) -> Captioned:
    name = str(PurePosixPath(entry.get("filepath", "")) / entry["filename"])
    if not is_inside(name):
        raise ValueError(f"{name!r} is not a file below the folder of pictures")
    captions = tuple(str(sentence["raw"]).strip() for sentence in entry["sentences"])
    return Captioned(name, str(entry["split"]), tuple(caption for caption in captions if caption))
