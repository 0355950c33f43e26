"""Why these pictures: photos explained for texts, with boxes and match estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.errors import ImageError
from wordsight.explain import ViewExplainer, boxes
from wordsight.images import PictureInfo, read, read_bytes
from wordsight.library import calibration
from wordsight.protocols import Encoder, Image
from wordsight.types import Box, Embeddings, SaliencyMap

_MOST_PIXELS = 4_000_000  # of a picture that is explained: no view sees more
_TOGETHER = 16  # pictures explained at a time

BoxMaker = Callable[[SaliencyMap, tuple[int, int]], Sequence[Box]]


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Why one photo matches, or does not match, one text.

    ``size`` (width, height) is that of the upright original in pixels, which ``boxes``, best first, count in; ``image``
    may be smaller. ``match``: the estimate in [0, 1] that the photo shows it; ``None`` where there can be none.
    """

    path: Path
    size: tuple[int, int]
    image: Image
    saliency: SaliencyMap
    boxes: tuple[Box, ...]
    match: float | None


class Estimator:
    """Match estimates of photos by themselves, without a catalogue: against the background queries on that photo.

    It is the estimate that a catalogue of this one photo would give, and as careful (docs/matches.md).
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._bank: Embeddings | None = None

    def __call__(self, images: Sequence[Image], texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the estimates (n, m); ``None`` for encoders with a closed vocabulary or Euclidean scores."""
        if not calibration.can_estimate(self._encoder):
            return None
        if self._bank is None:
            self._bank = calibration.encode_bank(self._encoder)
        queries = self._encoder.encode_texts(texts)
        out = np.empty((len(images), len(texts)), np.float32)
        for row, photo in enumerate(self._encoder.encode_images(images)):
            model = calibration.alone(photo, self._bank)
            for column, query in enumerate(queries):
                out[row, column] = model.match(query, np.asarray([query @ photo], np.float32))[0]
        return out


def explain_files(
    paths: Sequence[Path],
    texts: Sequence[str],
    explainer: ViewExplainer,
    *,
    make_boxes: BoxMaker = boxes,
    estimator: Estimator | None = None,
    skipped: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> Iterator[list[Explained]]:
    """Yield, for each photo that can be read, one ``Explained`` per text; the others go to ``skipped`` with the reason.

    ``estimator`` adds match estimates. Photos pass in small groups, so memory does not grow with their number.
    """
    for start in range(0, len(paths), _TOGETHER):
        opened = []
        for path in paths[start : start + _TOGETHER]:
            try:
                opened.append((path, *open_to_explain(path)))
            except ImageError as error:
                skipped(path, error.reason.removeprefix(f"{str(path)!r}: "))
        images = [image for _, image, _ in opened]
        matches = estimator(images, texts) if estimator is not None and images else None
        for row, ((path, image, info), maps) in enumerate(zip(opened, explainer.explain(images, texts), strict=True)):
            size = (info.width, info.height)
            yield [
                Explained(
                    path,
                    size,
                    image,
                    saliency,
                    tuple(make_boxes(saliency, size)),
                    None if matches is None else float(matches[row, column]),
                )
                for column, saliency in enumerate(maps)
            ]


def open_to_explain(path: Path) -> tuple[Image, PictureInfo]:
    """Return a photo at no more pixels than explaining needs, and what is known of the original.

    Raises ``ImageError``.
    """
    picture = read(read_bytes(path), side=1024)
    image = picture.image
    if image.width * image.height > _MOST_PIXELS:
        scale = (_MOST_PIXELS / (image.width * image.height)) ** 0.5
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, PILImage.Resampling.LANCZOS, reducing_gap=2.0)
    return image, picture.info
