"""One sync at a time, in a thread of its own, with its state for whoever asks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wordsight.errors import CatalogueBusy, WordsightError
from wordsight.library import Library, Progress

_SHOWN = 50  # skipped files, the latest


class Cancelled(Exception):  # noqa: N818
    """The user wants no more of this sync."""


class Sync:
    """Runs ``Library.sync`` beside the searches; what it has done is found at once, and kept when it is cancelled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._latest: deque[dict[str, str]] = deque(maxlen=_SHOWN)
        self._state: dict[str, Any] = {
            "running": False,
            "folder": None,
            "encoder": None,
            "done": 0,
            "total": 0,
            "encoded": 0,
            "skipped": 0,
            "report": None,
            "error": None,
        }
        self.version = 0

    def start(self, make_library: Callable[[], Library], folders: list[Path], **options: Any) -> None:
        """Bring the folders up to date, one after the other; raises ``CatalogueBusy`` while a sync runs."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise CatalogueBusy("a sync is running already: wait for it to end, or cancel it")
            self._cancelled.clear()
            self._latest.clear()
            self._change(running=True, done=0, total=0, encoded=0, skipped=0, report=None, error=None)
            self._thread = threading.Thread(
                target=self._run, args=[make_library, folders, options], name="wordsight-sync", daemon=True
            )
            self._thread.start()

    def cancel(self) -> None:
        """End soon; what was done is kept."""
        self._cancelled.set()

    def close(self) -> None:
        """Cancel, and wait for the end."""
        self.cancel()
        if self._thread is not None:
            self._thread.join()

    def state(self) -> dict[str, Any]:
        """Return how it stands."""
        return {**self._state, "latest": list(self._latest)}

    def _change(self, **members: Any) -> None:
        self._state = {**self._state, **members}  # replaced, never changed: readers have one state
        self.version += 1

    def _run(self, make_library: Callable[[], Library], folders: list[Path], options: dict[str, Any]) -> None:
        error, report = None, None
        try:
            with make_library() as library:
                for folder in folders:
                    self._change(folder=str(folder), encoder=library.encoder.name)
                    report = asdict(library.sync(folder, progress=self._progress, **options))
        except Cancelled:
            error = "cancelled; what was done is kept"
        except WordsightError as problem:
            error = str(problem)
        except Exception as problem:  # whatever it was, the page must hear of the end
            error = f"the sync failed: {problem!r}"
        self._change(running=False, report=report, error=error)

    def _progress(self, state: Progress) -> None:
        if state.latest is not None:
            path, reason = state.latest
            self._latest.append({"path": str(path), "reason": reason})
        self._change(done=state.done, total=state.total, encoded=state.encoded, skipped=state.skipped)
        if self._cancelled.is_set():
            raise Cancelled
