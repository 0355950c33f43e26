"""Routes of what people say about photos: marks, saved and recent queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from wordsight.evaluation.trec import qrels_lines
from wordsight.library.filters import Filters
from wordsight.library.notes import Mark, SavedQuery, qrels
from wordsight.types import Qrels
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models import Digits, Name, RecentBody, SuggestionsAnswer, Words
from wordsight.web.models_library import MarkBody, MarksAnswer, SavedAnswer, SavedBody
from wordsight.web.service import Service

router = APIRouter(prefix="/api", tags=["feedback"], responses=PROBLEMS)

_SUGGESTED = 10
_PLAIN: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


@router.get("/marks", response_model=MarksAnswer)
async def marks(service: Served, query: Annotated[Words | None, Query()] = None) -> Response:
    """Return the marks, of one query or of all."""
    return Ascii(await service.quick.run(_marks, service, query))


@router.put("/marks", status_code=204)
async def mark(service: Served, body: MarkBody) -> Response:
    """Mark a photo as right (1) or wrong (0) for a query."""
    await service.quick.run(service.notes.mark, Mark(body.query, body.sha256, body.grade))
    return Response(status_code=204)


@router.delete("/marks", status_code=204)
async def unmark(service: Served, query: Annotated[Words, Query()], sha256: Digits | None = None) -> Response:
    """Remove a mark, or all of a query."""
    await service.quick.run(service.notes.unmark, query, sha256)
    return Response(status_code=204)


@router.get("/marks/qrels", response_class=Response, responses=_PLAIN)
async def exported(service: Served) -> Response:
    """Return the marks as TREC qrels, with the ids of `wordsight search --trec`."""
    found, _ = await service.quick.run(_qrels, service)
    return PlainTextResponse("".join(qrels_lines(found)))


@router.get("/marks/queries", response_class=Response, responses=_PLAIN)
async def queries(service: Served) -> Response:
    """Return the numbers of the queries in the qrels: a number, a tab and the query on each line."""
    _, names = await service.quick.run(_qrels, service)
    return PlainTextResponse("".join(f"{number}\t{' '.join(query.split())}\n" for number, query in names.items()))


@router.get("/saved", response_model=SavedAnswer)
async def saved(service: Served) -> Response:
    """Return the saved queries."""
    found = await service.quick.run(service.notes.saved)
    return Ascii({"saved": [_members(query) for query in found]})


@router.put("/saved/{name}", status_code=204)
async def save(service: Served, name: Name, body: SavedBody) -> Response:
    """Keep a query under a name: `@name` then stands for it."""
    if body.encoder is not None:
        service.encoder(body.encoder)
    query = SavedQuery(name, body.q, body.encoder, tuple(body.liked), tuple(body.disliked))
    await service.quick.run(service.notes.save, query)
    return Response(status_code=204)


@router.delete("/saved/{name}", status_code=204)
async def drop(service: Served, name: Name) -> Response:
    """Remove a saved query."""
    await service.quick.run(service.notes.drop, name)
    return Response(status_code=204)


@router.get("/suggestions", response_model=SuggestionsAnswer)
async def suggestions(
    service: Served, q: Annotated[Words, Query()] = "", encoder: Annotated[str | None, Query(max_length=1_000)] = None
) -> Response:
    """Return what might be meant: recent queries, labels a closed encoder knows, saved queries."""
    return Ascii(await service.quick.run(_suggestions, service, q, encoder))


@router.post("/recent", status_code=204)
async def remember(service: Served, body: RecentBody) -> Response:
    """Remember a query for suggestions; it stays in the catalogue's folder."""
    await service.quick.run(service.notes.remember, body.q)
    return Response(status_code=204)


@router.delete("/recent", status_code=204)
async def forget(service: Served) -> Response:
    """Forget all recent queries."""
    await service.quick.run(service.notes.forget_recent)
    return Response(status_code=204)


def _marks(service: Service, query: str | None) -> dict[str, Any]:
    return {
        "marks": [
            {
                "query": one.query,
                "sha256": one.sha256,
                "grade": one.grade,
                "paths": [str(photo.path) for photo in service.gallery.photos(one.sha256, service.scope)],
            }
            for one in service.notes.marks(query)
        ]
    }


def _qrels(service: Service) -> tuple[Qrels, dict[str, str]]:
    def paths(sha256: str) -> list[Path]:
        return [photo.path for photo in service.gallery.photos(sha256, Filters())]

    return qrels(paths, service.notes.marks())


def _members(query: SavedQuery) -> dict[str, Any]:
    return {
        "name": query.name,
        "q": query.q,
        "encoder": query.encoder,
        "liked": list(query.liked),
        "disliked": list(query.disliked),
    }


def _suggestions(service: Service, q: str, encoder: str | None) -> dict[str, Any]:
    start = q.strip().casefold()
    labels = service.encoder(encoder).vocabulary or ()
    name = start.removeprefix("@")
    return {
        "recent": service.notes.recent(start, most=_SUGGESTED),
        "labels": [label for label in labels if label.casefold().startswith(start)][:_SUGGESTED],
        "saved": [one.name for one in service.notes.saved() if one.name.casefold().startswith(name)][:_SUGGESTED],
    }
