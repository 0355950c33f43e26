"""Search a store: the same words, filters, answers and match estimates as with a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

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
from wordsight.library.search import Place, estimates
from wordsight.protocols import Encoder
from wordsight.scale.conditions import condition
from wordsight.scale.rows import Record, records
from wordsight.scale.store import Store
from wordsight.types import Address, Embeddings, Query, RowIds

_COLUMNS = (
    *("id", "path", "sha256", "bytes", "stamp", "width", "height", "format"),
    *("captured_at", "camera", "latitude", "longitude", "vector"),
)


class StoreLibrary:
    """A store, seen through the encoder that filled it; searched like ``library.Library``. Use as a context manager.

    Each search sees the newest version, whoever is writing meanwhile. Raises ``StoreError`` where there is no store and
    ``EncoderMismatch`` where another encoder filled it.
    """

    def __init__(self, encoder: Encoder, url: str) -> None:
        self.encoder = encoder
        self.url = url
        self._store = Store.open(url)
        self._store.header.check(encoder, url)
        self._learned: Calibration | None = self._store.calibration()

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
    ) -> Answer:
        """Return the ``top`` photos closest to ``query``; arguments, answer and errors as of ``Library.search``.

        ``within``: only what lies below these folders or URLs. Photos are ranked as wholes.
        """
        if top < 1:
            raise BadInput(f"the number of hits must be at least 1, got {top}")
        parsed = query if isinstance(query, Query) else parse(query)
        notices: tuple[str, ...] = ()
        if vector is None:
            vector, notices = query_vector(self.encoder, parsed, self.content_vector)
        wanted = [condition(filters or Filters()), condition(Filters.read(under=within))]
        where = " AND ".join(f"({one})" for one in wanted if one is not None) or None
        self._store.refresh()
        hits, vectors = self._closest(vector, top, where, after or Place(0, np.inf, ""))

        def again(other: NDArray[np.float32]) -> Sequence[float]:
            half = other.astype(np.float16)[None]
            scores: list[float] = similarity(half, np.stack(vectors), self._store.header.metric)[0].tolist()
            return scores

        matches = estimates(self._learned, self.encoder, parsed, vector, hits, again)
        if matches is not None:
            hits = [replace(hit, match=float(match)) for hit, match in zip(hits, matches, strict=True)]
        elif matches_only:
            notices = (*notices, "no match estimate for this query: --matches-only has no effect")
        if matches_only:
            hits = [hit for hit in hits if hit.match is None or hit.match >= 0.5]
        searched = self._store.photos.count(where)
        return Answer(parsed, tuple(hits), searched, matches is not None, notices)

    def content_vector(self, digits: str) -> Embeddings:
        """Return the vector, (1, dim), of the picture whose SHA-256 begins so; ``BadInput`` where none does."""
        rows = self._store.photos.rows(["sha256", "vector"], f"sha256 >= '{digits}' AND sha256 <= '{digits}g'")
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
            found = self._store.index.search(vector[None], asked, where=where)
            rows = self._rows(found.ids[0])
            pairs = [
                (_hit(rows[key], score), rows[key].vector)
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

    def _rows(self, ids: RowIds) -> dict[int, Record]:
        rows = self._store.photos.rows(_COLUMNS, in_list("id", ids.tolist()))
        return dict(zip(rows["id"].to_pylist(), records(rows, self.encoder.dim), strict=True))


def _order(hit: PhotoHit) -> tuple[float, str]:
    return -hit.score, str(hit.path)


def _hit(row: Record, score: float) -> PhotoHit:
    info = row.info
    return PhotoHit(
        rank=0,
        path=Address(row.address),
        score=score,
        match=None,
        width=info.width,
        height=info.height,
        bytes=row.bytes,
        sha256=row.sha256,
        format=info.format,
        captured_at=info.captured_at,
        camera=info.camera,
        latitude=info.latitude,
        longitude=info.longitude,
    )
