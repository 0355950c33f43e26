"""Routes of searching: search, compare encoders, what can be filtered by, what was asked before."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from wordsight.library.facets import Facets
from wordsight.web import drawing, searching
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models import (
    CompareAnswer,
    CompareParams,
    FacetsAnswer,
    FilterParams,
    SearchAnswer,
    SearchBody,
    SearchParams,
)
from wordsight.web.service import Service

router = APIRouter(prefix="/api", tags=["search"], responses=PROBLEMS)


@router.get("/search", response_model=SearchAnswer)
async def search(service: Served, asked: Annotated[SearchParams, Query()]) -> Response:
    """Search by words, pictures and sums of both; without `q`, all photos, newest first."""
    return await _search(service, asked)


@router.get("/compare", response_model=CompareAnswer)
async def compare(service: Served, asked: Annotated[CompareParams, Query()]) -> Response:
    """Ask several encoders the same, side by side, and fuse their answers."""
    return Ascii(await service.quick.run(searching.compare, service, asked))


@router.get("/facets", response_model=FacetsAnswer)
async def facets(service: Served, asked: Annotated[FilterParams, Query()]) -> Response:
    """Count what the photos that pass the filters can be filtered by."""
    return Ascii(asdict(await service.slow.run(_facets, service, asked)))


@router.post("/search", response_model=SearchAnswer)
async def search_posted(service: Served, asked: SearchBody) -> Response:
    """Search as with GET, or by a vector."""
    return await _search(service, asked)


async def _search(service: Service, asked: SearchParams) -> Response:
    answer = await service.quick.run(searching.search, service, asked)
    if asked.row is not None and asked.cursor is None:
        drawing.begin(service, answer["hits"], asked.row)
    return Ascii(answer)


def _facets(service: Service, asked: FilterParams) -> Facets:
    filters = searching.filters_of(service, asked)
    return service.kept(("facets", filters), lambda gallery: gallery.facets(filters))
