"""Read, decode and encode many files at once, in constant memory.

Small groups of files pass two steps on a pool of threads: read and hash; then, for contents that are not known yet,
decode and encode. One thread reads and decodes while another is in the encoder, so the cores stay busy without tuning,
and at most ``3 x workers`` groups are in memory.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.util
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum, Flag, auto
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from wordsight import images
from wordsight.errors import ImageError
from wordsight.library.regions import Boxes, Regions, cut, layout
from wordsight.memory import keep_large_arrays
from wordsight.protocols import Encoder, Image
from wordsight.types import Embeddings

_GROUP = 4
_GROUPS_PER_WORKER = 3
_ENCODES_PER_WORKER = 2  # one that runs and one that waits for it
LARGEST = float(np.finfo(np.float16).max)


class Known(Enum):
    """What the catalogue knows of a file by name, size and time."""

    NO = "no"
    CHANGED = "changed"
    SAME = "same"


class Need(Flag):
    """What the catalogue lacks of a content."""

    NOTHING = 0
    VECTOR = auto()
    REGIONS = auto()


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read."""

    folder_id: int
    path: Path
    known: Known


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was read: a known content (no ``info``), one with what was needed of it, or a ``problem``.

    ``passing``: the problem lies with the disk or with permissions, not in the file, and may be gone the next time.
    """

    job: Job
    bytes: int = 0
    mtime_ns: int = 0
    sha256: builtins.bytes = b""
    info: images.PictureInfo | None = None
    vector: NDArray[np.float32] | None = None
    regions: Regions | None = None
    problem: str | None = None
    vanished: bool = False
    passing: bool = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.job.path


@dataclass(frozen=True, slots=True)
class _Read:
    done: Done
    data: bytes


@cache
def reader_version() -> str:
    """Return what decides which files can be read: a skipped file is tried again when this changes."""
    extras = [name for name in ("pillow_heif", "rawpy") if importlib.util.find_spec(name)]
    return " ".join([f"pillow {PIL.__version__}", *extras])


def encode_files(
    jobs: Iterator[Job], encoder: Encoder, needs: Callable[[bytes], Need], workers: int
) -> Generator[Done, None, None]:
    """Yield the outcome of every job, about in order. ``needs(sha256)`` is asked in the calling thread.

    A content that occurs several times is encoded once: later ones are yielded after the first.
    """
    keep_large_arrays()  # a picture's fresh pages cost a quarter of decoding it
    waiting: dict[bytes, list[Done]] = {}  # contents in the encoder, and the later files that hold the same
    reads: deque[Future[list[_Read]]] = deque()
    encodes: deque[Future[list[Done]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="wordsight") as pool:
        try:
            while True:
                most = workers * _GROUPS_PER_WORKER
                while len(reads) + len(encodes) < most and (group := list(islice(jobs, _GROUP))):
                    reads.append(pool.submit(_read_group, group))
                # First everything is queued that workers can do next: waiting for the oldest before that, this thread
                # would let one worker stand still until the other has encoded.
                if reads and len(encodes) < workers * _ENCODES_PER_WORKER:
                    fresh = []
                    for item in reads.popleft().result():
                        if item.done.problem is not None:
                            yield item.done
                        elif item.done.sha256 in waiting:
                            waiting[item.done.sha256].append(item.done)
                        elif (need := needs(item.done.sha256)) is Need.NOTHING:
                            yield item.done
                        else:
                            waiting[item.done.sha256] = []
                            fresh.append((item, need))
                    if fresh:
                        encodes.append(pool.submit(_encode_group, fresh, encoder))
                elif encodes:
                    for done in encodes.popleft().result():
                        yield done
                        yield from (_same_content(later, done) for later in waiting.pop(done.sha256, ()))
                else:
                    return
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _same_content(later: Done, first: Done) -> Done:
    return replace(later, problem=first.problem)


def _read_group(group: list[Job]) -> list[_Read]:
    return [_read(job) for job in group]


def _read(job: Job) -> _Read:
    done = Done(job)
    try:
        with job.path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            done = replace(done, bytes=status.st_size, mtime_ns=status.st_mtime_ns)
            if status.st_size > images.FILE_LIMIT:
                return _Read(replace(done, problem=f"too large to be a picture ({status.st_size} bytes)"), b"")
            data = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return _Read(replace(done, problem="deleted while indexing", vanished=True), b"")
    except OSError as error:
        return _Read(_unreadable(done, error), b"")
    except MemoryError:
        return _Read(replace(done, problem=f"needs more memory than there is ({done.bytes} bytes)"), b"")
    return _Read(replace(done, sha256=hashlib.sha256(data).digest()), data)


def _unreadable(done: Done, error: OSError) -> Done:
    """Keep the file's size and time where they can be had."""
    try:
        status = done.path.stat()
        done = replace(done, bytes=status.st_size, mtime_ns=status.st_mtime_ns)
    except OSError:
        pass
    return replace(done, problem=f"cannot be read: {error.strerror or error}", passing=True)


def _encode_group(group: Sequence[tuple[_Read, Need]], encoder: Encoder) -> list[Done]:
    results, pictures, plans = [], list[Image](), []
    for item, need in group:
        try:
            picture = images.read(item.data, side=encoder.image_side)
        except ImageError as error:
            # One that could be read once keeps its vector; its regions are tried again the next time.
            results.append(replace(item.done, problem=error.reason) if Need.VECTOR in need else item.done)
            continue
        boxes = layout(picture.info.width, picture.info.height) if Need.REGIONS in need else None
        parts = [picture.image] if Need.VECTOR in need else []
        parts += cut(picture.image, boxes) if boxes is not None else []
        plans.append((len(results), boxes, slice(len(pictures), len(pictures) + len(parts))))
        pictures += parts
        results.append(replace(item.done, info=picture.info))
    vectors = encoder.encode_images(pictures)
    for place, boxes, rows in plans:
        results[place] = _with_vectors(results[place], boxes, vectors[rows])
    return results


def _with_vectors(done: Done, boxes: Boxes | None, rows: Embeddings) -> Done:
    """Add the vectors of the whole, if it was encoded, and then of the boxes; not finite regions are left out."""
    finite: NDArray[np.bool_] = np.all(np.abs(rows) <= LARGEST, axis=1)  # False for NaN, too
    of_regions = slice(len(rows) - (0 if boxes is None else len(boxes)), None)
    whole = rows[: of_regions.start]
    if not finite[: len(whole)].all():
        return replace(done, info=None, problem="the encoder gave no finite vector that half precision can hold")
    good = finite[of_regions]
    return replace(
        done,
        vector=whole[0] if len(whole) else None,
        regions=None if boxes is None else Regions(boxes[good], rows[of_regions][good]),
    )
