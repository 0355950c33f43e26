"""Why these pictures: photos explained for texts, with boxes and match estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.errors import BadInput, ImageError
from wordsight.explain import ViewExplainer, boxes, successive_maps
from wordsight.explain import explainer as make_explainer
from wordsight.explain.boxes import THRESHOLD
from wordsight.explain.statistics import statistics
from wordsight.images import Picture, PictureInfo, read, read_bytes
from wordsight.library import calibration
from wordsight.library.bank import encode_bank
from wordsight.library.hits import Answer
from wordsight.protocols import Encoder, Image
from wordsight.types import Box, Embeddings, SaliencyMap

_MOST_PIXELS = 4_000_000  # of a picture that is explained: no view sees more
_TOGETHER = 16  # pictures explained at a time
_LEAST_SHARE = 0.03  # of what stands out: less is mostly noise
_SIDE = 224  # of encoders that name none

BoxMaker = Callable[[SaliencyMap, tuple[int, int]], Sequence[Box]]


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Why one photo matches, or does not match, one text.

    ``size`` (width, height) is that of the upright original in pixels, which ``boxes``, best first, count in.
    ``match``: the estimate in [0, 1] that the photo shows it; ``None`` where there can be none. ``turn``: 1 for the
    photo as it is, 2 where what was found is covered, and so on; ``None`` where nothing was to be covered.
    """

    path: Path
    size: tuple[int, int]
    saliency: SaliencyMap
    boxes: tuple[Box, ...]
    match: float | None
    turn: int | None = None


class Estimator:
    """Match estimates of photos by themselves, without a catalogue: against the background queries on that photo.

    It is the estimate that a catalogue of this one photo would give, and as careful (docs/matches.md).
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._bank: Embeddings | None = None

    def __call__(self, photos: Embeddings, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the estimates (n, m) of (n, dim) photos.

        ``None`` for encoders with a closed vocabulary or Euclidean scores.
        """
        if not calibration.can_estimate(self._encoder):
            return None
        if self._bank is None:
            self._bank = encode_bank(self._encoder)
        queries = self._encoder.encode_texts(texts)
        out = np.empty((len(photos), len(texts)), np.float32)
        for row, photo in enumerate(photos):
            model = calibration.alone(photo, self._bank)
            for column, query in enumerate(queries):
                out[row, column] = model.match(query, np.asarray([query @ photo], np.float32))[0]
        return out


def main_boxes(
    saliency: SaliencyMap, size: tuple[int, int], *, threshold: float = THRESHOLD, most: int = 3
) -> list[Box]:
    """Return the boxes that people want to see: at most ``most``, each with a share worth telling of."""
    return [box for box in boxes(saliency, size, threshold, most=most) if box.score >= _LEAST_SHARE] if most else []


def explain_files(
    paths: Sequence[Path],
    texts: Sequence[str],
    explainer: ViewExplainer,
    *,
    make_boxes: BoxMaker = main_boxes,
    estimator: Estimator | None = None,
    skipped: Callable[[Path, str], None] = lambda _path, _reason: None,
    side: int = 0,
    rounds: int = 1,
    threshold: float = THRESHOLD,
    bytes_of: Callable[[Path], bytes] = read_bytes,
) -> Iterator[tuple[Image, list[Explained]]]:
    """Yield each photo that can be read with one ``Explained`` per text; the others go to ``skipped`` with the reason.

    ``estimator`` adds match estimates. ``side``: what the caller draws of a photo, in pixels on the shorter side.
    Photos pass in small groups, so memory does not grow with their number. ``rounds`` above 1: after each text's first
    ``Explained`` come those of the photo in which the region found before is covered (``successive_maps`` with
    ``threshold``), each with one box: that region's. ``bytes_of`` reads what is at a path.
    """
    side = max(side, _seen(explainer))
    for start in range(0, len(paths), _TOGETHER):
        opened = []
        for path in paths[start : start + _TOGETHER]:
            try:
                opened.append((path, *_opened(bytes_of(path), side)))
            except ImageError as error:
                skipped(path, error.reason.removeprefix(f"{str(path)!r}: "))
        images = [image for _, image, _ in opened]
        photos = explainer.encoder.encode_images(images)
        matches = estimator(photos, texts) if estimator is not None and images else None
        explained = explainer.explain(images, texts, embeddings=photos)
        for row, ((path, image, info), maps) in enumerate(zip(opened, explained, strict=True)):
            size = (info.width, info.height)
            shares = [None] * len(texts) if matches is None else matches[row].tolist()
            group: list[Explained] = []
            for saliency, match in zip(maps, shares, strict=True):
                one = Explained(path, size, saliency, tuple(make_boxes(saliency, size)), match)
                group += [one] if rounds == 1 else _in_turn(one, image, explainer, rounds, threshold)
            yield image, group


def _in_turn(
    first: Explained, image: Image, explainer: ViewExplainer, rounds: int, threshold: float
) -> Iterator[Explained]:
    """Yield what was explained, and what is found when it is covered, each with the box that is covered next.

    The match estimate is that of the photo as it is.
    """
    maps = successive_maps(explainer, image, first.saliency.text, rounds, threshold=threshold)
    for turn, saliency in enumerate(maps, 1):
        around = tuple(boxes(saliency, first.size, threshold, mode="peak")) if first.boxes else ()
        yield replace(first, saliency=saliency, boxes=around, match=first.match if turn == 1 else None, turn=turn)
    if not maps:  # no place speaks for it
        yield replace(first, turn=1)


def explain_hits(
    answer: Answer,
    explainer: ViewExplainer,
    *,
    make_boxes: BoxMaker = main_boxes,
    bytes_of: Callable[[Path], bytes] = read_bytes,
) -> dict[Path, Explained]:
    """Return why the hits of a search were found, by path; a hit that cannot be read is not there.

    The map of a query with several texts is the weighted mean of theirs; what it takes away is taken away from each.
    Raises ``BadInput`` for a query of pictures alone: what two pictures share is no text.
    """
    wanted = {term.text: term.weight for term in answer.query.terms if term.text is not None and term.weight > 0}
    if not wanted:
        raise BadInput("only texts can be explained, and this query looks for none: leave out --explain")
    negative = tuple(term.text for term in answer.query.terms if term.text is not None and term.weight < 0)
    if negative:
        explainer = with_options(explainer, negative=negative)
    weights = np.asarray(list(wanted.values()), np.float32) / sum(wanted.values())
    found = {}
    paths = [hit.path for hit in answer.hits]
    for _, group in explain_files(paths, tuple(wanted), explainer, make_boxes=lambda *_: (), bytes_of=bytes_of):
        one = group[0]
        mean = np.tensordot(weights, np.stack([each.saliency.values for each in group]), 1)
        values = np.asarray(mean / max(float(mean.max()), 1e-12), np.float32)
        saliency = replace(one.saliency, values=values, text=answer.query.source)
        found[one.path] = replace(one, saliency=saliency, boxes=tuple(make_boxes(saliency, one.size)))
    return found


def explain_picture(
    picture: Picture,
    path: Path,
    text: str,
    explainer: ViewExplainer,
    *,
    make_boxes: BoxMaker = main_boxes,
    estimator: Estimator | None = None,
) -> Explained:
    """Return why one picture that is decoded already matches; ``path`` is what it is called."""
    image, size = _small(picture.image), (picture.info.width, picture.info.height)
    photos = explainer.encoder.encode_images([image])
    saliency = explainer.explain([image], [text], embeddings=photos)[0][0]
    matches = None if estimator is None else estimator(photos, [text])
    match = None if matches is None else float(matches[0, 0])
    return Explained(path, size, saliency, tuple(make_boxes(saliency, size)), match)


def record(one: Explained, explainer: ViewExplainer, threshold: float) -> dict[str, Any]:
    """Return the object that ``wordsight explain --json`` prints; docs/output.md says what each member means."""
    about = statistics(one.saliency, one.size, threshold)
    rows, columns = one.saliency.values.shape
    return {
        "path": str(one.path.absolute()),
        "text": one.saliency.text,
        **({} if one.turn is None else {"round": one.turn}),
        "score": round(one.saliency.score, 6),
        "match": None if one.match is None else round(one.match, 4),
        "width": one.size[0],
        "height": one.size[1],
        "encoder": explainer.encoder.name,
        "method": one.saliency.method,
        "boxes": box_records(one.boxes),
        "map": {
            "width": columns,
            "height": rows,
            "peak": None if about.peak is None else [round(place, 1) for place in about.peak],
            "entropy": round(about.entropy, 4),
            "above": round(about.above, 4),
            "threshold": about.threshold,
        },
    }


def box_records(found: Sequence[Box]) -> list[dict[str, float]]:
    """Return boxes as JSON objects."""
    return [{**box._asdict(), "score": round(float(box.score), 4)} for box in found]


def with_options(explainer: ViewExplainer, **changes: Any) -> ViewExplainer:
    """Return the explainer with other ``ExplainOptions``, the method kept."""
    return make_explainer(explainer.encoder, explainer.method, replace(explainer.options, **changes))


def quick(explainer: ViewExplainer) -> ViewExplainer:
    """Return an explainer that looks once at each picture, at its middle size: for many pictures, drawn small."""
    sides = explainer.options.sides
    return with_options(explainer, sides=sides[len(sides) // 2 :][:1], crops=(1.0,), flip=False)


def _seen(explainer: ViewExplainer) -> int:
    """Return how many pixels along the side of a square picture its views look at."""
    options = explainer.options
    return ceil(max(options.sides, default=explainer.encoder.image_side or _SIDE) / min(options.crops))


def _opened(data: bytes, side: int) -> tuple[Image, PictureInfo]:
    """Return a photo at no more pixels than are looked at, and what is known of the original; raises ``ImageError``."""
    picture = read(data, side=ceil(side / 2))  # twice that is what it leaves on the shorter side
    return _small(picture.image), picture.info


def _small(image: Image) -> Image:
    if image.width * image.height <= _MOST_PIXELS:
        return image
    scale = (_MOST_PIXELS / (image.width * image.height)) ** 0.5
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, PILImage.Resampling.LANCZOS, reducing_gap=2.0)
