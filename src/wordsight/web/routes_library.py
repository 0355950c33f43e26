"""Routes of the library page: health, duplicates, clusters, the sync."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from wordsight.errors import BadInput
from wordsight.library.groups import MOST, NEAR, PhotoCluster
from wordsight.library.notes import SavedQuery
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models_library import (
    ClusterName,
    ClustersAnswer,
    DuplicatesAnswer,
    LibraryAnswer,
    SyncAnswer,
    SyncBody,
)
from wordsight.web.service import Service

router = APIRouter(prefix="/api", tags=["library"], responses=PROBLEMS)

Clusters = Annotated[int, Query(ge=1, le=100, description="How many clusters.")]
EncoderName = Annotated[str | None, Query(max_length=1_000)]

_LOOK_SECONDS = 0.2
_BEAT_SECONDS = 15.0


@router.get("/library", response_model=LibraryAnswer)
async def library(service: Served) -> Response:
    """Compare the folders with the catalogue: what is indexed, new, changed, missing, skipped and why."""
    return Ascii(await service.slow.run(_library, service))


@router.get("/library/duplicates", response_model=DuplicatesAnswer)
async def duplicates(
    service: Served,
    threshold: Annotated[float, Query(ge=0.8, le=1, description="Cosine from which photos look alike.")] = NEAR,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Groups of each kind at most.")] = 100,
    encoder: EncoderName = None,
) -> Response:
    """Return groups of equal files, and of different photos that look alike."""
    return Ascii(await service.slow.run(_duplicates, service, threshold, limit, encoder))


@router.get("/library/clusters", response_model=ClustersAnswer)
async def cluster(service: Served, k: Clusters = 12, encoder: EncoderName = None) -> Response:
    """Return clusters of the photos, the largest first, with the photos closest to the centre of each."""
    return Ascii(await service.slow.run(_clusters, service, k, encoder))


@router.put("/library/clusters/{number}", status_code=204)
async def name_cluster(
    service: Served, number: int, named: ClusterName, k: Clusters = 12, encoder: EncoderName = None
) -> Response:
    """Give a cluster a name: a saved query that looks for photos like the closest of it."""
    await service.slow.run(_name, service, number, named.name, k, encoder)
    return Response(status_code=204)


@router.post("/sync", response_model=SyncAnswer, status_code=202)
async def start_sync(service: Served, asked: SyncBody | None = None) -> Response:
    """Start to bring the catalogue up to date with the folders."""
    await service.slow.run(_start, service, asked or SyncBody())
    return Ascii(service.sync.state(), 202)


@router.get("/sync", response_model=SyncAnswer)
async def sync(service: Served) -> Response:
    """Tell how the sync stands."""
    return Ascii(service.sync.state())


@router.delete("/sync", response_model=SyncAnswer, status_code=202)
async def cancel_sync(service: Served) -> Response:
    """Let the sync end soon; what was done is kept."""
    service.sync.cancel()
    return Ascii(service.sync.state(), 202)


@router.get("/sync/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def sync_events(service: Served) -> Response:
    """Stream the states of the sync until it ends: server-sent events `progress`, then `done`."""
    return StreamingResponse(_events(service), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(service: Service) -> AsyncIterator[bytes]:
    told, silent = -1, 0.0
    while not service.ending:
        version, state = service.sync.version, service.sync.state()
        if version != told:
            told, silent = version, 0.0
            yield _event("progress", state)
        if not state["running"]:
            yield _event("done", state)
            return
        await asyncio.sleep(_LOOK_SECONDS)
        silent += _LOOK_SECONDS
        if silent > _BEAT_SECONDS:
            silent = 0.0
            yield b": still here\n\n"  # so that a client that has gone is noticed


def _event(name: str, state: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(state)}\n\n".encode("ascii")


def _start(service: Service, asked: SyncBody) -> None:
    encoder = service.encoder(asked.encoder)
    if service.config.store is not None:
        raise BadInput(f"a store is filled by `wordsight index SOURCE --store {service.config.store}`, not from here")
    known = list(service.roots())
    folders = [folder for folder in known if asked.folder in (None, str(folder))]
    if not folders:
        raise BadInput(f"the folder {asked.folder!r} is not served: choose one of {', '.join(map(str, known))}")
    service.sync.start(
        lambda: service.library(encoder),
        folders,
        beside=encoder is not service.encoder(),
        retry_skipped=asked.retry_skipped,
    )


def _library(service: Service) -> dict[str, Any]:
    served = {one.fingerprint for one in service.encoders.values()}
    return {
        "folders": service.gallery.health(service.roots()),
        "encoders": [{**one._asdict(), "served": one.fingerprint in served} for one in service.gallery.held()],
    }


def _duplicates(service: Service, threshold: float, limit: int, encoder: str | None) -> dict[str, Any]:
    gallery, asked = service.gallery, service.encoder(encoder)

    def near() -> list[Any]:
        found = gallery.near_duplicates(asked, service.scope, threshold)
        return [
            {
                "similarity": group.similarity,
                "photos": [
                    {"sha256": sha256, "path": str(photo.path)}
                    for sha256 in group.contents
                    for photo in gallery.photos(sha256, service.scope)[:1]
                ],
            }
            for group in found[:limit]
        ]

    key = "near", threshold, limit, *gallery.vectors_state(asked)
    return {
        "exact": [
            {"sha256": sha256, "paths": [str(path) for path in files]}
            for sha256, files in gallery.copies(service.scope, most=limit)
        ],
        "near": service.explained.get(key, near),
        "threshold": threshold,
        "compared": min(MOST, next((one.vectors for one in gallery.held() if one.fingerprint == asked.fingerprint), 0)),
    }


def _found(service: Service, k: int, encoder: str | None) -> list[PhotoCluster]:
    gallery, asked = service.gallery, service.encoder(encoder)
    key = "clusters", k, *gallery.vectors_state(asked)
    return service.explained.get(key, lambda: gallery.clusters(asked, service.scope, k))


def _clusters(service: Service, k: int, encoder: str | None) -> dict[str, Any]:
    found = _found(service, k, encoder)
    names = {saved.liked: saved.name for saved in service.notes.saved() if saved.liked and not saved.q}
    return {
        "clusters": [
            {"id": number, "name": names.get(one.closest), "count": one.count, "closest": list(one.closest)}
            for number, one in enumerate(found)
        ],
        "photos": sum(one.count for one in found),
    }


def _name(service: Service, number: int, name: str, k: int, encoder: str | None) -> None:
    found = _found(service, k, encoder)
    if not 0 <= number < len(found):
        raise BadInput(f"there are clusters 0 to {len(found) - 1}, and no {number}")
    service.notes.save(SavedQuery(name, encoder=service.encoder(encoder).name, liked=found[number].closest))
