"""Search with several encoders at once: one ranking out of theirs, whatever kinds they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput, UnknownQuery
from wordsight.fusion import Fusion, fuse
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer, PhotoHit
from wordsight.library.searchable import Searchable
from wordsight.types import Query


def search_fused(
    libraries: Sequence[Searchable],
    query: str | Sequence[str] | Query,
    *,
    top: int = 10,
    how: Fusion | str = Fusion.RRF,
    weights: Sequence[float] | None = None,
    within: Sequence[Path | str] = (),
    filters: Filters | None = None,
    matches_only: bool = False,
    regions: bool = True,
) -> Answer:
    """Return the ``top`` photos of one catalogue for ``query``, ranked by several encoders together.

    Each library is that catalogue seen through one encoder, which gives its first 200 photos, or ten times ``top``; a
    photo that only others found counts as the next behind its last. An encoder with a closed vocabulary that does not
    know the query abstains, and a notice says so. The match estimate is that of the first encoder that has one; for a
    photo beyond its depth it is the least it gave, which is an upper bound. That nothing matches is said only where
    every encoder that took part has estimates. ``ranks`` of a hit are its places with each encoder; its region is that
    of the first encoder that found it. ``weights``: how much each counts; ``None``: all the same.

    Raises ``UnknownQuery`` where no encoder knows the query, ``BadInput`` for encoders of one name, and as
    ``Library.search`` does.
    """
    names = [library.encoder.name for library in libraries]
    if len(set(names)) < len(names) or not names:
        raise BadInput(f"expected different encoders to fuse, got {', '.join(names) or 'none'}")
    answers: dict[str, Answer] = {}
    silent: dict[str, UnknownQuery] = {}
    for name, library in zip(names, libraries, strict=True):
        try:
            answers[name] = library.search(query, top=_depth(top), within=within, filters=filters, regions=regions)
        except UnknownQuery as error:
            silent[name] = error
    if not answers:
        raise next(iter(silent.values()))
    given = dict(zip(names, [1.0] * len(names) if weights is None else weights, strict=True))
    hits = _fused(answers, Fusion(how), [given[name] for name in answers])
    if matches_only:
        hits = [hit for hit in hits if hit.match is None or hit.match >= 0.5]
    first = next(iter(answers.values()))
    told = [f"{name} does not know this query: ranked without it" for name in silent]
    return Answer(
        query=first.query,
        hits=tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits[:top], start=1)),
        searched=max(answer.searched for answer in answers.values()),
        calibrated=all(answer.calibrated for answer in answers.values()),
        notices=(*dict.fromkeys(line for answer in answers.values() for line in answer.notices), *told),
        encoders=tuple(answers),
    )


def _depth(top: int) -> int:
    return max(200, 10 * top)


def _fused(answers: dict[str, Answer], how: Fusion, weights: Sequence[float]) -> list[PhotoHit]:
    """Return all photos that some encoder found, sorted by ``(-fused score, path)``."""
    found = {name: {hit.path: hit for hit in answer.hits} for name, answer in answers.items()}
    photos = {path: hit for hits in reversed(found.values()) for path, hit in hits.items()}
    if not photos:
        return []
    matrices = [_scores(list(photos), hits) for hits in found.values()]
    scores = fuse(matrices, how, weights=weights)[0]
    estimated = next((hits for name, hits in found.items() if answers[name].calibrated), {})
    least = min((hit.match for hit in estimated.values() if hit.match is not None), default=None)
    fused = [
        replace(
            hit,
            score=float(score),
            match=estimated[path].match if path in estimated else least,
            ranks=tuple((name, hits[path].rank if path in hits else None) for name, hits in found.items()),
        )
        for (path, hit), score in zip(photos.items(), scores, strict=True)
    ]
    return sorted(fused, key=lambda hit: (-hit.score, str(hit.path)))


def _scores(photos: Sequence[Path], hits: dict[Path, PhotoHit]) -> NDArray[np.float64]:
    """Return the scores of one encoder as (1, photos); what it did not find comes just behind its last."""
    if not hits:
        return np.full((1, len(photos)), np.nan)
    behind = np.nextafter(min(hit.score for hit in hits.values()), -np.inf)
    return np.asarray([[hits[path].score if path in hits else behind for path in photos]])
