"""Files as they are, from an open one, in whole or by ranges (RFC 9110, section 14)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from wordsight.web.gallery import Photo
from wordsight.web.pictures import SHOWN_AS_THEY_ARE

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def answer(request: Request, file: BinaryIO, photo: Photo, tag: str, *, download: bool) -> Response:
    """Return the file, or the one range that is asked for; it is closed with the answer."""
    size = photo.bytes
    kind = SHOWN_AS_THEY_ARE.get(photo.format, "application/octet-stream")
    show = "inline" if photo.format in SHOWN_AS_THEY_ARE and not download else "attachment"
    headers = {
        "accept-ranges": "bytes",
        "etag": tag,
        "cache-control": "private, no-cache",
        # Percent-encoded as a whole: no name can end the header or pose as another.
        "content-disposition": f"{show}; filename*=UTF-8''{quote(os.fsencode(photo.path.name), safe='')}",
    }
    if request.headers.get("if-none-match") == tag:
        file.close()
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
    part = None if wanted is None else _range(wanted, size)
    if part == ():
        file.close()
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
    start, end = part or (0, size)
    if part:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    headers["content-length"] = str(end - start)
    body = _read(file, start, end)
    return StreamingResponse(body, 206 if part else 200, headers, kind)


def _range(text: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """Return start and end of the range; ``()`` where it lies beyond the file, ``None`` for what is no single range."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":  # the last so many bytes
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
    return (start, end) if start < end else ()


def _read(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (chunk := file.read(min(_CHUNK, end - start))):
            start += len(chunk)
            yield chunk
