"""What a search of the catalogue answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wordsight.types import Box, Query


@dataclass(frozen=True, slots=True)
class PhotoHit:
    """One photo that was found.

    ``score``: higher is better, comparable within one query only. ``match``: estimated probability in [0, 1] that the
    photo shows what was asked, comparable across queries; ``None`` where the catalogue has no calibration yet.
    ``captured_at`` is the camera's local time, without zone. ``sha256`` identifies the content: copies share it.
    ``region``: the part that is closest to what was asked; ``None`` where that is the whole photo.
    ``ranks``, where several encoders were fused: each with the photo's place in its ranking, ``None`` where beyond.
    """

    rank: int
    path: Path
    score: float
    match: float | None
    width: int
    height: int
    bytes: int
    sha256: str
    format: str
    captured_at: datetime | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    region: Box | None = None
    ranks: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The photos found for one query, best first, sorted by ``(-score, path)``.

    ``searched`` photos passed the filters. ``likely`` of the hits have a match estimate of at least one half; with
    ``likely == 0`` and a calibrated catalogue, nothing there matches. ``notices`` are lines for the user (a query
    that was cut, say). ``encoders``, where several were fused: those that took part.
    """

    query: Query
    hits: tuple[PhotoHit, ...]
    searched: int
    calibrated: bool = False
    notices: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()

    @property
    def likely(self) -> int:
        """Number of hits with a match estimate of at least one half."""
        return sum(hit.match is not None and hit.match >= 0.5 for hit in self.hits)

    @property
    def nothing_matches(self) -> bool:
        """Whether the calibration says that none of the hits shows what was asked."""
        return self.calibrated and self.likely == 0
