"""Search a catalogue: words and pictures in, photos out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight import images
from wordsight.errors import BadInput, QuerySyntaxError
from wordsight.library import calibration, derived
from wordsight.library.catalogue import Catalogue
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer, PhotoHit
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric, Query, RowIds, Term

_MOST_VARIABLES = 900
_JOINS = (
    "FROM vectors v JOIN contents c ON c.id = v.content_id JOIN files f ON f.content_id = c.id "
    "JOIN folders d ON d.id = f.folder_id "
)
_COLUMNS = (
    "v.id, d.path, f.name, f.bytes, c.sha256, c.width, c.height, c.format, c.captured_at, c.camera, c.latitude, "
    "c.longitude"
)


class Searcher:
    """Answers queries on an open catalogue with one encoder; what it opens is kept for the next query.

    Raises ``EncoderMismatch`` when the catalogue holds only vectors of other encoders.
    """

    def __init__(self, catalogue: Catalogue, encoder: Encoder, *, threads: int = 1) -> None:
        self._catalogue = catalogue
        self._encoder = encoder
        self._stored = catalogue.encoder_row(encoder)
        self._index = derived.open_index(catalogue, self._stored, threads=threads)
        self._calibration = calibration.load(catalogue, self._stored)

    def __len__(self) -> int:
        """Return how many different pictures can be found."""
        return len(self._index)

    def search(
        self, query: Query, *, top: int = 10, filters: Filters | None = None, matches_only: bool = False
    ) -> Answer:
        """Return the ``top`` closest photos that pass ``filters``; ``matches_only`` leaves out unlikely ones.

        Copies of one picture are hits of their own, with the same score. The match estimate needs a calibrated
        catalogue and a query of words only. Raises ``BadInput`` for ``top`` < 1 and ``QuerySyntaxError`` when the
        query's terms cancel out; errors of the encoder pass through.
        """
        if top < 1:
            raise BadInput(f"the number of hits must be at least 1, got {top}")
        filters = self._without_idle(filters or Filters())
        vector, notices = query_vector(self._encoder, query)
        allowed = None if filters.is_empty else self._allowed(filters)
        found = self._index.search(vector[None], top, allowed)
        scores = dict(zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True))
        matches: dict[int, float] = {}
        if self._calibration is not None and all(term.image is None for term in query.terms):
            estimates = self._calibration.match(vector, found.scores[0])
            matches = dict(zip(found.ids[0].tolist(), estimates.tolist(), strict=True))
        hits = self._hits(scores, matches, filters)
        if matches_only:
            hits = [hit for hit in hits if hit.match is None or hit.match >= 0.5]
            if not matches:
                notices = (*notices, "no match estimate for this query: --matches-only has no effect")
        searched = len(self._index) if allowed is None else len(allowed)
        return Answer(query, _ranked(hits[:top]), searched, bool(matches), notices)

    def _without_idle(self, filters: Filters) -> Filters:
        """Drop a folder condition that every photo meets: filtering a million rows for nothing costs time."""
        roots = self._catalogue.roots()
        if any(all(root.is_relative_to(folder) for root in roots) for folder in filters.under):
            return replace(filters, under=())
        return filters

    def _allowed(self, filters: Filters) -> RowIds:
        condition, values = filters.where()
        rows = self._catalogue.db.execute(
            f"SELECT DISTINCT v.id {_JOINS} WHERE v.encoder_id = ? AND ({condition})", [self._stored.id, *values]
        ).fetchall()
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def _hits(self, scores: dict[int, float], matches: dict[int, float], filters: Filters) -> list[PhotoHit]:
        """Return the photos that hold the found pictures, sorted by ``(-score, path)``."""
        condition, values = filters.where() if not filters.is_empty else ("1", [])
        hits = []
        ids = list(scores)
        for start in range(0, len(ids), _MOST_VARIABLES):
            part = ids[start : start + _MOST_VARIABLES]
            rows = self._catalogue.db.execute(
                f"SELECT {_COLUMNS} {_JOINS} WHERE v.id IN ({','.join('?' * len(part))}) AND ({condition})",
                [*part, *values],
            )
            hits += [_hit(row, scores[row[0]], matches.get(row[0])) for row in rows]
        return sorted(hits, key=lambda hit: (-hit.score, str(hit.path)))


def query_vector(encoder: Encoder, query: Query) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the weighted sum of the terms' vectors, (dim,), and what the user should know about their reading.

    With a cosine metric the sum is scaled to unit length; with a Euclidean one the weights are scaled to sum to one, so
    that the sum of points is a point among them. Raises ``QuerySyntaxError`` when nothing is left of the sum, and
    ``ImageError`` or ``UnknownQuery`` for a term that cannot be used.
    """
    weights = np.asarray([term.weight for term in query.terms], np.float32)
    rows = np.concatenate([_term_vector(encoder, term) for term in query.terms])
    total = np.asarray(weights @ rows, np.float32)
    scale = float(np.linalg.norm(total)) if encoder.metric is Metric.COSINE else float(weights.sum())
    if abs(scale) < 1e-4 * float(np.abs(weights).sum()):
        raise QuerySyntaxError("the terms cancel each other out: nothing is left to look for", query.source, 0)
    remarks = [line for term in query.terms if term.text is not None for line in encoder.remarks(term.text)]
    return total / np.float32(scale), tuple(remarks)


def _term_vector(encoder: Encoder, term: Term) -> Embeddings:
    if term.image is not None:
        return encoder.encode_images([images.open_image(term.image, side=encoder.image_side)])
    assert term.text is not None
    return encoder.encode_texts([term.text])


def _hit(row: Sequence[Any], score: float, match: float | None) -> PhotoHit:
    _, folder, name, size, sha256, width, height, kind, captured, camera, latitude, longitude = row
    return PhotoHit(
        rank=0,
        path=Path(folder) / name,
        score=score,
        match=match,
        width=width,
        height=height,
        bytes=size,
        sha256=sha256.hex(),
        format=kind,
        captured_at=datetime.fromisoformat(captured) if captured else None,
        camera=camera,
        latitude=latitude,
        longitude=longitude,
    )


def _ranked(hits: Sequence[PhotoHit]) -> tuple[PhotoHit, ...]:
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1))
