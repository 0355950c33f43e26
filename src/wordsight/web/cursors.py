"""Cursors: where the next page begins, as one word in an address. They hold places of an answer, nothing secret."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from wordsight.errors import BadInput

_KINDS: dict[str, tuple[type | tuple[type, ...], ...]] = {
    "search": (int, (int, float), str),
    "browse": (int, str, str, str),
    "offset": (int,),
}


def write(kind: str, place: tuple[Any, ...]) -> str:
    """Return the cursor of a place."""
    text = json.dumps([kind, *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def read(kind: str, cursor: str | None) -> tuple[Any, ...] | None:
    """Return the place of a cursor; raises ``BadInput`` for one that is not of this kind of answer."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        found = None
    types = _KINDS[kind]
    if not isinstance(found, list) or len(found) != 1 + len(types) or found[0] != kind or not _fits(found[1:], types):
        raise BadInput("this cursor belongs to another answer: take the one of the page before")
    return tuple(found[1:])


def _fits(values: list[Any], types: tuple[type | tuple[type, ...], ...]) -> bool:
    if not all(
        isinstance(value, kind) and not isinstance(value, bool) for value, kind in zip(values, types, strict=True)
    ):
        return False
    numbers = [value for value in values if not isinstance(value, str)]
    return all(math.isfinite(number) for number in numbers) and 0 <= values[0] < 10_000_000
