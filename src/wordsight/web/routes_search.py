"""Routes of searching: search, compare encoders, what can be filtered by, what was asked before."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from wordsight.web import searching
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models import SearchAnswer, SearchBody, SearchParams

router = APIRouter(prefix="/api", tags=["search"], responses=PROBLEMS)


@router.get("/search", response_model=SearchAnswer)
async def search(service: Served, asked: Annotated[SearchParams, Query()]) -> Response:
    """Search by words, pictures and sums of both; without `q`, all photos, newest first."""
    return Ascii(await service.quick.run(searching.search, service, asked))


@router.post("/search", response_model=SearchAnswer)
async def search_posted(service: Served, asked: SearchBody) -> Response:
    """Search as with GET, or by a vector."""
    return Ascii(await service.quick.run(searching.search, service, asked))
