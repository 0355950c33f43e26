"""Search a catalogue: words and pictures in, photos out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.index import RegionIndex
from wordsight.index.exact import similarity, to_half
from wordsight.index.regions import blend
from wordsight.library import calibration, derived
from wordsight.library.blobs import join, unpack
from wordsight.library.catalogue import Catalogue
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer, PhotoHit
from wordsight.library.query_vectors import query_vector
from wordsight.library.regions import Boxes, in_pixels, unpack_boxes
from wordsight.protocols import Encoder, Image, ScannableIndex
from wordsight.types import Box, Embeddings, Query, RowIds

_MOST_VARIABLES = 500  # of the 999 that older SQLite takes: the filters need some
_JOINS = (
    "FROM vectors v JOIN contents c ON c.id = v.content_id JOIN files f ON f.content_id = c.id "
    "JOIN folders d ON d.id = f.folder_id "
)
COLUMNS = (
    "v.id, d.path, f.name, f.bytes, c.sha256, c.width, c.height, c.format, c.captured_at, c.camera, c.latitude, "
    "c.longitude"
)


Pictures: TypeAlias = "Callable[[str], Image | None]"
"""From the first digits of a SHA-256 to a picture."""


class Place(NamedTuple):
    """Where a page of an answer ended: the next one goes on behind it, also when the catalogue has changed since."""

    rank: int
    score: float
    path: str


class Searcher:
    """Answers queries on an open catalogue with one encoder.

    What it opens is kept for the next query, and opened anew when the catalogue has changed: each answer belongs to one
    state of it. ``pictures``: what ``picture:`` terms may name beyond the catalogue. Raises ``EncoderMismatch`` when
    the catalogue holds only vectors of other encoders.
    """

    def __init__(
        self, catalogue: Catalogue, encoder: Encoder, *, threads: int = 1, pictures: Pictures | None = None
    ) -> None:
        self._catalogue = catalogue
        self._pictures = pictures
        self._encoder = encoder
        self._threads = threads
        self._state: tuple[int, int] | None = None
        with catalogue.snapshot():
            self._refresh()

    def _refresh(self) -> None:
        """Open what belongs to the present state; the first thing to do in a snapshot."""
        state = self._catalogue.state()
        if state == self._state:
            return
        self._stored = self._catalogue.encoder_row(self._encoder)
        self._index: ScannableIndex
        self._regions: RegionIndex | None = None
        if self._stored.regions is None:
            self._index = derived.open_index(self._catalogue, self._stored, threads=self._threads)
        else:
            self._regions = derived.open_with_regions(self._catalogue, self._stored, threads=self._threads)
            self._index = self._regions.whole
        self._calibration = calibration.load(self._catalogue, self._stored)
        self._state = state

    def __len__(self) -> int:
        """Return how many different pictures can be found."""
        return len(self._index)

    def search(
        self,
        query: Query,
        *,
        top: int = 10,
        filters: Filters | None = None,
        matches_only: bool = False,
        regions: bool = True,
        after: Place | None = None,
        vector: NDArray[np.float32] | None = None,
        prompts: Sequence[str] = (),
    ) -> Answer:
        """Return the ``top`` closest photos that pass ``filters``; ``matches_only`` leaves out unlikely ones.

        Where the catalogue has regions, photos are ranked by the whole and their best region, and hits say which that
        is, unless ``regions`` is false. ``after``: only what comes behind this place of the same answer. ``vector``
        (dim,): that of the query, where the caller has it already; a query without terms can stand for any. ``prompts``
        are those of ``query_vector``.
        Copies of one picture are hits of their own, with the same score. The match estimate needs a calibrated
        catalogue and a query of words only. Raises ``BadInput`` for ``top`` < 1 and ``QuerySyntaxError`` when the
        query's terms cancel out; errors of the encoder pass through.
        """
        if top < 1:
            raise BadInput(f"the number of hits must be at least 1, got {top}")
        notices: tuple[str, ...] = ()
        if vector is None:
            vector, notices = query_vector(self._encoder, query, self.content_vector, prompts)
        with self._catalogue.snapshot():
            self._refresh()
            filters = self._without_idle(filters or Filters())
            allowed = None if filters.is_empty else self._allowed(filters)
            by_region = self._regions if regions else None
            hits = self._closest(by_region or self._index, vector, top, allowed, filters, after)
            estimates = self._estimates(query, vector, hits, prompts, by_region=by_region is not None)
            if by_region is not None:
                hits = [replace(hit, region=self._best_region(vector, hit)) for hit in hits]
        if estimates is not None:
            hits = [replace(hit, match=float(match)) for hit, match in zip(hits, estimates, strict=True)]
        elif matches_only:
            notices = (*notices, "no match estimate for this query: --matches-only has no effect")
        if matches_only:
            hits = [hit for hit in hits if hit.match is None or hit.match >= 0.5]
        searched = len(self._index) if allowed is None else len(allowed)
        return Answer(query, tuple(hits), searched, estimates is not None, notices)

    def _closest(
        self,
        index: ScannableIndex | RegionIndex,
        vector: NDArray[np.float32],
        top: int,
        allowed: RowIds | None,
        filters: Filters,
        after: Place | None,
    ) -> list[PhotoHit]:
        """Return the first ``top`` photos (behind ``after``) in the order of ``(-score, path)``, ranked.

        The index knows pictures, in the order of their ids: more are asked for until no tie is cut through. Nor may
        pictures count that no file has any more, as there are until a sync that saw files change has ended.
        """
        start = after or Place(0, np.inf, "")
        asked = start.rank + top + 1
        while True:
            found = index.search(vector[None], asked, allowed)
            new = found.scores[0] <= start.score
            pairs = zip(found.ids[0][new].tolist(), found.scores[0][new].tolist(), strict=True)
            hits = [hit for hit in self._hits(dict(pairs), filters) if _order(hit) > (-start.score, start.path)]
            if found.ids.shape[1] < asked or (len(hits) >= top and found.scores[0, -1] < hits[top - 1].score):
                return [replace(hit, rank=rank) for rank, hit in enumerate(hits[:top], start=start.rank + 1)]
            asked *= 2

    def content_vector(self, digits: str) -> Embeddings:
        """Return the vector, (1, dim), of the picture whose SHA-256 begins so; ``BadInput`` where none does."""
        if self._pictures is not None and (image := self._pictures(digits)) is not None:
            return self._encoder.encode_images([image])
        with self._catalogue.snapshot():
            self._refresh()
            rows = self._catalogue.db.execute(
                "SELECT v.vector FROM contents c JOIN vectors v ON v.content_id = c.id AND v.encoder_id = ? "
                "WHERE c.sha256 BETWEEN ? AND ? LIMIT 2",
                [self._stored.id, bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))],
            ).fetchall()
        if len(rows) != 1:
            what = "several pictures" if rows else "no picture"
            raise BadInput(f"picture:{digits} stands for {what} of the catalogue: give the sha256 that --json tells")
        return unpack([rows[0][0]], self._stored.dim)

    def _estimates(
        self,
        query: Query,
        vector: NDArray[np.float32],
        hits: list[PhotoHit],
        prompts: Sequence[str] = (),
        *,
        by_region: bool,
    ) -> NDArray[np.float32] | None:
        def again(wanted: NDArray[np.float32]) -> list[float]:
            return [self._score(wanted, hit, by_region=by_region) for hit in hits]

        return estimates(self._calibration, self._encoder, query, vector, hits, again, prompts, by_region=by_region)

    def _score(self, vector: NDArray[np.float32], hit: PhotoHit, *, by_region: bool) -> float:
        """Return how a hit scores for another vector than the query's."""
        _, rows = self._parts(hit)
        whole, *regions = similarity(to_half(vector[None]), rows, self._stored.metric)[0]
        return float(blend(whole, max(regions))) if by_region and regions else float(whole)

    def _best_region(self, vector: NDArray[np.float32], hit: PhotoHit) -> Box | None:
        """Return the region of a hit that is closer than the whole and all others, if there is one."""
        boxes, rows = self._parts(hit)
        best = int(similarity(to_half(vector[None]), rows, self._stored.metric)[0].argmax())
        return in_pixels(boxes[best - 1], hit.width, hit.height) if best else None

    def _parts(self, hit: PhotoHit) -> tuple[Boxes, NDArray[np.float16]]:
        """Return the boxes of a hit's r regions, (r, 4), and the vectors of the whole and of these, (1 + r, dim)."""
        row = self._catalogue.db.execute(
            "SELECT coalesce(r.boxes, x''), v.vector, coalesce(r.vectors, x'') FROM contents c "
            "JOIN vectors v ON v.content_id = c.id LEFT JOIN regions r ON r.vector_id = v.id "
            "WHERE c.sha256 = ? AND v.encoder_id = ?",
            [bytes.fromhex(hit.sha256), self._stored.id],
        ).fetchone()
        boxes = unpack_boxes(row[0])
        block = join(row[1:], self._stored.dim, 1 + len(boxes))
        return boxes, np.frombuffer(block, "<f2").reshape(-1, self._stored.dim)

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

    def _hits(self, scores: dict[int, float], filters: Filters) -> list[PhotoHit]:
        """Return the photos that hold the found pictures, sorted by ``(-score, path)``."""
        condition, values = filters.where() if not filters.is_empty else ("1", [])
        hits = []
        ids = list(scores)
        for start in range(0, len(ids), _MOST_VARIABLES):
            part = ids[start : start + _MOST_VARIABLES]
            rows = self._catalogue.db.execute(
                f"SELECT {COLUMNS} {_JOINS} WHERE v.id IN ({','.join('?' * len(part))}) AND ({condition})",
                [*part, *values],
            )
            hits += [hit_of(row, scores[row[0]]) for row in rows]
        return sorted(hits, key=_order)


def estimates(
    learned: calibration.Calibration | None,
    encoder: Encoder,
    query: Query,
    vector: NDArray[np.float32],
    hits: Sequence[PhotoHit],
    again: Callable[[NDArray[np.float32]], Sequence[float]],
    prompts: Sequence[str] = (),
    *,
    by_region: bool = False,
) -> NDArray[np.float32] | None:
    """Return the match estimate of each hit, where there can be one.

    The calibration knows how texts score, not differences of texts: with a minus in the query, it judges how the hits
    score for what is wanted, which ``again`` tells of a vector (dim,).
    """
    if learned is None or not hits or any(term.text is None for term in query.terms):
        return None
    wanted = tuple(term for term in query.terms if term.weight > 0)
    if not wanted:  # only a vector
        return None
    if len(wanted) == len(query.terms):
        scores: Sequence[float] = [hit.score for hit in hits]
    else:
        vector, _ = query_vector(encoder, replace(query, terms=wanted), prompts=prompts)
        scores = again(vector)
    return learned.match(vector, np.asarray(scores, np.float32), by_region=by_region)


def _order(hit: PhotoHit) -> tuple[float, str]:
    return -hit.score, str(hit.path)


def hit_of(row: Sequence[Any], score: float, rank: int = 0) -> PhotoHit:
    """Return a row of ``COLUMNS`` as a hit."""
    _, folder, name, size, sha256, width, height, kind, captured, camera, latitude, longitude = row
    return PhotoHit(
        rank=rank,
        path=Path(folder) / name,
        score=score,
        match=None,
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
