"""Searches for the routes: query, filters and feedback in, one page of hits out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput, CatalogueError, UnknownQuery
from wordsight.library import Answer, Filters, PhotoHit, parse
from wordsight.library.browse import BrowsePlace
from wordsight.library.feedback import refined
from wordsight.library.fused import search_fused
from wordsight.library.query_vectors import query_vector
from wordsight.library.records import record
from wordsight.library.search import Place
from wordsight.protocols import Encoder
from wordsight.types import Address, Query, Term
from wordsight.web import cursors
from wordsight.web.models import CompareParams, FilterParams, SearchBody, SearchParams, Sort
from wordsight.web.service import Service

_MOST_FUSED = 1_000  # hits of several encoders together


class Clock:
    """Adds up the milliseconds of an answer's steps."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self.ms: dict[str, float] = {"encode": 0.0, "search": 0.0}

    def lap(self, step: str) -> None:
        """Count the time since the last lap as ``step``."""
        now = time.perf_counter()
        self.ms[step] += (now - self._last) * 1e3
        self._last = now

    def told(self) -> dict[str, float]:
        """Return all, with their total."""
        return {name: round(ms, 2) for name, ms in self.ms.items()} | {
            "total": round((time.perf_counter() - self._start) * 1e3, 2)
        }


def search(service: Service, asked: SearchParams) -> dict[str, Any]:
    """Return one page; raises ``BadInput`` for what cannot be searched for."""
    clock = Clock()
    asked = _resolved(service, asked)
    vector = asked.vector if isinstance(asked, SearchBody) else None
    if not asked.q.strip() and vector is None and not asked.liked:
        if asked.disliked:
            raise BadInput("say what to look for, or mark a photo that is right: disliked photos alone say neither")
        answer, cursor = _browsed(service, asked)
        clock.lap("search")
    elif asked.fuse:
        if vector is not None or asked.liked or asked.disliked:
            raise BadInput("several encoders answer words and pictures only: leave out vector, liked and disliked")
        answer, cursor = _fused(service, asked, clock)
    else:
        answer, cursor = _searched(service, asked, vector, clock)
    ms = clock.told()
    for step in ("encode", "search"):
        service.metrics.search.labels(asked.encoder or "default", step).observe(ms[step] / 1e3)
    return as_json(answer, cursor, ms) | {"terms": _terms(asked.q)}


def compare(service: Service, asked: CompareParams) -> dict[str, Any]:
    """Return the answers of several encoders to one query, and the fused one."""
    names = list(dict.fromkeys(asked.encoder)) or list(service.encoders)
    shared = asked.model_dump(exclude={"encoder"})
    answers, problems = {}, {}
    for name in names:
        try:
            answers[name] = search(service, SearchParams(**shared, encoder=name))
        except (UnknownQuery, CatalogueError) as error:
            near = list(error.near) if isinstance(error, UnknownQuery) else None
            problems[name] = {"detail": str(error), "position": None, "near": near}
    able = list(answers)
    fused = search(service, SearchParams(**shared, encoder=able[0], fuse=able[1:])) if len(able) > 1 else None
    return {"query": asked.q, "answers": answers, "fused": fused, "problems": problems}


def as_json(answer: Answer, cursor: str | None, ms: Mapping[str, float]) -> dict[str, Any]:
    """Return an answer as the API gives it."""
    return {
        "query": answer.query.source,
        "hits": [record(answer, hit) for hit in answer.hits],
        "searched": answer.searched,
        "calibrated": answer.calibrated,
        "likely": answer.likely,
        "nothing_matches": answer.nothing_matches,
        "notices": list(answer.notices),
        "encoders": list(answer.encoders),
        "cursor": cursor,
        "ms": dict(ms),
    }


def _terms(q: str) -> list[dict[str, object]]:
    terms = parse(q, files=False).terms if q.strip() else ()
    return [{"text": term.text, "picture": term.content, "weight": term.weight} for term in terms]


def _resolved(service: Service, asked: SearchParams) -> SearchParams:
    """Put a saved query, ``@name``, in the place of its name; marks that are given count as well."""
    if not asked.q.strip().startswith("@"):
        return asked
    saved = service.notes.find(asked.q.strip()[1:])
    return asked.model_copy(
        update={
            "q": saved.q,
            "encoder": asked.encoder or saved.encoder,
            "liked": [*saved.liked, *asked.liked],
            "disliked": [*saved.disliked, *asked.disliked],
        }
    )


def filters_of(service: Service, asked: FilterParams) -> Filters:
    """Return the filters of a request, held within the folders that are served."""
    filters = Filters.read(
        since=asked.since,
        until=asked.until,
        camera=asked.camera,
        types=asked.type,
        min_size=asked.min_size,
        max_size=asked.max_size,
        min_side=asked.min_side,
    )
    wanted = tuple(Address(folder) for folder in asked.folder)
    for folder in wanted:
        if ".." in folder.parts or not service.serves(folder):
            raise BadInput(f"the folder {str(folder)!r} is not served: choose one that /api/facets lists")
    return replace(filters, under=wanted or service.folders)


def _browsed(service: Service, asked: SearchParams) -> tuple[Answer, str | None]:
    place = cursors.read("browse", asked.cursor)
    after = None if place is None else BrowsePlace(*place)
    filters = filters_of(service, asked)
    searched = service.kept(("count", filters), lambda gallery: gallery.count(filters))
    answer, end = service.gallery.browse(filters, top=asked.limit, after=after, searched=searched)
    return answer, None if end is None else cursors.write("browse", end)


def _searched(
    service: Service, asked: SearchParams, given: list[float] | None, clock: Clock
) -> tuple[Answer, str | None]:
    library = service.searchable(asked.encoder)
    filters = filters_of(service, asked)
    query, vector, notices = _question(service, asked, given)
    clock.lap("encode")

    def find(top: int, after: Place | None) -> Answer:
        return library.search(
            query,
            top=top,
            filters=filters,
            matches_only=asked.matches_only,
            regions=asked.regions,
            after=after,
            vector=vector,
        )

    if asked.sort is Sort.DATE:
        answer, cursor = _by_date(find, asked)
    else:
        place = cursors.read("search", asked.cursor)
        answer = find(asked.limit, None if place is None else Place(*place))
        full = len(answer.hits) == asked.limit
        last = answer.hits[-1] if full else None
        cursor = None if last is None else cursors.write("search", (last.rank, last.score, str(last.path)))
    clock.lap("search")
    return replace(answer, notices=(*notices, *answer.notices)), cursor


def _by_date(find: Callable[[int, Place | None], Answer], asked: SearchParams) -> tuple[Answer, str | None]:
    """Return a page of what probably matches, or of the closest photos where nothing does, by date, newest first.

    Ranks stay those of closeness.
    """
    (start,) = cursors.read("offset", asked.cursor) or (0,)
    answer = find(asked.depth, None)
    likely = [hit for hit in answer.hits if hit.match is not None and hit.match >= 0.5]

    def newest(hit: PhotoHit) -> tuple[bool, float, str]:
        when = hit.captured_at
        return when is None, 0.0 if when is None else -_seconds(when), str(hit.path)

    hits = sorted(likely or answer.hits, key=newest)
    cursor = cursors.write("offset", (start + asked.limit,)) if start + asked.limit < len(hits) else None
    return replace(answer, hits=tuple(hits[start : start + asked.limit])), cursor


def _seconds(when: Any) -> float:
    return float((when - when.min).total_seconds())


def _fused(service: Service, asked: SearchParams, clock: Clock) -> tuple[Answer, str | None]:
    names = dict.fromkeys(filter(None, (asked.encoder or service.encoder().name, *asked.fuse)))
    libraries = [service.searchable(name) for name in names]
    (start,) = cursors.read("offset", asked.cursor) or (0,)
    top = min(start + asked.limit, _MOST_FUSED)
    answer = search_fused(
        libraries,
        parse(asked.q, files=False),
        top=top,
        how=asked.fuse_by.value,
        filters=filters_of(service, asked),
        matches_only=asked.matches_only,
        regions=asked.regions,
    )
    clock.lap("search")
    cursor = cursors.write("offset", (top,)) if len(answer.hits) == top and top < _MOST_FUSED else None
    return replace(answer, hits=answer.hits[start:top]), cursor


def _question(
    service: Service, asked: SearchParams, given: list[float] | None
) -> tuple[Query, NDArray[np.float32], tuple[str, ...]]:
    """Return the query, its vector, and what the user should know about its reading."""
    encoder = service.encoder(asked.encoder)
    notices: tuple[str, ...] = ()
    query, vector = Query((), asked.q), np.zeros(encoder.dim, np.float32)
    if given is not None:
        if asked.q.strip():
            raise BadInput("give either words or a vector, not both")
        vector = _checked(given, encoder)
    elif asked.q.strip():
        query = parse(asked.q, files=False)
        vector, notices = _vector(service, encoder, query)
    if asked.liked or asked.disliked:
        liked, disliked = ([Term(content=sha256) for sha256 in dict.fromkeys(x)] for x in (asked.liked, asked.disliked))
        vector = refined(encoder, vector, liked, disliked, service.searchable(encoder.name).content_vector)
        query = Query((), asked.q)  # no estimate of matches: that knows how texts score
    return query, vector, notices


def _vector(service: Service, encoder: Encoder, query: Query) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    return service.vectors.get(
        (encoder.fingerprint, query),
        lambda: query_vector(encoder, query, service.searchable(encoder.name).content_vector),
    )


def _checked(given: list[float], encoder: Encoder) -> NDArray[np.float32]:
    vector = np.asarray(given, np.float64)
    if vector.shape != (encoder.dim,) or not np.isfinite(vector).all() or not np.abs(vector).max() < 1e30:
        raise BadInput(f"expected a vector of {encoder.dim} finite numbers for {encoder.name}, got {len(given)}")
    size = float(np.linalg.norm(vector))
    if encoder.metric.value == "cosine":
        if size < 1e-12:
            raise BadInput("a vector without length points nowhere: give another")
        vector = vector / size
    return vector.astype(np.float32)
