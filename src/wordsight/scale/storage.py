"""Bytes by address: files of this machine, and whatever fsspec knows (s3, gs, http ...)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from wordsight.errors import BadInput, ImageError, MissingExtra

TRIES = 6
_WAIT = 0.2  # seconds before the second try; doubled each time, and drawn at random below, so that workers spread
_READ_TIMEOUT = 60
_PASSED = 1 << 20  # bytes that are read at once to get behind them
_CONFIG = {
    "connect_timeout": 10,
    "read_timeout": _READ_TIMEOUT,
    "retries": {"mode": "standard", "max_attempts": 3},
    "max_pool_connections": 32,
}
_HOPELESS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

T = TypeVar("T")


def is_url(address: str) -> bool:
    """Return whether an address is no path of this machine."""
    return "://" in address


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path there. Credentials come from the environment."""
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtra(f"reading {url}", "scale") from error
    options = {"config_kwargs": _CONFIG} if url.startswith("s3") else {}
    try:
        system, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise BadInput(f"{url} cannot be read here: {error}") from error
    except ValueError as error:
        raise BadInput(f"{url} is of no known kind of storage: {error}") from error
    return system, path


def read(address: str) -> bytes:
    """Return what is at an address; raises ``ImageError`` where that fails after ``TRIES`` tries."""
    if not is_url(address):
        from wordsight.images import read_bytes

        return tried(lambda: read_bytes(Path(address)))

    def fetch() -> bytes:
        system, path = file_system(address)
        return bytes(system.cat_file(path))

    return tried(fetch)


def open_stream(address: str, start: int = 0) -> IO[bytes]:
    """Open what is at an address for reading in one go from byte ``start``."""
    if not is_url(address):
        stream: IO[bytes] = Path(address).open("rb")  # noqa: SIM115  # the caller closes it
    else:
        system, path = file_system(address)
        if address.startswith("http") and not system.info(path).get("partial"):  # a server that gives files in whole
            stream = system.open(path, "rb", block_size=0)
            while start > 0 and (passed := stream.read(min(start, _PASSED))):
                start -= len(passed)
            return stream
        stream = system.open(path, "rb", block_size=8 << 20, cache_type="readahead")
    if start:
        stream.seek(start)
    return stream


def tried(act: Callable[[], T]) -> T:
    """Return what ``act`` returns, tried several times; raises ``ImageError`` with what the storage said last."""
    for attempt in range(1, TRIES + 1):
        try:
            return act()
        except ImageError:
            raise
        except MissingExtra:
            raise
        except Exception as error:  # every storage has errors of its own
            if attempt == TRIES or isinstance(error, _HOPELESS):
                said = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:300]
                if isinstance(error, FileNotFoundError) and is_url(said):  # some storages say the address alone
                    said = "no such file"
                raise ImageError(f"cannot be read: {said}") from error
            time.sleep(_WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311  # no secret
    raise AssertionError


def absolute(path: str) -> str:
    """Return a path of this machine as the catalogue spells it: absolute, links kept."""
    return os.path.abspath(Path(path).expanduser())
