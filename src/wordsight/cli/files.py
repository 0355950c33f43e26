"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from wordsight.errors import BadInput


@contextmanager
def whole_file(file: Path, what: str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open ``file`` for writing, as text in UTF-8 or ("wb") bytes; it replaces what was there when the block ends well.

    Raises ``BadInput``, naming ``what`` was to be written, where it cannot.
    """
    encoding = None if "b" in mode else "utf-8"
    try:
        if file.exists() and not file.is_file():  # a pipe or a terminal: there is nothing to replace
            with file.open(mode, encoding=encoding) as stream:
                yield stream
            return
        draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            with draft.open(mode.replace("w", "x"), encoding=encoding) as stream:
                yield stream
            draft.replace(file)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        said = error.strerror or str(error)
        raise BadInput(f"cannot write {what} to {str(file)!r}: {said}; choose another place") from error
