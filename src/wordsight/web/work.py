"""Threads for the work of processors and disks, with a queue that ends: more is refused, not remembered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Overloaded(Exception):  # noqa: N818  # named for what it is
    """As much waits as may; the client should come again."""


class Shared(Generic[T]):
    """Calls that are made once, however many wait for what they return. Belongs to one event loop."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def run(self, key: Hashable, call: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what ``call`` returns, or what one that runs under the same key does."""
        return await asyncio.shield(self.begin(key, call))  # who no longer waits does not end it for the others

    def begin(self, key: Hashable, call: Callable[[], Coroutine[object, object, T]]) -> asyncio.Task[T]:
        """Make the call, whether anybody waits for it or not."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(call())
            task.add_done_callback(lambda ended: self._end(key, ended))
        return task

    def _end(self, key: Hashable, ended: asyncio.Task[T]) -> None:
        del self._running[key]
        if not ended.cancelled():
            ended.exception()  # told to those who wait; asyncio reports it when nobody does


class Workers:
    """A pool of threads that takes ``waiting`` calls at most beyond those that run."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self.name = name
        self._most = threads + waiting
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"wordsight-{name}")
        self._taken = 0
        self._ended = time.monotonic()

    @property
    def taken(self) -> int:
        """How many calls run or wait."""
        return self._taken

    @property
    def idle(self) -> float:
        """Seconds since the last call ended; 0 while any runs or waits."""
        return 0.0 if self._taken else time.monotonic() - self._ended

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``call`` returns in one of the threads; raises ``Overloaded`` at once when the queue is full."""
        if self._taken >= self._most:
            raise Overloaded
        loop = asyncio.get_running_loop()
        self._taken += 1
        future = self._pool.submit(call, *args, **kwargs)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave) if not loop.is_closed() else None)
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._ended = time.monotonic()
        self._taken -= 1

    def close(self, last: Callable[[], object] = lambda: None) -> None:
        """Let what runs and waits end, and call ``last`` in every thread."""
        together = Barrier(self._threads)

        def end() -> None:
            together.wait()
            last()

        for _ in range(self._threads):  # each thread waits at the barrier, so each gets one
            self._pool.submit(end)
        self._pool.shutdown(wait=True)
