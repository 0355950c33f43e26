"""Who works tasks off. A runner yields outcomes as they come, and never has more under way than it can hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import Protocol

from wordsight.protocols import MANY, Encoder, TunableEncoder
from wordsight.scale.items import PIECE, Done, Known, Outcome, Shard, Task
from wordsight.scale.work import Worker


class Runner(Protocol):
    """Works tasks off."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def run(self, tasks: Iterator[Task], known: Known) -> Iterator[tuple[Outcome, ...]]:
        """Yield the outcomes of all tasks, in any order; ``tasks`` is read as workers become free."""


class LocalRunner:
    """Works on threads of this process."""

    name = "local"

    def __init__(self, encoder: Encoder, workers: int) -> None:
        self._encoder = encoder
        self._worker = Worker(encoder)
        self._workers = workers

    def run(self, tasks: Iterator[Task], known: Known) -> Iterator[tuple[Outcome, ...]]:
        """Yield the outcomes of all tasks."""
        first = list(islice(tasks, MANY // PIECE))
        many = len(first) == MANY // PIECE or any(isinstance(task, Shard) for task in first)
        if many and isinstance(self._encoder, TunableEncoder):
            self._encoder.tune()
        tasks = chain(first, tasks)
        rests: deque[Task] = deque()
        under_way: set[Future[Done]] = set()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="wordsight-work") as pool:
            try:
                while True:
                    while len(under_way) < 2 * self._workers:
                        task = rests.popleft() if rests else next(tasks, None)
                        if task is None:
                            break
                        under_way.add(pool.submit(self._worker.work, task, known))
                    if not under_way:
                        return
                    finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done = future.result()
                        if done.rest is not None:
                            rests.append(done.rest)
                        yield done.outcomes
            finally:
                for future in under_way:
                    future.cancel()
