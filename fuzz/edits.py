"""Turns the fuzzer's bytes into changes of a sound document, so that they get past the first check of a parser."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

_DEEP = 200
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3.5, -0.0, 1e308, math.nan, math.inf, 2**31, 2**63, 2**70, -(2**70), 10**400,
    "", " ", "x", "0", "-1", "nan", "\0", "\ud800", "../../x", "/", "~", "%s{}{0}", "x" * 5_000, "\u202e", "1e999",
    [], {}, [None], [[]], [0], ["x"], {"x": None}, {"": {}}, [1] * 300, "Infinity", {"content": 3}, [{"content": "x"}],
)  # fmt: skip


class Choices:
    """Decisions out of bytes; after the last byte, all are 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        return (self.byte() << 8 | self.byte()) % max(1, limit)

    def rest(self) -> bytes:
        """Return what was not used yet."""
        return self._data[self._at :]

    @property
    def left(self) -> int:
        """How many bytes were not used yet."""
        return max(0, len(self._data) - self._at)


def document(sound: Any, choices: Choices) -> bytes:
    """Return JSON: the sound document with a few changes, or one byte in eight: what the fuzzer gives as it is."""
    kind = choices.byte()
    if kind % 8 == 7:
        return choices.rest()
    if kind % 8 == 6:
        return b"[" * (_DEEP * choices.byte()) + choices.rest()
    changed = copy.deepcopy(sound)
    while choices.left:
        changed = edited(changed, choices)
    return json.dumps(changed).encode("utf-8", "surrogatepass")


def edited(node: Any, choices: Choices) -> Any:
    """Return the document with one place of it replaced, removed, renamed, wrapped or doubled."""
    if isinstance(node, dict | list) and node and choices.byte() % 8:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[choices.below(len(keys))]
        step = choices.byte() % 12
        if step == 0:
            del node[key]
        elif step == 1 and isinstance(node, dict):
            node[_text(choices)] = node.pop(key)
        elif step == 1:
            node.append(copy.deepcopy(node[key]))
        else:
            node[key] = edited(node[key], choices)
        return node
    return _SWAPS[choices.byte() % len(_SWAPS)](node, choices)


def _text(choices: Choices) -> str:
    return bytes(choices.byte() for _ in range(choices.byte() % 8)).decode("utf-8", "replace")


_SWAPS: tuple[Callable[[Any, Choices], Any], ...] = (
    lambda _, choices: copy.deepcopy(ODD[choices.byte() % len(ODD)]),
    lambda _, choices: copy.deepcopy(ODD[choices.byte() % len(ODD)]),
    lambda node, _: [node],
    lambda node, _: {"x": node},
    lambda node, choices: node + choices.byte() - 128 if isinstance(node, int | float) else str(node),
    lambda _, choices: _text(choices),
)


def flipped(sound: bytes, choices: Choices) -> bytes:
    """Return bytes with a few of them replaced, cut out, doubled, or put in, where the choices say."""
    changed = bytearray(sound)
    while choices.left and changed:
        step, place = choices.byte() % 6, choices.below(len(changed)) if len(changed) < 65_536 else 0
        if len(changed) >= 65_536:
            place = (choices.byte() << 16 | choices.below(65_536)) % len(changed)
        if step == 0:
            del changed[place : place + choices.byte()]
        elif step == 1:
            changed[place:place] = changed[place : place + choices.byte()]
        elif step == 2:
            changed[place:place] = bytes(choices.byte() for _ in range(choices.byte() % 8))
        elif step == 3:
            del changed[place:]
        else:
            changed[place] = choices.byte()
    return bytes(changed)
