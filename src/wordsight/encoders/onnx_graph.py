"""An ONNX file as it is opened best: large weights left where they are, and only what one output needs is computed.

onnxruntime copies weights out of a file that holds them all (ViT-B/32: half a second, 200 MB), but maps what a graph
names in a file beside it. So it is given the graph without weights, which says where in the same file each begins. What
is computed of all places of a picture though only one is read, ``onnx_rows`` takes out.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from wordsight.encoders import onnx_fields as pb

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE = 1, 5, 11, 12, 13
_SUBGRAPHS = (6, 11)  # of an attribute
_FLOAT = 1
_LARGE = 1 << 16  # bytes of weights that are worth leaving where they are
_SIGN = 1 << 63


@dataclass(frozen=True, slots=True)
class Constant:
    """What is known of a constant: its sides, and whether it is nothing but zeros (false where that was not read)."""

    dims: tuple[int, ...]
    zero: bool = False
    values: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a graph. ``rest``: its other fields as they are written; an empty input name: none is given."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rest: bytes
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    constant: Constant | None = None

    def renamed(self, names: Mapping[str, str], outputs: tuple[str, ...]) -> Node:
        """Return the same step with other names of inputs, where ``names`` has them, and of outputs."""
        return replace(self, inputs=tuple(names.get(name, name) for name in self.inputs), outputs=outputs)

    def written(self) -> bytes:
        """Return the field of the graph."""
        names = [pb.text(1, name) for name in self.inputs] + [pb.text(2, name) for name in self.outputs]
        return pb.text(_NODE, b"".join([*names, self.rest]))


@dataclass(frozen=True, slots=True)
class Graph:
    """A model without its large weights. ``ranks``: how many sides inputs have; ``outputs``: their fields."""

    nodes: list[Node]
    constants: dict[str, Constant]
    ranks: dict[str, int]
    outputs: dict[str, bytes]
    head: bytes
    rest: bytes

    def written(self, output: str) -> bytes:
        """Return the model with the steps that ``output`` needs, and no other output."""
        steps = b"".join(node.written() for node in needed(self.nodes, {output}))
        return self.head + pb.text(_GRAPH, steps + self.rest + self.outputs[output])


def read(file: Path) -> Graph | None:
    """Return the graph of a file; ``None`` where it has graphs within, or is none of those that are understood."""
    try:
        with file.open("rb") as stream:
            return _read(stream, file)
    except (OSError, EOFError, UnicodeDecodeError, _StrangeError):
        return None


def needed(nodes: list[Node], outputs: Collection[str]) -> list[Node]:
    """Return the steps that ``outputs`` depend on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):  # ONNX lists steps after what they need
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


class _StrangeError(Exception):
    """A graph that is better left as it is."""


def _read(stream: BinaryIO, file: Path) -> Graph:
    size = file.stat().st_size
    head, graph = b"", None
    for entry in pb.fields(stream, size):
        if entry.number == _GRAPH:
            graph = entry
        else:
            head += pb.raw(stream, entry)
    if graph is None:
        raise _StrangeError
    stream.seek(graph.begin)
    found = Graph([], {}, {}, {}, head, b"")
    rest = []
    for entry in pb.fields(stream, graph.end):
        if entry.number == _NODE:
            node = _node(io.BytesIO(pb.content(stream, entry)), entry.length)
            found.nodes.append(node)
            if node.constant is not None:
                found.constants[node.outputs[0]] = node.constant
        elif entry.number == _INITIALIZER:
            name, constant, data = _initializer(stream, entry, file.name)
            found.constants[name] = constant
            rest.append(data)
        elif entry.number == _OUTPUT:
            name = _name(stream, entry.end)
            found.outputs[name] = pb.raw(stream, entry)
        elif entry.number != _VALUE:  # sides of values within: they may be others now
            if entry.number == _INPUT:
                name, rank = _input(stream, entry.end)
                found.ranks[name] = rank
            rest.append(pb.raw(stream, entry))
    return replace(found, rest=b"".join(rest))


def _node(stream: BinaryIO, end: int) -> Node:
    names: dict[int, list[str]] = {1: [], 2: [], 4: []}
    rest, numbers, constant = [], dict[str, tuple[int, ...]](), None
    for entry in pb.fields(stream, end):
        if entry.number in names:
            names[entry.number].append(pb.content(stream, entry).decode())
        elif entry.number == 5:
            name, values, tensor = _attribute(stream, entry.end)
            numbers[name] = values
            constant = tensor or constant
        if entry.number not in (1, 2):
            rest.append(pb.raw(stream, entry))
    kind = names[4][0] if names[4] else ""
    inputs, outputs = tuple(names[1]), tuple(names[2])
    return Node(kind, inputs, outputs, b"".join(rest), numbers, constant if kind == "Constant" else None)


def _attribute(stream: BinaryIO, end: int) -> tuple[str, tuple[int, ...], Constant | None]:
    name, values, tensor = "", list[int](), None
    for entry in pb.fields(stream, end):
        if entry.number == 1:
            name = pb.content(stream, entry).decode()
        elif entry.number == 3:
            values.append(entry.value)
        elif entry.number == 8:
            values += pb.numbers(stream, entry)
        elif entry.number == 5:
            tensor = _tensor(stream, entry.end)[1]
        elif entry.number in _SUBGRAPHS:
            raise _StrangeError  # it may use any value of this graph without saying so
    return name, tuple(value - (value >= _SIGN) * 2 * _SIGN for value in values), tensor


def _initializer(stream: BinaryIO, entry: pb.Field, file: str) -> tuple[str, Constant, bytes]:
    """Return name and sides of weights, and their field, which says where they are if they are large."""
    name, constant, place = _tensor(stream, entry.end)
    if place is None or place.length < _LARGE:
        return name, constant, pb.raw(stream, entry)
    stream.seek(entry.begin)
    kept = [pb.raw(stream, part) for part in pb.fields(stream, entry.end) if part.number != place.number]
    where = {"location": file, "offset": str(place.begin), "length": str(place.length)}
    kept += [pb.text(13, pb.text(1, key) + pb.text(2, value)) for key, value in where.items()]
    return name, constant, pb.text(_INITIALIZER, b"".join([*kept, pb.whole(14, 1)]))


def _tensor(stream: BinaryIO, end: int) -> tuple[str, Constant, pb.Field | None]:
    """Return a tensor's name, what is known of it, and the field of its bytes, where they are in one."""
    name, dims, place, values = "", list[int](), None, list[int]()
    data = None
    for entry in pb.fields(stream, end):
        if entry.number == 1:
            dims += pb.numbers(stream, entry)
        elif entry.number == 8:
            name = pb.content(stream, entry).decode()
        elif entry.number == 9:
            place = entry
            data = pb.content(stream, entry) if entry.length <= 64 else None
        elif entry.number == 7:
            values += pb.numbers(stream, entry)
    if data is not None and len(data) % 8 == 0:
        values = [int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, len(data), 8)]
    zero = not any(data) if data is not None else bool(values) and not any(values)
    return name, Constant(tuple(dims), zero, tuple(values)), place


def _input(stream: BinaryIO, end: int) -> tuple[str, int]:
    name, rank = "", 0
    for entry in pb.fields(stream, end):
        if entry.number == 1:
            name = pb.content(stream, entry).decode()
        elif entry.number == 2:
            for tensor in pb.within(stream, entry.end, 1):
                for shape in pb.within(stream, tensor.end, 2):
                    rank = sum(1 for _ in pb.within(stream, shape.end, 1))
    return name, rank


def _name(stream: BinaryIO, end: int) -> str:
    return next((pb.content(stream, entry).decode() for entry in pb.within(stream, end, 1)), "")
