"""Names, kinds and shapes of an ONNX file's inputs and outputs, read without loading its weights.

The format is a protocol buffer: fields with a number, a kind and, for all that matters here, a length. Weights are
skipped over, so a file of gigabytes takes a moment, and neither the ``onnx`` package nor a runtime is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from wordsight.errors import ModelError

_KINDS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_GRAPH, _INITIALIZER, _INPUT, _OUTPUT = 7, 5, 11, 12
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output: numpy's name of its kind ("" for another), and its sides, ``None`` where any will do."""

    kind: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a graph takes and gives, in the file's order."""

    inputs: dict[str, Value]
    outputs: dict[str, Value]


def signature(file: Path) -> Signature:
    """Return the inputs and outputs of an ONNX file; raises ``ModelError`` where it is none, or cut off."""
    try:
        with file.open("rb") as stream:
            for field in _fields(stream, file.stat().st_size):
                if field.number == _GRAPH:
                    return _graph(stream, field.end)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read as an ONNX model: {error}; fetch it again") from error
    raise ModelError(f"{file} is no ONNX model: it has no graph")


def _graph(stream: BinaryIO, end: int) -> Signature:
    sides: dict[int, dict[str, Value]] = {_INPUT: {}, _OUTPUT: {}}
    weights = set[str]()  # old files list them among the inputs
    for field in _fields(stream, end):
        if field.number in sides:
            name, value = _value(stream, field.end)
            sides[field.number][name] = value
        elif field.number == _INITIALIZER:
            names = (inner for inner in _fields(stream, field.end) if inner.number == 8)
            weights.update(stream.read(inner.value).decode() for inner in names)
    return Signature({name: value for name, value in sides[_INPUT].items() if name not in weights}, sides[_OUTPUT])


def _value(stream: BinaryIO, end: int) -> tuple[str, Value]:
    name, kind, shape = "", "", list[int | None]()
    for field in _fields(stream, end):
        if field.number == 1:
            name = stream.read(field.value).decode()
        elif field.number == 2:
            for part in _within(stream, field.end, 1):  # a tensor, not a sequence or map
                for inner in _fields(stream, part.end):
                    if inner.number == 1:
                        kind = _KINDS.get(inner.value, "")
                    elif inner.number == 2:
                        shape += [_side(stream, side.end) for side in _within(stream, inner.end, 1)]
    return name, Value(kind, tuple(shape))


def _side(stream: BinaryIO, end: int) -> int | None:
    return next((field.value for field in _within(stream, end, 1)), None)


class _Field(NamedTuple):
    """``value``: of a number itself, of anything else its length; ``end``: where the next field begins."""

    number: int
    value: int
    end: int


def _within(stream: BinaryIO, end: int, number: int) -> Iterator[_Field]:
    return (field for field in _fields(stream, end) if field.number == number)


def _fields(stream: BinaryIO, end: int) -> Iterator[_Field]:
    """Yield the fields up to ``end``, the content of each next in the stream, which may be read or not."""
    while stream.tell() < end:
        tag = _varint(stream)
        kind = tag & 7
        value = _varint(stream) if kind in (_VARINT, _LENGTH) else _FIXED.get(kind)
        if value is None:
            raise EOFError("its bytes make no sense")
        after = stream.tell() + (0 if kind == _VARINT else value)
        if after > end:
            raise EOFError("it ends too early")
        yield _Field(tag >> 3, value, after)
        stream.seek(after)


def _varint(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise EOFError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
