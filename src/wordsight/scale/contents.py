"""The bytes of a picture that a store names, from where it lies: a file, an object in a storage, a member of a shard.

What is given out is what was indexed: its SHA-256 is compared, so that an address that leads elsewhere by now, or that
a strange store names, gives nothing else.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from wordsight.errors import ImageError
from wordsight.scale import storage

LARGEST = 200_000_000
"""Bytes of a picture that is read again at most: it is held in memory."""

_SHARDS = 32  # whose members' places are remembered
_TAR = ".tar/"
_CHANGED = "it is not what was indexed any more: index it again"


@dataclass(slots=True)
class _Shard:
    """Where the members of a shard begin and how long they are, as far as it was looked through: up to ``end``."""

    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    end: int = 0
    complete: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Contents:
    """Reads pictures of stores. May be used from several threads at once."""

    def __init__(self, most: int = LARGEST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._shards: OrderedDict[str, _Shard] = OrderedDict()

    def read(self, address: str, sha256: str, size: int) -> bytes:
        """Return the content that the store says has this SHA-256 and size in bytes.

        Raises ``ImageError`` where it is too large, cannot be read, or is another by now.
        """
        if size > self._most:
            raise ImageError(f"{address!r}: too large to be shown: {size:,} bytes; the limit is {self._most:,}")
        try:
            data = self._bytes(address, size, sha256)
        except ImageError as error:
            raise ImageError(f"{address!r}: {error.reason.removeprefix(f'{address!r}: ')}") from error
        if not _is(data, sha256):
            raise ImageError(f"{address!r}: {_CHANGED}")
        return data

    def _bytes(self, address: str, size: int, sha256: str) -> bytes:
        shard, member = _parts(address)
        if shard and (storage.is_url(address) or not os.path.lexists(address)):
            try:
                data = storage.tried(lambda: self._member(shard, member, size))
                if not _is(data, sha256):  # the shard may have been written anew: look where its members are now
                    with self._lock:
                        self._shards.pop(shard, None)
                    data = storage.tried(lambda: self._member(shard, member, size))
                return data
            except ImageError:
                if not storage.is_url(address) or _is_there(shard):
                    raise
        return storage.tried(lambda: _read(address, size))

    def _member(self, url: str, name: str, size: int) -> bytes:
        with self._lock:
            shard = self._shards.setdefault(url, _Shard())
            self._shards.move_to_end(url)
            while len(self._shards) > _SHARDS:
                self._shards.popitem(last=False)
        with shard.lock:
            if name not in shard.members and not shard.complete:
                _look_further(url, shard, name)
            found = shard.members.get(name)
        if found is None:
            raise ImageError(_CHANGED)
        start, there = found
        with storage.open_stream(url, start) as stream:
            return _up_to(stream, min(size, there))


def _is(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256


def _parts(address: str) -> tuple[str, str]:
    """Return the shard that an address may lie in, and its name there; empty where it lies in none."""
    cut = address.lower().find(_TAR) + len(_TAR)
    return ("", address) if cut < len(_TAR) else (address[: cut - 1], address[cut:])


def _is_there(url: str) -> bool:
    """Return whether a URL is that of a file: a folder, too, may be called something.tar."""
    system, path = storage.file_system(url)
    return bool(system.isfile(path))


def _look_further(url: str, shard: _Shard, wanted: str) -> None:
    """Note the members of a shard behind those that are known, up to one; ``ImageError`` where it is damaged."""
    begin = shard.end
    with storage.open_stream(url, begin) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                while (member := tar.next()) is not None:
                    if wanted in shard.members:
                        shard.end = begin + member.offset  # the next time goes on with this one
                        return
                    if member.isfile():
                        shard.members[member.name.lstrip("./")] = (begin + member.offset_data, member.size)
        except (tarfile.TarError, EOFError) as error:
            raise ImageError(f"its shard is damaged: {error}") from error
    shard.complete = True


def _read(address: str, size: int) -> bytes:
    """Return at most one byte more than ``size``, whatever is there by now."""
    if storage.is_url(address):
        system, path = storage.file_system(address)
        with system.open(path, "rb") as stream:
            return _up_to(stream, size + 1)
    from wordsight.images import read_bytes

    if Path(address).stat().st_size != size:
        raise ImageError(_CHANGED)
    return read_bytes(Path(address))


def _up_to(stream: IO[bytes], size: int) -> bytes:
    """Return so many bytes, or those that there are; a stream gives what has come by now, which may be fewer."""
    parts, left = [], size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
