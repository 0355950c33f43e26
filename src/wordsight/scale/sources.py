"""What a user names as a source, as pieces of work: folders, single pictures, tar shards, and lists of addresses.

Listing goes on while workers read, and holds a folder's names at a time.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from wordsight import images
from wordsight.errors import BadInput
from wordsight.scale.items import PIECE, Item, Known, Shard, Task
from wordsight.scale.storage import absolute, file_system, is_url

ADDRESS_COLUMNS = ("url", "path", "address", "image", "file", "URL", "TEXT_URL", "image_url")
"""Columns that hold addresses in lists, the first of them that is there."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")


def tasks(sources: Sequence[str], known: Known, seen: Counter | None = None) -> Iterator[Task]:
    """Yield what is to do of the sources: pieces of items that are not known yet, and shards.

    Raises ``BadInput`` for a source that is not there.
    """
    seen = Counter() if seen is None else seen
    for source in sources:
        for one in expand(source):
            yield from _tasks_of(one, known, seen)


class Counter:
    """How many items were listed, and what could not be listed."""

    def __init__(self) -> None:
        self.unchanged = 0
        self.problems: list[str] = []


def expand(source: str) -> Iterator[str]:
    """Yield what braces stand for: ``{000..012}`` counts, with leading zeros, and ``{a,b}`` lists."""
    found = _BRACES.search(source)
    if found is None:
        yield source
        return
    for inner in _alternatives(found[1]):
        yield from expand(source[: found.start()] + inner + source[found.end() :])


def _alternatives(text: str) -> Iterable[str]:
    bounds = _RANGE.fullmatch(text)
    if bounds is None:
        return text.split(",")
    first, last = int(bounds[1]), int(bounds[2])
    width = len(bounds[1]) if bounds[1].startswith("0") or len(bounds[1]) == len(bounds[2]) else 0
    return (f"{number:0{width}}" for number in range(first, last + 1))


def _tasks_of(source: str, known: Known, seen: Counter) -> Iterator[Task]:
    suffix = PurePosixPath(source).suffix.lower()
    if suffix == ".tar":
        yield from _shard(source)
    elif suffix in (".parquet", ".csv", ".tsv"):
        yield from _pieces(_listed(source, suffix), known, seen)
    elif is_url(source):
        yield from _pieces(_below(source, suffix), known, seen)
    elif Path(source).expanduser().is_file():
        yield from _pieces([_local(absolute(source))], known, seen)
    else:
        yield from _pieces(_walked(Path(absolute(source)), seen), known, seen)


def _pieces(items: Iterable[Item], known: Known, seen: Counter) -> Iterator[Task]:
    def fresh() -> Iterator[Item]:
        for item in items:
            if known.has(item):
                seen.unchanged += 1
            else:
                yield item

    new = fresh()
    while piece := tuple(islice(new, PIECE)):
        yield piece


def _walked(folder: Path, seen: Counter) -> Iterator[Item]:
    for listed in images.walk(folder):
        if listed.problem:
            seen.problems.append(f"{listed.path}: {listed.problem}")
        for file in listed.files:
            yield Item(os.path.join(listed.path, file.name), f"{file.size}:{file.mtime_ns}")  # noqa: PTH118  # speed


def _local(path: str) -> Item:
    status = os.stat(path)  # noqa: PTH116
    return Item(path, f"{status.st_size}:{status.st_mtime_ns}")


def _below(url: str, suffix: str) -> Iterator[Item]:
    """Yield the pictures at or below a URL."""
    system, path = file_system(url)
    if suffix in images.SUFFIXES:
        yield Item(url, _stamp(system, path))
        return
    found, root = False, path.rstrip("/")
    try:
        for _, _, files in system.walk(path, detail=True):
            found = found or bool(files)
            for name, entry in sorted(files.items()):
                if PurePosixPath(name).suffix.lower() in images.SUFFIXES and not name.startswith("."):
                    inside = str(entry["name"]).removeprefix(root).lstrip("/")
                    yield Item(f"{url.rstrip('/')}/{inside}", stamp_of(entry))
    except Exception as error:  # every storage has errors of its own
        raise BadInput(f"{url} cannot be listed: {' '.join(str(error).split())[:300]}") from error
    if not found:
        raise BadInput(f"expected pictures below {url}, but there is nothing; check the address")


def _stamp(system: Any, path: str) -> str:
    try:
        return stamp_of(system.info(path))
    except Exception:  # reading it will tell what is wrong
        return ""


def stamp_of(entry: dict[str, Any]) -> str:
    """Return what changes when an object does, from what its storage lists of it."""
    told = next((entry[name] for name in _STAMPS if entry.get(name)), "")
    return f"{entry.get('size', '')}:{told}" if told else ""


def _shard(source: str) -> Iterator[Task]:
    if is_url(source):
        system, path = file_system(source)
        try:
            stamp = stamp_of(system.info(path))
        except Exception as error:
            raise BadInput(f"{source} cannot be read: {' '.join(str(error).split())[:300]}") from error
        yield Shard(source, stamp)
    elif not Path(source).expanduser().is_file():
        raise BadInput(f"expected a tar file of pictures, but there is none at {source!r}; check the path")
    else:
        path = absolute(source)
        yield Shard(path, _local(path).stamp)


def _listed(source: str, suffix: str) -> Iterator[Item]:
    """Yield the addresses of a list; relative ones count from the list's folder."""
    folder = source.rpartition("/")[0] if is_url(source) else os.path.dirname(absolute(source))  # noqa: PTH120
    rows = _parquet(source) if suffix == ".parquet" else _separated(source, "\t" if suffix == ".tsv" else ",")
    for address in rows:
        if not address:
            continue
        if is_url(address):
            yield Item(address)
            continue
        path = f"{folder}/{address}" if is_url(folder) else os.path.join(folder, address)  # noqa: PTH118
        try:
            yield Item(path) if is_url(path) else _local(absolute(path))
        except OSError:
            yield Item(path)  # reading it will tell what is wrong


def _parquet(source: str) -> Iterator[str]:
    import pyarrow.parquet

    from wordsight.index.lance_table import pa

    system, path = file_system(source if is_url(source) else f"file://{absolute(source)}")
    try:
        with system.open(path, "rb") as stream:
            file = pyarrow.parquet.ParquetFile(stream)
            name = _address_column(file.schema_arrow.names, source)
            for batch in file.iter_batches(columns=[name]):
                yield from (value or "" for value in batch.column(0).cast(pa.string()).to_pylist())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BadInput(f"the list {source} cannot be read: {error}") from error


def _separated(source: str, delimiter: str) -> Iterator[str]:
    try:
        if is_url(source):
            system, path = file_system(source)
            stream = system.open(path, "r", encoding="utf-8", newline="")
        else:
            stream = Path(absolute(source)).open(encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115
        with stream:
            rows = csv.DictReader(stream, delimiter=delimiter)
            name = _address_column(rows.fieldnames or (), source)
            yield from (row[name] or "" for row in rows)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"the list {source} cannot be read: {error}") from error


def _address_column(names: Sequence[str], source: str) -> str:
    for name in ADDRESS_COLUMNS:
        if name in names:
            return name
    raise BadInput(
        f"the list {source} has the columns {', '.join(names)}: expected one of {', '.join(ADDRESS_COLUMNS)}"
    )
