"""Graphs of other programs behind our own interface: pixels or tokens in, vectors of unit length out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.encoders.runtime import Tower


def adapted(tower: Tower, side: Mapping[str, Any], *, pictures: bool) -> Tower:
    """Return ``tower`` taking our inputs: "pixels" (n, h, w, 3) uint8, or "input_ids" and "attention_mask" (n, length).

    ``side`` is the description that a layout gives: ``input`` and its ``kind``; ``normalise`` with mean and std for a
    graph that takes (n, 3, h, w) of normalised numbers; ``batch`` for one that takes a fixed number of rows; ``idle``:
    other inputs, which must be there and change nothing.
    """
    prepare = _pixels(side) if pictures else _tokens(side)
    rows = int(side.get("batch", 0))
    idle = {name: np.zeros(entry["shape"], entry["kind"]) for name, entry in side.get("idle", {}).items()}

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        given = prepare(inputs)
        count = len(next(iter(given.values())))
        step = rows or count
        parts = []
        for start in range(0, count, step):
            some = {name: _filled(values[start : start + step], step) for name, values in given.items()}
            parts.append(tower(some | idle)[: min(step, count - start)])
        vectors = np.concatenate(parts).astype(np.float32, copy=False)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)

    return run


def _filled(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """Repeat the last row until there are ``rows``."""
    return values if len(values) == rows else np.concatenate([values, np.repeat(values[-1:], rows - len(values), 0)])


def _pixels(side: Mapping[str, Any]) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    name, kind = side["input"], side["kind"]
    if "normalise" not in side:
        return lambda inputs: {name: inputs["pixels"]}
    mean, std = (np.asarray(side["normalise"][key], np.float32) for key in ("mean", "std"))

    def normalised(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        values = (inputs["pixels"].astype(np.float32) / 255 - mean) / std
        return {name: np.ascontiguousarray(values.transpose(0, 3, 1, 2), kind)}

    return normalised


def _tokens(side: Mapping[str, Any]) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    name, kind = side["input"], side["kind"]

    def renamed(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        mask = {key: values.astype(kind) for key, values in inputs.items() if key == "attention_mask"}
        return {name: inputs["input_ids"].astype(kind)} | mask

    return renamed
