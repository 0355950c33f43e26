"""Routes of pictures: thumbnails, originals, uploads."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from wordsight.web import pictures
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models import Digits, UploadAnswer

router = APIRouter(prefix="/api", tags=["pictures"], responses=PROBLEMS)
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


@router.get("/pictures/{sha256}/thumbnail", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
async def thumbnail(
    service: Served,
    request: Request,
    sha256: Digits,
    side: Annotated[Literal["160", "320", "640", "1280", "2560"], Query()] = "320",
) -> Response:
    """Return a picture as WebP, upright, at most `side` pixels long: also one that browsers cannot show."""
    tag = f'"{sha256[:32]}-{side}"'
    data = await service.slow.run(pictures.thumbnail, service, sha256, int(side))
    headers = {**_FOR_EVER, "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/webp", headers=headers)


@router.post("/uploads", response_model=UploadAnswer, status_code=201)
async def upload(service: Served, request: Request) -> Response:
    """Keep a picture, the request's body, to search by: `picture:SHA256` then stands for it until the server ends."""
    data = await request.body()
    kept = await service.slow.run(service.uploads.add, data)
    info = kept.info
    members = {"sha256": kept.sha256, "width": info.width, "height": info.height, "format": info.format.lower()}
    return Ascii(members, 201)
