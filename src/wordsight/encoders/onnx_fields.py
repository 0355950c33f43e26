"""The fields of a protocol buffer, which ONNX files are: read from a stream without what they hold, and written.

Fields have a number, a kind and, for all that matters here, a length. Contents are stepped over, so a file of gigabytes
takes a moment, and the ``onnx`` package, which would load them all, is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}


class Field(NamedTuple):
    """A field: its number, and where it stands.

    ``value``: of a number itself, of anything else its length. It is written from ``start`` on, its content from
    ``begin`` on, which a number has none of; ``end``: where the next begins.
    """

    number: int
    value: int
    start: int
    begin: int
    end: int

    @property
    def length(self) -> int:
        """Of the content, in bytes that are there: a number may be as large as it likes."""
        return self.end - self.begin


def fields(stream: BinaryIO, end: int) -> Iterator[Field]:
    """Yield the fields up to ``end``, the content of each next in the stream, which may be read or not.

    Raises ``EOFError`` for bytes that are none.
    """
    while (start := stream.tell()) < end:
        tag = _varint(stream)
        kind = tag & 7
        value = _varint(stream) if kind in (_VARINT, _LENGTH) else _FIXED.get(kind)
        if value is None:
            raise EOFError("its bytes make no sense")
        after = stream.tell() + (0 if kind == _VARINT else value)
        if after > end:
            raise EOFError("it ends too early")
        yield Field(tag >> 3, value, start, stream.tell(), after)
        stream.seek(after)


def within(stream: BinaryIO, end: int, number: int) -> Iterator[Field]:
    """Yield the fields of one number."""
    return (field for field in fields(stream, end) if field.number == number)


def numbers(stream: BinaryIO, field: Field) -> list[int]:
    """Return what a field of repeated whole numbers holds, packed into one or not."""
    if stream.tell() == field.end:
        return [field.value]
    found = []
    while stream.tell() < field.end:
        found.append(_varint(stream))
    return found


def content(stream: BinaryIO, field: Field) -> bytes:
    """Return what a field holds, which is next in the stream."""
    return stream.read(field.length)


def raw(stream: BinaryIO, field: Field) -> bytes:
    """Return a field as it stands there, to be written again."""
    stream.seek(field.start)
    return stream.read(field.end - field.start)


def text(number: int, content: str | bytes) -> bytes:
    """Return a field that holds a text, bytes or other fields."""
    data = content.encode() if isinstance(content, str) else content
    return _written(number << 3 | _LENGTH) + _written(len(data)) + data


def whole(number: int, value: int) -> bytes:
    """Return a field that holds a whole number from 0 on."""
    return _written(number << 3 | _VARINT) + _written(value)


def _written(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


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
