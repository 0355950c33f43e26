"""The application: routes below the guard, errors as JSON, times counted."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wordsight import __version__
from wordsight.errors import (
    BadInput,
    CatalogueBusy,
    CatalogueError,
    ImageError,
    QuerySyntaxError,
    StoreError,
    UnknownQuery,
    WordsightError,
)
from wordsight.web import (
    routes_feedback,
    routes_library,
    routes_pictures,
    routes_reports,
    routes_search,
    routes_system,
)
from wordsight.web.answers import problem
from wordsight.web.config import Config
from wordsight.web.gallery import NotServed
from wordsight.web.guard import Guard
from wordsight.web.metrics import Metrics
from wordsight.web.pictures import make_thumbnails
from wordsight.web.service import Service
from wordsight.web.work import Overloaded

STATIC = Path(__file__).parent / "static"
PAGES = ("/", "/library", "/reports")
"""Addresses of the page: it looks at its own address to see what to show."""

_STATUS: tuple[tuple[type[WordsightError], int], ...] = (
    (NotServed, 404),
    (BadInput, 400),
    (ImageError, 422),
    (CatalogueBusy, 409),
    (StoreError, 503),
    (CatalogueError, 409),
    (WordsightError, 400),
)
"""The first that fits."""


def create_app(config: Config) -> FastAPI:
    """Return the application that serves ``config``. Raises what loading its encoders raises."""
    service = Service(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.warm()
        if config.ahead and config.store is None:  # a store may be paid for by what is fetched of it
            service.ahead.start(partial(make_thumbnails, service))
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="wordsight",
        version=__version__,
        summary="Find your photos by words: the service on your own machine.",
        lifespan=lifespan,
        docs_url=None,  # pages that load scripts of others
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.service = service
    for module in (
        routes_search,
        routes_pictures,
        routes_feedback,
        routes_library,
        routes_reports,
        routes_system,
    ):
        app.include_router(module.router)
    for page in PAGES:
        app.add_api_route(page, _page, methods=["GET"], include_in_schema=False)
    app.mount("/static", Listed(directory=STATIC), "static")
    app.add_exception_handler(WordsightError, _told)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Timed, metrics=service.metrics)
    app.add_middleware(Guard, config=config)
    return app


class Timed:
    """Counts requests and their times by route: addresses would make a figure for each photo."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, scope["method"], status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)


class Listed(StaticFiles):
    """Files that were there when the server began: another name is looked up nowhere."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._names = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the file with a name of the list."""
        return super().lookup_path(path) if path in self._names else ("", None)


async def _page() -> Response:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


async def _told(_: Request, error: Exception) -> Response:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    position = error.position if isinstance(error, QuerySyntaxError) else None
    near = list(error.near) if isinstance(error, UnknownQuery) else None
    headers = {"retry-after": "5"} if status == 503 else None
    return problem(status, str(error), position=position, near=near, headers=headers)


async def _overloaded(_: Request, __: Exception) -> Response:
    return problem(503, "as much waits as may: come again", headers={"retry-after": "1"})


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:5])
    return problem(422, told or "the request cannot be understood")
