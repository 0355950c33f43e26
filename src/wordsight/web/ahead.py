"""Thumbnails made before they are asked for: by one thread, while nobody waits for anything."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wordsight.errors import WordsightError

if TYPE_CHECKING:
    from wordsight.web.service import Service

SIDES = (320, 640)
"""Sides that grids of photos show. The first is made always, the second once a screen has asked for it."""

_QUIET = 0.5  # seconds without a request before the next photo is begun
_LOOK = 2.0  # seconds between looks for photos that have come
_AGAIN = 30.0  # seconds at least from one pass to the next while a catalogue keeps changing
_PAGE = 200  # photos


class Ahead:
    """Goes through the photos, newest first, after the start and whenever the catalogue has changed.

    It rests as long as it works, begins nothing while a request or a sync runs, and stops short of the cache's limit:
    what it makes never pushes out what was looked at.
    """

    def __init__(self, service: Service, close: Callable[[], None]) -> None:
        self._service = service
        self._close = close
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wordsight-ahead", daemon=True)
        self._sides = frozenset(SIDES[:1])
        self._state: dict[str, Any] = {"running": False, "photos": 0, "ready": 0, "failed": 0, "full": False}

    def start(self, make: Callable[[str, list[int]], object]) -> None:
        """Begin, in a thread of its own. ``make`` makes a photo's thumbnails of some sides and keeps them."""
        self._make = make
        self._thread.start()

    def asked(self, side: int) -> None:
        """Note that a page shows thumbnails of this size."""
        if side in SIDES and side not in self._sides:
            self._sides |= {side}

    def state(self) -> dict[str, Any]:
        """Return how the pass stands that runs, or ran last."""
        return self._state

    def close(self) -> None:
        """End; at most the photo at hand is waited for."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        passed: object = None
        try:
            while not self._ended.wait(_LOOK if passed else _QUIET):
                with suppress(WordsightError, sqlite3.Error):  # no catalogue yet, or none that can be read now
                    if self._is_quiet() and (now := self._version()) != passed:
                        began = time.monotonic()
                        self._pass(now)
                        passed = now
                        self._ended.wait(max(0.0, _AGAIN - (time.monotonic() - began)) if self._changed(now) else 0)
        finally:
            self._close()

    def _version(self) -> object:
        return self._service.gallery.state(), self._sides

    def _changed(self, version: object) -> bool:
        return self._version() != version

    def _pass(self, version: object) -> None:
        service, sides = self._service, self._sides
        total = service.gallery.count(service.scope)
        self._tell(running=True, photos=total, ready=0, failed=0, full=False)
        try:
            self._go_through(version, sides)
        finally:
            self._tell(running=False)

    def _go_through(self, version: object, sides: frozenset[int]) -> None:
        service, began = self._service, time.monotonic()
        failed = 0
        for seen, sha256 in enumerate(self._newest_first(), start=1):
            missing = [side for side in sides if not service.thumbnails.has(sha256, side)]
            if missing:
                if service.thumbnails.is_filled:
                    self._tell(full=True)
                    break
                if not self._wait_until_quiet():
                    break
                if time.monotonic() - began > _AGAIN and self._changed(version):
                    break  # what is new comes first
                failed += not self._made(sha256, missing)
            self._tell(ready=seen - failed, failed=failed)

    def _newest_first(self) -> Iterator[str]:
        """Yield the contents of the catalogue page by page: no list of them all."""
        service, place = self._service, None
        while self._wait_until_quiet():
            answer, place = service.gallery.browse(service.scope, top=_PAGE, after=place, searched=0)
            for hit in answer.hits:
                yield hit.sha256
            if place is None:
                return

    def _made(self, sha256: str, sides: list[int]) -> bool:
        began = time.monotonic()
        try:
            self._make(sha256, sides)
        except (WordsightError, OSError, MemoryError):  # whoever asks for this one is told
            return False
        finally:
            self._ended.wait(time.monotonic() - began)
        return True

    def _wait_until_quiet(self) -> bool:
        """Return when nothing is asked of the service, or ``False`` when it ends."""
        while not self._is_quiet():
            if self._ended.wait(_QUIET / 5):
                return False
        return not self._ended.is_set()

    def _is_quiet(self) -> bool:
        service = self._service
        return not service.sync.state()["running"] and min(service.quick.idle, service.slow.idle) > _QUIET

    def _tell(self, **members: Any) -> None:
        self._state = {**self._state, **members}  # replaced, never changed: readers have one state
