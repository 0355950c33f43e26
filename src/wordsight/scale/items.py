"""What flows through a job: an address to read, a piece of work, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.images import PictureInfo

PIECE = 64
"""Pictures of one piece of work: what a worker that dies has to do again."""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture by its address: an absolute path, or a URL.

    ``stamp`` changes when the file does ("bytes:mtime in nanoseconds" for a local one, an ETag or the like for others);
    empty where the list it comes from does not tell.
    """

    address: str
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """What is left of a tar file of pictures from byte ``start``; ``piece`` members are read at once.

    ``blind``: the next members are only named, as trouble: workers died reading them.
    """

    url: str
    stamp: str = ""
    start: int = 0
    piece: int = PIECE
    blind: bool = False


Task: TypeAlias = tuple[Item, ...] | Shard


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an item: ``vector`` (dim,) and ``info``; or neither, where its content is known; or a ``problem``.

    ``passing``: the problem lies with the storage, not in the file, and may be gone the next time.
    """

    item: Item
    bytes: int = 0
    sha256: str = ""
    info: PictureInfo | None = None
    vector: NDArray[np.float16] | None = None
    problem: str | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The outcomes of a task, and what is left of it to do."""

    outcomes: tuple[Outcome, ...]
    rest: Task | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a store holds, as a worker needs to know it: 48 bytes a picture.

    ``ids`` (n,) ascending, ``stamps`` (n,) the ``stamp_hash`` of each, ``contents`` (m,) the ascending SHA-256.
    """

    ids: NDArray[np.int64]
    stamps: NDArray[np.int64]
    contents: NDArray[np.bytes_]

    @classmethod
    def nothing(cls) -> Known:
        """Return what is known at first."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, "S32"))

    def has(self, item: Item) -> bool:
        """Return whether the item is done, and has not changed since."""
        place = int(np.searchsorted(self.ids, key := item_id(item.address)))
        is_here = place < len(self.ids) and self.ids[place] == key
        return bool(is_here and self.stamps[place] == stamp_hash(item.stamp))

    def has_content(self, sha256: bytes) -> bool:
        """Return whether some picture with this content has a vector."""
        wanted = np.asarray(sha256, "S32")  # without zeros at its end on both sides, so that they compare equal
        place = int(np.searchsorted(self.contents, wanted))
        return bool(place < len(self.contents) and self.contents[place] == wanted)


def item_id(address: str) -> int:
    """Return the number that stands for an address in a store: 63 bits of its SHA-256, the same on every machine."""
    return int.from_bytes(hashlib.sha256(address.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 1


def stamp_hash(stamp: str) -> int:
    """Return 63 bits that stand for a stamp."""
    return int.from_bytes(hashlib.blake2b(stamp.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1
