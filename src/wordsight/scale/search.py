"""Search a store: the same words, filters, answers and match estimates as with a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.index.exact import similarity
from wordsight.index.lance import in_list, matrix
from wordsight.library.calibration import Calibration
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer, PhotoHit
from wordsight.library.language import parse
from wordsight.library.query_vectors import query_vector
from wordsight.library.search import Pictures, Place, estimates
from wordsight.protocols import Encoder
from wordsight.scale.conditions import condition
from wordsight.scale.rows import from_text
from wordsight.scale.store import Store
from wordsight.types import Address, Embeddings, Query, RowIds

COLUMNS = (
    *("id", "path", "sha256", "bytes", "width", "height", "format"),
    *("captured_at", "camera", "latitude", "longitude"),
)
"""What ``hit_of`` needs of a row."""


class StoreLibrary:
    """A store, seen through the encoder that filled it; searched like ``library.Library``. Use as a context manager.

    Each search sees the newest version, whoever is writing meanwhile. ``pictures`` gives what queries may name beyond
    the store, by SHA-256. Raises ``StoreError`` where there is no store and ``EncoderMismatch`` where another encoder
    filled it.
    """

    def __init__(self, encoder: Encoder, url: str, *, pictures: Pictures | None = None) -> None:
        self.encoder = encoder
        self.url = url
        self._pictures = pictures
        self.store = Store.open(url)
        self.store.header.check(encoder, url)
        self._learned: Calibration | None = self.store.calibration()

    def __enter__(self) -> StoreLibrary:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def search(
        self,
        query: str | Sequence[str] | Query,
        *,
        top: int = 10,
        within: Sequence[Path | str] = (),
        filters: Filters | None = None,
        matches_only: bool = False,
        regions: bool = True,  # noqa: ARG002  # a store has none; the signature is that of ``Library.search``
        after: Place | None = None,
        vector: NDArray[np.float32] | None = None,
        prompts: Sequence[str] = (),
    ) -> Answer:
        """Return the ``top`` photos closest to ``query``; arguments, answer and errors as of ``Library.search``.

        ``within``: only what lies below these folders or URLs. Photos are ranked as wholes.
        """
        if top < 1:
            raise BadInput(f"the number of hits must be at least 1, got {top}")
        parsed = query if isinstance(query, Query) else parse(query)
        notices: tuple[str, ...] = ()
        if vector is None:
            vector, notices = query_vector(self.encoder, parsed, self.content_vector, prompts)
        wanted = [condition(filters or Filters()), condition(Filters.read(under=within))]
        where = " AND ".join(f"({one})" for one in wanted if one is not None) or None
        self.refresh()
        hits, vectors = self._closest(vector, top, where, after or Place(0, np.inf, ""))

        def again(other: NDArray[np.float32]) -> Sequence[float]:
            half = other.astype(np.float16)[None]
            scores: list[float] = similarity(half, np.stack(vectors), self.store.header.metric)[0].tolist()
            return scores

        matches = estimates(self._learned, self.encoder, parsed, vector, hits, again, prompts)
        if matches is not None:
            hits = [replace(hit, match=float(match)) for hit, match in zip(hits, matches, strict=True)]
        elif matches_only:
            notices = (*notices, "no match estimate for this query: --matches-only has no effect")
        if matches_only:
            hits = [hit for hit in hits if hit.match is None or hit.match >= 0.5]
        searched = self.store.photos.count(where)
        return Answer(parsed, tuple(hits), searched, matches is not None, notices)

    def refresh(self) -> None:
        """Go on with the newest version."""
        shown = self.store.photos.version
        self.store.refresh()
        if self.store.photos.version != shown:
            self._learned = self.store.calibration()

    def content_vector(self, digits: str) -> Embeddings:
        """Return the vector, (1, dim), of the picture whose SHA-256 begins so; ``BadInput`` where none does."""
        if self._pictures is not None and (image := self._pictures(digits)) is not None:
            return self.encoder.encode_images([image])
        rows = self.store.photos.rows(["sha256", "vector"], f"sha256 >= '{digits}' AND sha256 <= '{digits}g'")
        if len(set(rows["sha256"].to_pylist())) != 1:
            what = "several pictures" if len(rows) else "no picture"
            raise BadInput(f"picture:{digits} stands for {what} of the store: give the sha256 that --json tells")
        return matrix(rows["vector"], self.encoder.dim)[:1].astype(np.float32)

    def _closest(
        self, vector: NDArray[np.float32], top: int, where: str | None, start: Place
    ) -> tuple[list[PhotoHit], list[NDArray[np.float16]]]:
        """Return the first ``top`` photos (behind ``start``) in the order of ``(-score, path)``, and their vectors.

        The index orders ties by id: more are asked for until no tie is cut through.
        """
        asked = start.rank + top + 1
        while True:
            found = self.store.index.search(vector[None], asked, where=where)
            rows = self._rows(found.ids[0])
            pairs = [
                (hit_of(rows[key][0], score), rows[key][1])
                for key, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
                if key in rows
            ]
            pairs.sort(key=lambda pair: _order(pair[0]))
            pairs = [pair for pair in pairs if _order(pair[0]) > (-start.score, start.path)]
            complete = found.ids.shape[1] < asked
            if complete or (len(pairs) >= top and found.scores[0, -1] < pairs[top - 1][0].score):
                ranked = enumerate(pairs[:top], start=start.rank + 1)
                hits = [(replace(hit, rank=rank), row) for rank, (hit, row) in ranked]
                return [hit for hit, _ in hits], [row for _, row in hits]
            asked *= 2

    def _rows(self, ids: RowIds) -> dict[int, tuple[dict[str, Any], NDArray[np.float16]]]:
        rows = self.store.photos.rows([*COLUMNS, "vector"], in_list("id", ids.tolist()))
        vectors = matrix(rows["vector"], self.encoder.dim)
        members = rows.drop_columns(["vector"]).to_pylist()
        return {row["id"]: (row, vector) for row, vector in zip(members, vectors, strict=True)}


def _order(hit: PhotoHit) -> tuple[float, str]:
    return -hit.score, str(hit.path)


def hit_of(row: Mapping[str, Any], score: float, rank: int = 0) -> PhotoHit:
    """Return a row of ``COLUMNS`` as a hit."""
    captured, camera = row["captured_at"], row["camera"]
    return PhotoHit(
        rank=rank,
        path=Address(from_text(row["path"])),
        score=score,
        match=None,
        width=row["width"],
        height=row["height"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        format=row["format"],
        captured_at=datetime.fromisoformat(captured) if captured else None,
        camera=None if camera is None else from_text(camera),
        latitude=row["latitude"],
        longitude=row["longitude"],
    )
