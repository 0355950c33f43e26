"""The log of shim.c, and disks made from it that lost power at some instant.

The model is the strict one of POSIX: only what was synced is sure. Of a file, the bytes as of its last sync; what was
written later is lost, or there, in pieces of a sector, in any choice. Of a folder, its entries as of the folder's last
sync; later ones (a file made, renamed or removed) are there up to some instant, as on a file system with a log.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

SECTOR = 512
_HEAD = struct.Struct("<5q")
_SHIM = Path(__file__).with_name("shim.c")


def build(folder: Path) -> Path:
    """Compile the shim; raises ``OSError`` where there is no C compiler, and ``CalledProcessError``."""
    library = folder / "shim.so"
    words = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(library), str(_SHIM), "-ldl"]
    subprocess.run(words, check=True, capture_output=True)
    return library


@dataclass(frozen=True, slots=True)
class Step:
    """One call: ``kind`` as in shim.c (o, c, w, s, t, r, u, m), the file's number, an offset or flags, path, data."""

    kind: str
    number: int
    offset: int
    path: str
    data: bytes


def steps(log: Path) -> list[Step]:
    """Return what a process did, in order."""
    content = log.read_bytes()
    found, at = [], 0
    while at < len(content):
        kind, number, offset, path, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        name = os.fsdecode(content[at : at + path])
        found.append(Step(chr(kind), number, offset, name, content[at + path : at + path + length]))
        at += path + length
    return found


@dataclass(slots=True, eq=False)
class _File:
    """A file or folder. ``sure``: bytes that were synced; ``later``: (offset, data) written, or (size, None) cut."""

    is_folder: bool = False
    sure: bytes = b""
    later: list[tuple[int, bytes | None]] = field(default_factory=list)
    entries: dict[str, _File] = field(default_factory=dict)  # as of the folder's last sync
    changes: list[tuple[str, _File | None]] = field(default_factory=list)  # since: name -> file, or None: removed

    def now(self) -> bytearray:
        return _applied(self.sure, self.later)

    def entries_now(self) -> dict[str, _File]:
        return _renamed(self.entries, self.changes)


class Disk:
    """What a folder held, and how sure it was, after the steps done so far. It begins empty."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._top = _File(is_folder=True)
        self._open: dict[int, _File] = {}

    def do(self, step: Step) -> None:
        """Follow one step."""
        if step.kind == "o":
            self._opened(step)
        elif step.kind == "c":
            self._open.pop(step.number, None)
        elif step.kind == "w":
            self._open[step.number].later.append((step.offset, step.data))
        elif step.kind == "t":
            self._open[step.number].later.append((step.offset, None))
        elif step.kind == "s":
            self._sync(self._open[step.number])
        elif step.kind == "m":
            self._enter(step.path, _File(is_folder=True))
        elif step.kind == "u":
            self._enter(step.path, None)
        elif step.kind == "r":
            moved = self._at(step.path)
            self._enter(os.fsdecode(step.data), moved)
            self._enter(step.path, None)

    def write(self, place: Path, rng: random.Random | None = None, *, keep: float = 0.0) -> None:
        """Write the disk as it is after a loss of power: with ``keep`` 0 without anything that was not synced.

        Else the share ``keep`` of what was written since survives, chosen by ``rng``; ``keep`` 1: all of it.
        """
        place.mkdir(parents=True)
        self._write(self._top, place, rng or random.Random(0), keep)

    def _write(self, folder: _File, place: Path, rng: random.Random, keep: float) -> None:
        kept = round(len(folder.changes) * (keep if keep in (0, 1) else rng.random()))
        for name, file in _renamed(folder.entries, folder.changes[:kept]).items():
            target = place / name
            if file.is_folder:
                target.mkdir()
                self._write(file, target, rng, keep)
            else:
                target.write_bytes(_applied(file.sure, _survivors(file.later, rng, keep)))

    def _opened(self, step: Step) -> None:
        made, cut = step.offset & 1, step.offset & 2
        if made:
            self._enter(step.path, _File())
        file = self._at(step.path)
        if cut and not made:
            file.later.append((0, None))
        self._open[step.number] = file

    def _sync(self, file: _File) -> None:
        if file.is_folder:
            file.entries, file.changes = file.entries_now(), []
        else:
            file.sure, file.later = bytes(file.now()), []

    def _parts(self, path: str) -> tuple[str, ...]:
        return Path(path).relative_to(self._root).parts

    def _at(self, path: str) -> _File:
        file = self._top
        for part in self._parts(path):
            file = file.entries_now()[part]
        return file

    def _enter(self, path: str, file: _File | None) -> None:
        *above, name = self._parts(path)
        folder = self._at(str(self._root.joinpath(*above)))
        folder.changes.append((name, file))


def _survivors(
    later: Sequence[tuple[int, bytes | None]], rng: random.Random, keep: float
) -> Iterator[tuple[int, bytes | None]]:
    for offset, data in later:
        if keep == 1:
            yield offset, data
        elif data is None:
            if rng.random() < keep:
                yield offset, data
        elif keep:
            edges = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
            for start, stop in pairwise(edges):
                if rng.random() < keep:
                    yield offset + start, data[start:stop]


def _applied(sure: bytes, later: Iterator[tuple[int, bytes | None]] | list[tuple[int, bytes | None]]) -> bytearray:
    content = bytearray(sure)
    for offset, data in later:
        size = offset if data is None else offset + len(data)
        if data is None:
            del content[size:]
        content.extend(bytes(max(0, size - len(content))))
        if data is not None:
            content[offset:size] = data
    return content


def _renamed(entries: dict[str, _File], changes: Sequence[tuple[str, _File | None]]) -> dict[str, _File]:
    now = dict(entries)
    for name, file in changes:
        if file is None:
            now.pop(name, None)
        else:
            now[name] = file
    return now
