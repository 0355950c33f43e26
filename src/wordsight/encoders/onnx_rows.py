"""Steps of a graph that compute all rows though only the first is read: they are made to compute that one.

A vision transformer's embedding is its first token after the last layer. What that layer does to the other tokens after
its attention is never read, and no runtime leaves it out: three quarters of a layer, of twelve in ViT-B/32. The choice
of the first row is moved up here, through steps that treat each row by itself, to where rows are mixed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wordsight.encoders import onnx_fields as pb
from wordsight.encoders.onnx_graph import Constant, Graph, Node, needed, read

_RANK = 3  # pictures, tokens, width; or tokens, pictures, width
_ALONE = {"Relu", "Sigmoid", "Tanh", "Erf", "Sqrt", "Neg", "Gelu", "QuickGelu", "Identity", "Cast"}
_TOGETHER = {"Add", "Sub", "Mul", "Div", "Pow"}
_QUANTISING = {"QuantizeLinear", "DequantizeLinear"}
_SAME_SIDES = _ALONE | _QUANTISING | {"LayerNormalization", "Softmax"}
_LARGE = 1 << 24  # bytes of a file that is faster opened without its weights
_ZERO, _FIRST = "wordsight_first_row", "/wordsight_first"


def lean(file: Path, output: str) -> bytes | None:
    """Return the model in ``file`` as it is opened best for one output; ``None``: as it is.

    Weights that the file holds are named as those of a file beside it: open it with the folder told.
    """
    try:
        small = file.stat().st_size < _LARGE
        if small and b"Gather" not in file.read_bytes():
            return None  # nothing to gain, and a search waits for this
    except OSError:
        return None  # the runtime tells it better
    graph = read(file)
    if graph is None or output not in graph.outputs:
        return None
    try:
        return first_rows(replace(graph, nodes=needed(graph.nodes, {output}))).written(output)
    except (IndexError, ValueError):  # steps without what belongs to them: the runtime tells it better, too
        return None


def first_rows(graph: Graph) -> Graph:
    """Return the same graph, less work: each ``Gather`` of a first row is done as early as it can be."""
    constants = _with_derived(graph)
    ranks = _ranks(graph, constants)
    nodes = graph.nodes
    for pick in graph.nodes:
        axis = pick.numbers.get("axis", (0,))[0]
        if pick.kind != "Gather" or not (index := constants.get(pick.inputs[1])) or not index.zero:
            continue
        if index.dims in ((), (1,)) and ranks.get(pick.inputs[0]) == _RANK and axis in (0, 1):
            nodes = _moved(nodes, pick, axis, constants, ranks)
    if nodes is graph.nodes:
        return graph
    zero = pb.text(5, pb.whole(1, 1) + pb.whole(2, 7) + pb.text(8, _ZERO) + pb.text(9, bytes(8)))
    return replace(graph, nodes=nodes, rest=graph.rest + zero)


def _moved(
    nodes: list[Node], pick: Node, axis: int, constants: Mapping[str, Constant], ranks: Mapping[str, int]
) -> list[Node]:
    producers = {name: node for node in nodes for name in node.outputs}
    axes, above = {pick.inputs[0]: axis}, dict[str, list[str]]()
    waiting = [pick.inputs[0]]
    while waiting:  # everything that could be narrowed, up to where rows are mixed
        name = waiting.pop()
        steps = _through(producers.get(name), axes[name], constants, ranks)
        above[name] = [given for given, _ in steps]
        for given, side in steps:
            if axes.setdefault(given, side) != side:
                return nodes
            if given not in above:
                above[given] = []
                waiting.append(given)
    whole = _whole(nodes, pick, above)
    first = {name: name + _FIRST for name in _used(pick.inputs[0], above, whole)}
    if pick.inputs[0] in whole:
        return nodes
    return _rebuilt(nodes, pick, first, axes, {name for name in first if above[name] and name not in whole})


def _rebuilt(
    nodes: list[Node], pick: Node, first: Mapping[str, str], axes: Mapping[str, int], narrow: set[str]
) -> list[Node]:
    found = []
    for name in sorted(first.keys() - narrow - {name for node in nodes for name in node.outputs}):
        found.append(_gather(name, first[name], axes[name]))  # of the graph's inputs
    for node in nodes:
        found.append(node.renamed(first, node.outputs) if node is pick else node)
        for name in node.outputs:
            if name in narrow:
                found.append(node.renamed(first, (first[name],)))
            elif name in first:
                found.append(_gather(name, first[name], axes[name]))
    return found


def _gather(name: str, narrowed: str, axis: int) -> Node:
    attribute = pb.text(1, "axis") + pb.whole(3, axis) + pb.whole(20, 2)
    return Node("Gather", (name, _ZERO), (narrowed,), pb.text(4, "Gather") + pb.text(5, attribute))


def _through(
    node: Node | None, axis: int, constants: Mapping[str, Constant], ranks: Mapping[str, int]
) -> list[tuple[str, int]]:
    """Return which inputs to narrow instead of the output, and along which side; none: it cannot be done."""
    if node is None or len([name for name in node.outputs if name]) != 1:
        return []
    data = [name for name in node.inputs if name and name not in constants]
    fixed = [constants[name].dims for name in node.inputs if name in constants]
    if not data or any(ranks.get(name) != _RANK for name in data):
        return []
    if node.kind == "Transpose":
        side = node.numbers.get("perm", ())[axis : axis + 1]
        return [(data[0], side[0])] if side and side[0] != _RANK - 1 else []
    if node.kind == "MatMul":
        good = len(data) == 1 and data[0] == node.inputs[0] and len(fixed[0]) == 2
    elif node.kind == "LayerNormalization":
        good = node.numbers.get("axis", (-1,))[0] in (-1, _RANK - 1) and all(len(dims) == 1 for dims in fixed)
    elif node.kind in _QUANTISING:
        good = all(dims in ((), (1,)) for dims in fixed)
    else:
        narrow = all(len(dims) < _RANK - axis or (len(dims) == _RANK and dims[axis] == 1) for dims in fixed)
        good = node.kind in _ALONE or (node.kind in _TOGETHER and narrow)
    return [(name, axis) for name in data] if good else []


def _whole(nodes: list[Node], pick: Node, above: Mapping[str, list[str]]) -> set[str]:
    """Return the values among those that could be narrowed which somebody needs whole."""
    users: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        for name in node.inputs:
            users[name].append(node)
    found = set[str]()
    for node in reversed(nodes):  # users come before what they use
        for name in node.outputs:
            others = [given for user in users[name] if user is not pick for given in user.outputs]
            if name in above and any(given in found or not above.get(given) for given in others):
                found.add(name)
    return found


def _used(start: str, above: Mapping[str, list[str]], whole: set[str]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        for given in above[name] if name not in whole else ():
            if given not in found:
                found.add(given)
                waiting.append(given)
    return found


def _with_derived(graph: Graph) -> dict[str, Constant]:
    """Return constants with what is only a constant in another form: weights that are stored narrow."""
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.kind in {"Cast", "DequantizeLinear", "Identity"} and node.inputs[0] in constants:
            constants[node.outputs[0]] = replace(constants[node.inputs[0]], zero=False)
    return constants


def _ranks(graph: Graph, constants: Mapping[str, Constant]) -> dict[str, int]:
    """Return how many sides values have, as far as the steps tell."""
    ranks = {name: rank for name, rank in graph.ranks.items() if rank}
    ranks |= {name: len(constant.dims) for name, constant in constants.items()}
    for node in graph.nodes:
        known = [ranks.get(name) for name in node.inputs if name]
        found = None
        if node.kind == "Transpose":
            found = len(node.numbers.get("perm", ())) or None
        elif node.kind == "Reshape" and node.inputs[1] in constants:
            found = (constants[node.inputs[1]].dims or (None,))[0]
        elif node.kind in _SAME_SIDES | {"Conv", "Expand", "Slice"}:
            found = known[0]
        elif node.kind == "Concat":
            found = next(filter(None, known), None)
        elif node.kind in _TOGETHER | {"MatMul"} and all(known):
            found = max(rank for rank in known if rank)
        elif node.kind == "Gather" and None not in known:
            found = sum(rank for rank in known if rank) - 1
        if found:
            ranks.update(dict.fromkeys(node.outputs, found))
    return ranks
