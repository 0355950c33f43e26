"""Answers for other programs: JSON lines, CSV, paths, TREC runs. What each holds is written in docs/output.md."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO

from wordsight.library.hits import Answer
from wordsight.library.records import FIELDS, docid, record


class Format(StrEnum):
    """How answers are written for programs; ``TEXT`` is the plain ``score<TAB>path``."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    PATHS = "paths"
    PATHS0 = "paths0"
    TREC = "trec"


def write(
    answers: Answer | Sequence[Answer],
    format: Format | str,
    stream: IO[str] | IO[bytes],
    *,
    more: Mapping[Path, Mapping[str, object]] | None = None,
) -> None:
    """Write the hits of one or several answers to ``stream``, in order.

    ``more``: further members of the JSON objects, by the photo's path.

    The output is bytes: a text stream's buffer takes them where it has one. File names come out as the bytes they are,
    except in JSON and TREC, which are ASCII. A reader that has gone away (``| head -1``) ends the writing quietly.
    Raises ``ValueError`` for an unknown format.
    """
    lines = _WRITERS[Format(format)] if more is None else partial(_json, more=more)
    if more is not None and Format(format) is not Format.JSON:
        raise ValueError(f"only JSON has room for more members, not {format}")
    several = [answers] if isinstance(answers, Answer) else answers
    with quiet_pipe(stream):
        sink = _sink(stream)
        for line in lines(several):
            sink(line)
        stream.flush()


@contextmanager
def quiet_pipe(stream: IO[str] | IO[bytes]) -> Iterator[None]:
    """Let a block that writes to ``stream`` end quietly when its reader has gone away."""
    try:
        yield
    except OSError as error:
        # Windows says EINVAL where others say EPIPE.
        if not isinstance(error, BrokenPipeError) and not (os.name == "nt" and error.errno == errno.EINVAL):
            raise
        if stream in (sys.stdout, getattr(sys.stdout, "buffer", None)):
            # The interpreter flushes stdout once more at exit, and would complain; give it something to flush into.
            with suppress(io.UnsupportedOperation):  # a stdout that is no file
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, sys.stdout.fileno())
                os.close(null)


def _json(answers: Iterable[Answer], more: Mapping[Path, Mapping[str, object]] | None = None) -> Iterator[bytes]:
    for answer in answers:
        for hit in answer.hits:
            # Pure ASCII: undecodable bytes of names become \udcXX, and no name can break the line.
            members = record(answer, hit) | dict((more or {}).get(hit.path, {}))
            yield json.dumps(members, allow_nan=False).encode("ascii") + b"\n"


def _csv(answers: Iterable[Answer]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    several = list(answers)
    fused = any(answer.encoders for answer in several)
    rows = csv.DictWriter(buffer, (*FIELDS, "ranks") if fused else FIELDS, lineterminator="\r\n")
    rows.writeheader()
    for answer in several:
        for hit in answer.hits:
            row = record(answer, hit)
            row["region"] = None if hit.region is None else " ".join(map(str, hit.region[:4]))
            ranks = {"ranks": " ".join(f"{name}:{rank or ''}" for name, rank in hit.ranks)} if answer.encoders else {}
            rows.writerow(row | ranks)
            yield _bytes(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    yield _bytes(buffer.getvalue())  # the header, where there is no hit


def _paths(answers: Iterable[Answer]) -> Iterator[bytes]:
    return (os.fsencode(hit.path) + b"\n" for answer in answers for hit in answer.hits)


def _paths0(answers: Iterable[Answer]) -> Iterator[bytes]:
    return (os.fsencode(hit.path) + b"\0" for answer in answers for hit in answer.hits)


def _trec(answers: Iterable[Answer]) -> Iterator[bytes]:
    for number, answer in enumerate(answers, start=1):
        for hit in answer.hits:
            # All digits of the score: evaluators sort by it, and rounding would tie what is not tied.
            yield f"{number} Q0 {docid(hit.path)} {hit.rank} {float(hit.score)!r} wordsight\n".encode("ascii")


def _text(answers: Iterable[Answer]) -> Iterator[bytes]:
    for answer in answers:
        for hit in answer.hits:
            yield f"{hit.score:.3f}\t".encode("ascii") + os.fsencode(hit.path) + b"\n"


_WRITERS: dict[Format, Callable[[Iterable[Answer]], Iterator[bytes]]] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.CSV: _csv,
    Format.PATHS: _paths,
    Format.PATHS0: _paths0,
    Format.TREC: _trec,
}


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # halves of characters that stand for no byte: names on Windows can hold them
        return text.encode("utf-8", "surrogatepass")


def _sink(stream: IO[str] | IO[bytes]) -> Callable[[bytes], object]:
    """Return what takes bytes for ``stream``."""
    buffer = getattr(stream, "buffer", None)
    if buffer is not None:
        stream.flush()  # what was written as text comes first
        return buffer.write  # type: ignore[no-any-return]
    if isinstance(stream, io.TextIOBase):
        text = stream
        return lambda line: text.write(line.decode("utf-8", "surrogateescape"))
    return stream.write  # type: ignore[return-value]
