"""What is kept on disk while a comparison runs: results that a resumed run need not make again, and vectors."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput

_RESULTS = "cells"
_ARRAYS = "cells/arrays"


class Store:
    """The folder of a comparison: one JSON file for each experiment, under the digest of what it was.

    A file is there completely or not at all, so a run may be killed at any instant. Raises ``BadInput`` where the
    folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / _ARRAYS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder} cannot be written: {error.strerror}; choose another folder with -o") from error

    def forget(self) -> None:
        """Delete what earlier runs left."""
        shutil.rmtree(self.folder / _RESULTS, ignore_errors=True)

    def result(self, key: str) -> dict[str, Any] | None:
        """Return what an experiment gave, or ``None`` where it was not made; a damaged file was not."""
        try:
            found = json.loads((self.folder / _RESULTS / f"{key}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def keep(self, key: str, result: dict[str, Any]) -> None:
        """Write what an experiment gave."""
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
        write_atomically(self.folder / _RESULTS / f"{key}.json", text.encode())

    def array(self, key: str, make: Callable[[], NDArray[np.float32]], *, lasting: bool = False) -> NDArray[np.float32]:
        """Return the array kept under ``key``, or make and keep it; ``lasting``: also after ``drop_arrays``."""
        file = self.folder / (_RESULTS if lasting else _ARRAYS) / f"{key}.npy"
        with suppress(OSError, ValueError):
            kept: NDArray[np.float32] = np.load(file, allow_pickle=False)
            return kept
        made = make()
        stream = io.BytesIO()
        np.save(stream, made, allow_pickle=False)
        write_atomically(file, stream.getvalue())
        return made

    def drop_arrays(self) -> None:
        """Delete the arrays that are not lasting: when all is done, results are enough."""
        shutil.rmtree(self.folder / _ARRAYS, ignore_errors=True)


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all; raises ``BadInput`` where it cannot be written."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            draft.replace(file)
        finally:
            with suppress(OSError):
                draft.unlink()
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}; choose another folder with -o") from error
