"""JSON as the command line writes it: pure ASCII, since names of files need not be valid UTF-8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from wordsight.web.models import Problem
from wordsight.web.service import Service


class Ascii(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def problem(
    status: int,
    detail: str,
    *,
    position: int | None = None,
    near: list[str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error as the API tells it."""
    members = {"detail": detail, "position": position, "near": near}
    known = {name: value for name, value in members.items() if value is not None}
    return Ascii(known, status, dict(headers or {}))


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in (
        (400, "The request says what cannot be."),
        (401, "A token is asked for."),
        (403, "The request comes from another site."),
        (404, "There is no such thing here."),
        (408, "The body took too long."),
        (409, "The catalogue is busy, missing, or of another encoder."),
        (413, "Too large."),
        (421, "This server does not answer to that name."),
        (422, "The request, or a picture, cannot be understood."),
        (429, "Too many requests."),
        (503, "Too much waits, or the store cannot be read just now: come again."),
    )
}
"""What every route may answer instead."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]
"""A route's access to the service."""
