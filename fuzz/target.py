"""What a target is, and the folder in which it lays its files."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wordsight.errors import WordsightError


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test.

    ``parse`` raises nothing but ``WordsightError``. ``seeds``: bytes to begin with. ``modules``: whose branches guide
    the fuzzer. ``most``: bytes of an input.
    """

    name: str
    about: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    modules: tuple[str, ...]
    most: int = 4_096

    def __call__(self, data: bytes) -> None:
        """Parse; any exception that comes out is a finding."""
        with suppress(WordsightError):
            self.parse(data)


@functools.cache
def scratch() -> Path:
    """Return a folder of this process, in memory where the system has such a place."""
    memory = Path("/dev/shm")  # a folder of a random name below it
    holder = tempfile.TemporaryDirectory(prefix="wordsight-fuzz-", dir=memory if memory.is_dir() else None)
    _KEPT.append(holder)
    return Path(holder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def at(name: str, data: bytes) -> Path:
    """Write ``data`` as the scratch file ``name`` and return its path."""
    file = scratch() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
