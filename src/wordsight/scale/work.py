"""What a worker does, in a thread or on a cluster: addresses to vectors. Bad items come back as such."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from wordsight import images
from wordsight.errors import ImageError
from wordsight.library.pipeline import LARGEST
from wordsight.protocols import Encoder, Image
from wordsight.scale import storage
from wordsight.scale.items import Done, Item, Known, Outcome, Shard, Task

_TOGETHER = 16  # pictures an encoder gets at once
_READERS = 8  # reads under way at once: an object storage answers late, but many at a time
_DIED = "workers died reading it"


class Worker:
    """Works off tasks with one encoder. May be called from several threads at once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="wordsight-read")

    def work(self, task: Task, known: Known) -> Done:
        """Return the outcomes of a task, or of the first piece of a shard and the rest of it."""
        if isinstance(task, Shard):
            outcomes, rest = self._shard(task, known)
            return Done(tuple(outcomes), rest)
        return Done(tuple(self._encoded(self._readers.map(_read, task), known)))

    def _shard(self, shard: Shard, known: Known) -> tuple[list[Outcome], Shard | None]:
        try:
            members, end = storage.tried(lambda: _members(shard))
        except ImageError as error:
            outcome = Outcome(Item(shard.url, shard.stamp), problem=error.reason, passing=True)
            return [outcome], None
        if shard.blind:
            outcomes = [replace(one.outcome, problem=_DIED) for one in members]
        else:
            fresh = (one for one in members if not known.has(one.outcome.item))
            outcomes = list(self._encoded(fresh, known))
        rest = None if end is None else replace(shard, start=end, blind=False)
        return outcomes, rest

    def _encoded(self, contents: Iterator[_Content], known: Known) -> Iterator[Outcome]:
        waiting: list[tuple[Outcome, Image]] = []
        for content in contents:
            outcome = content.outcome
            if outcome.problem is not None or known.has_content(bytes.fromhex(outcome.sha256)):
                yield outcome
                continue
            try:
                picture = images.read(content.data, side=self._encoder.image_side)
            except ImageError as error:
                yield replace(outcome, problem=error.reason)
                continue
            waiting.append((replace(outcome, info=picture.info), picture.image))
            if len(waiting) == _TOGETHER:
                yield from self._vectors(waiting)
                waiting = []
        yield from self._vectors(waiting)

    def _vectors(self, pictures: Sequence[tuple[Outcome, Image]]) -> list[Outcome]:
        if not pictures:
            return []
        try:
            rows = self._encoder.encode_images([image for _, image in pictures])
        except Exception as error:  # a runtime's own, such as memory that ran out: find the picture that it is about
            if len(pictures) > 1:
                return [outcome for one in pictures for outcome in self._vectors([one])]
            said = " ".join(str(error).split())[:200]
            return [replace(pictures[0][0], info=None, problem=f"the encoder failed: {said}")]
        finite = np.all(np.abs(rows) <= LARGEST, axis=1)  # False for NaN, too
        return [
            replace(outcome, vector=row.astype(np.float16))
            if good
            else replace(outcome, info=None, problem="the encoder gave no finite vector that half precision can hold")
            for (outcome, _), row, good in zip(pictures, rows, finite, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Content:
    outcome: Outcome
    data: bytes


def _read(item: Item) -> _Content:
    try:
        data = storage.read(item.address)
    except ImageError as error:
        said = error.reason.removeprefix(f"{item.address!r}: ")
        return _Content(Outcome(item, problem=said, passing=not said.startswith(("too large", "not an"))), b"")
    except MemoryError:
        return _Content(Outcome(item, problem="needs more memory than there is", passing=True), b"")
    return _content(item, data)


def _content(item: Item, data: bytes) -> _Content:
    return _Content(Outcome(item, len(data), hashlib.sha256(data).hexdigest()), data)


def _members(shard: Shard) -> tuple[list[_Content], int | None]:
    """Return the next pictures of a shard, and where the rest begins; ``None`` at its end.

    Raises ``ImageError`` where the shard is damaged at its beginning; a damage further on ends it with a problem.
    """
    found: list[_Content] = []
    end = shard.start
    with storage.open_stream(shard.url, shard.start) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    if len(found) == shard.piece:
                        return found, shard.start + member.offset
                    if not member.isfile() or not _is_picture(member.name):
                        continue
                    file = tar.extractfile(member)
                    data = file.read() if file is not None else b""
                    if len(data) < member.size:
                        raise tarfile.ReadError("unexpected end of data")
                    found.append(_content(Item(f"{shard.url}/{member.name.lstrip('./')}", shard.stamp), data))
                    end = shard.start + member.offset
        except (tarfile.TarError, EOFError) as error:
            whole = Item(shard.url, shard.stamp)
            found.append(_Content(Outcome(whole, problem=f"damaged tar file behind byte {end}: {error}"), b""))
    return found, None


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in images.SUFFIXES and not path.name.startswith(".")
