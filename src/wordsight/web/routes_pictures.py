"""Routes of pictures: thumbnails, originals, uploads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from wordsight.web import drawing, explaining, originals, pictures
from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.models import Digits
from wordsight.web.models_pictures import ExplainAnswer, ExplainParams, MapParams, PictureAnswer, UploadAnswer

router = APIRouter(prefix="/api", tags=["pictures"], responses=PROBLEMS)
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"*/*": {}}, "description": "The whole file."},
    206: {"content": {"*/*": {}}, "description": "The range that was asked for."},
    304: {"description": "The client has it already."},
    416: {"description": "The range lies beyond the file."},
}
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
    data = await service.quick.run(pictures.cached_thumbnail, service, sha256, int(side))
    if data is None:  # what is there does not wait behind what is to be made
        data = await drawing.thumbnail(service, sha256, int(side))
    headers = {**_FOR_EVER, "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/webp", headers=headers)


@router.get("/pictures/{sha256}", response_model=PictureAnswer)
async def picture(service: Served, sha256: Digits) -> Response:
    """Tell what is known of a picture."""
    return Ascii(await service.quick.run(pictures.about, service, sha256))


@router.get("/pictures/{sha256}/original", response_class=Response, responses=_FILE)
async def original(service: Served, request: Request, sha256: Digits, download: bool = False) -> Response:
    """Return the file of a photo as it is; ranges are answered."""
    file, photo = await service.slow.run(pictures.opened, service, sha256)
    return originals.answer(request, file, photo, f'"{sha256}"', download=download)


@router.get("/pictures/{sha256}/explain", response_model=ExplainAnswer)
async def explain(service: Served, sha256: Digits, asked: Annotated[ExplainParams, Query()]) -> Response:
    """Tell which places of a picture speak for a text."""
    return Ascii(await service.slow.run(explaining.explain, service, sha256, asked))


@router.get("/pictures/{sha256}/map.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def map_png(service: Served, sha256: Digits, asked: Annotated[MapParams, Query()]) -> Response:
    """Return that map as a picture to lay over the whole photo."""
    data = await service.slow.run(explaining.map_png, service, sha256, asked)
    return Response(data, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


@router.post("/uploads", response_model=UploadAnswer, status_code=201)
async def upload(service: Served, request: Request) -> Response:
    """Keep a picture, the request's body, to search by: `picture:SHA256` then stands for it until the server ends."""
    data = await request.body()
    kept = await service.slow.run(service.uploads.add, data)
    info = kept.info
    members = {"sha256": kept.sha256, "width": info.width, "height": info.height, "format": info.format.lower()}
    return Ascii(members, 201)
