"""Reads pickles that hold arrays of whole numbers, as CIFAR's batches do, and runs nothing of what is in them.

A pickle names the functions that rebuild its objects, and whoever wrote the file chooses them. Here a fixed list of
names is understood, and each stands for a harmless class below, not for the function numpy has under that name: its C
code was not written for input that means harm.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput

# Every class defines __setstate__: without it, a pickle could set attributes on the class itself.


class _Dtype:
    __slots__ = ("value",)

    def __init__(self, spec: str | bytes, *_: object) -> None:
        text = spec.decode("ascii") if isinstance(spec, bytes) else spec
        if text.lstrip("<>|=") not in {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"}:
            raise ValueError(f"array of type {text!r}")
        self.value: np.dtype[Any] = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            self.value = self.value.newbyteorder(">")


class _Array:
    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes]) -> None:
        _, shape, dtype, by_columns, raw = state
        self.value = np.frombuffer(raw, dtype.value).reshape(shape, order="F" if by_columns else "C")


class _Buffer(_Array):
    __slots__ = ()

    def __init__(self, raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> None:
        self.__setstate__((0, shape, dtype, order == "F", raw))


class _Scalar(_Array):
    __slots__ = ()

    def __init__(self, dtype: _Dtype, raw: bytes) -> None:
        self.__setstate__((0, (), dtype, False, raw))


class _Latin1(bytes):
    """``_codecs.encode``: how Python 3 writes bytes for readers of protocol 2."""

    __slots__ = ()

    def __new__(cls, text: str, encoding: str | bytes) -> _Latin1:
        if encoding not in ("latin1", b"latin1"):
            raise ValueError(f"encoding {encoding!r}")
        return super().__new__(cls, text.encode("latin1"))

    def __setstate__(self, state: object) -> None:
        raise ValueError("bytes have no state")


_NAMES: Mapping[tuple[str, str], type] = MappingProxyType(
    {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _Latin1,
        **{
            (f"numpy.{core}.{module}", name): stand_in
            for core in ("core", "_core")
            for module, name, stand_in in (
                ("multiarray", "_reconstruct", _Array),
                ("multiarray", "scalar", _Scalar),
                ("numeric", "_frombuffer", _Buffer),
            )
        },
    }
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise ValueError(f"it asks for {module}.{name}, which data have no need of") from None


def read_dict(path: Path) -> dict[str, Any]:
    """Return the pickled dictionary in ``path``, its byte strings as text and its arrays as numpy arrays.

    Raises ``BadInput`` for anything but numbers, texts, lists, dictionaries and arrays of whole numbers.
    """
    try:
        data = path.read_bytes()
        _check_places(data)
        content = _plain(_Unpickler(io.BytesIO(data), encoding="bytes").load())
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise BadInput(f"{path} is not a pickle of plain arrays: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} should hold a dictionary, but holds a {type(content).__name__}")
    return content


def _check_places(data: bytes) -> None:
    """Raise ``ValueError`` for a value that is put at a place beyond the pickle's length: memory up to there is taken.

    Values that claim to be longer than the pickle are found on the way.
    """
    for step, argument, _ in pickletools.genops(data):
        if step.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= len(data):
            raise ValueError(f"it puts a value at place {argument} of {len(data)}")


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value if value.value.ndim else value.value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
