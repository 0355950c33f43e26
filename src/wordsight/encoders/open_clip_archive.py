"""Tensors of a TorchScript archive, as OpenAI published CLIP, read without running anything that is in it.

``torch.jit.load`` compiles the archive's code and may run some of it. An archive is a zip file: ``data.pkl`` holds the
tree of modules as a pickle, ``data/N`` the bytes of storage N, ``code/`` the programs. Here the pickle is read with an
unpickler that knows tensors and plain containers only and takes every class of the archive's own for a bag of
attributes; ``code/`` is not opened. Format: torch/csrc/jit/serialization/pickler.h.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from wordsight.errors import ModelError

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
}
_LISTS = {"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"}


def is_archive(file: Path) -> bool:
    """Say whether ``file`` is a TorchScript archive."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.split("/")[1:2] == ["constants.pkl"] for name in archive.namelist())


def read_archive(file: Path) -> dict[str, torch.Tensor]:
    """Return all tensors by their dotted names, and the whole numbers of the outermost module as tensors.

    Raises ``ModelError`` when the archive is damaged or holds what is no tensor, container or module.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            root = next(name.split("/")[0] for name in archive.namelist())
            tree = _Reader(archive, root).load()
    except Exception as error:  # unpickling what a stranger wrote raises anything
        raise ModelError(f"{file} cannot be read as a TorchScript archive: {error}") from error
    return dict(_tensors(tree, ""))


class _Module:
    """Stands for any class that the archive defines."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self._archive = archive
        self._root = root
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a harmless stand-in; nothing is imported."""
        if module == "__torch__" or module.startswith("__torch__."):
            return type(name, (_Module,), {})
        allowed: dict[tuple[str, str], Callable[..., Any] | type] = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if (module, name) in allowed:
            return allowed[module, name]
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name in _LISTS:
            return list
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """Return a storage as a flat tensor."""
        kind, dtype, key, _, count = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown reference {kind!r}")
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._root}/data/{key}"))
            empty = torch.empty(0, dtype=dtype)
            self._storages[key] = torch.frombuffer(data, dtype=dtype, count=count) if count else empty
        return self._storages[key]


def _rebuild(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return torch.as_strided(storage, tuple(size), tuple(stride), offset)  # checks that it lies within the storage


def _tensors(node: object, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in vars(node).items():
        if isinstance(value, torch.Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.")
        elif not prefix and isinstance(value, int) and not isinstance(value, bool):
            yield prefix + name, torch.tensor(value)
