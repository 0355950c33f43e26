"""Routes that tell how the service is: status, encoders, health, metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from wordsight import __version__
from wordsight.errors import CatalogueError
from wordsight.explain import methods_of
from wordsight.web.answers import PROBLEMS, Ascii, Served, problem
from wordsight.web.models_library import EncoderAnswer, StatusAnswer
from wordsight.web.service import Service

router = APIRouter(responses=PROBLEMS)


@router.get("/api/status", tags=["status"], response_model=StatusAnswer)
async def status(service: Served) -> Response:
    """Tell what is served, and whether it is indexed."""
    return Ascii(await service.quick.run(_status, service))


@router.get("/api/encoders", tags=["status"], response_model=list[EncoderAnswer])
async def encoders(service: Served) -> Response:
    """Tell the encoders that can be asked, the default first."""
    return Ascii(await service.quick.run(_encoders, service))


@router.get("/health/live", tags=["status"])
async def live() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "live"}


@router.get("/health/ready", tags=["status"])
async def ready(service: Served) -> Response:
    """Tell whether searches can be answered: 200, or 503 with the reason."""
    try:
        await service.quick.run(_open, service)
    except CatalogueError as error:
        return problem(503, str(error), headers={"retry-after": "5"})
    return Ascii({"status": "ready"})


@router.get("/metrics", tags=["status"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: Served) -> Response:
    """Tell counts and times to Prometheus."""
    service.metrics.syncing.set(service.sync.state()["running"])
    service.metrics.photos.set(await service.quick.run(_photos, service))
    for workers in (service.quick, service.slow):
        service.metrics.waiting.labels(workers.name).set(workers.taken)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _open(service: Service) -> None:
    service.gallery.ready()


def _photos(service: Service) -> int:
    try:
        return service.kept(("count", service.scope), lambda gallery: gallery.count(service.scope))
    except CatalogueError:
        return 0


def _status(service: Service) -> dict[str, Any]:
    try:
        roots = service.gallery.roots()
    except CatalogueError:
        roots = []
    return {
        "version": __version__,
        "catalogue": service.config.store or str(service.location),
        "store": service.config.store is not None,
        "folders": [str(folder) for folder in service.folders or roots],
        "indexed": service.is_indexed(),
        "photos": _photos(service),
        "encoders": list(service.encoders),
        "syncing": service.sync.state()["running"],
        "thumbnails": service.ahead.state(),
        "reports": service.config.reports is not None,
    }


def _encoders(service: Service) -> list[dict[str, Any]]:
    try:
        stored = service.gallery.fingerprints()
    except CatalogueError:
        stored = set()
    return [
        {
            "name": encoder.name,
            "fingerprint": encoder.fingerprint,
            "dim": encoder.dim,
            "metric": encoder.metric.value,
            "vocabulary": None if encoder.vocabulary is None else len(encoder.vocabulary),
            "methods": list(methods_of(encoder)),
            "indexed": encoder.fingerprint in stored,
        }
        for encoder in service.encoders.values()
    ]
