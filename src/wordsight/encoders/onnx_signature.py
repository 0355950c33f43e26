"""Names, kinds and shapes of an ONNX file's inputs and outputs, read without loading its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wordsight.encoders.onnx_fields import content, fields, within
from wordsight.errors import ModelError

_KINDS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_GRAPH, _INITIALIZER, _INPUT, _OUTPUT = 7, 5, 11, 12


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
            for field in fields(stream, file.stat().st_size):
                if field.number == _GRAPH:
                    return _graph(stream, field.end)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read as an ONNX model: {error}; fetch it again") from error
    raise ModelError(f"{file} is no ONNX model: it has no graph")


def _graph(stream: BinaryIO, end: int) -> Signature:
    sides: dict[int, dict[str, Value]] = {_INPUT: {}, _OUTPUT: {}}
    weights = set[str]()  # old files list them among the inputs
    for field in fields(stream, end):
        if field.number in sides:
            name, value = _value(stream, field.end)
            sides[field.number][name] = value
        elif field.number == _INITIALIZER:
            names = (inner for inner in fields(stream, field.end) if inner.number == 8)
            weights.update(content(stream, inner).decode() for inner in names)
    return Signature({name: value for name, value in sides[_INPUT].items() if name not in weights}, sides[_OUTPUT])


def _value(stream: BinaryIO, end: int) -> tuple[str, Value]:
    name, kind, shape = "", "", list[int | None]()
    for field in fields(stream, end):
        if field.number == 1:
            name = content(stream, field).decode()
        elif field.number == 2:
            for part in within(stream, field.end, 1):  # a tensor, not a sequence or map
                for inner in fields(stream, part.end):
                    if inner.number == 1:
                        kind = _KINDS.get(inner.value, "")
                    elif inner.number == 2:
                        shape += [_side(stream, side.end) for side in within(stream, inner.end, 1)]
    return name, Value(kind, tuple(shape))


def _side(stream: BinaryIO, end: int) -> int | None:
    return next((field.value for field in within(stream, end, 1)), None)
