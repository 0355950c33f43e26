"""Fill a store: list, work off, commit now and then. Stopped at any instant, the next run goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wordsight.library.report import Progress
from wordsight.protocols import Encoder
from wordsight.scale.items import Item, Known, Outcome, Task
from wordsight.scale.rows import Header
from wordsight.scale.runners import Runner
from wordsight.scale.sources import Counter, tasks
from wordsight.scale.store import Store
from wordsight.types import Address

COMMIT_ROWS = 8_192
"""Outcomes that a commit holds at most, about."""

COMMIT_SECONDS = 20.0
"""How much work, in seconds, a driver that dies loses at most: what was read, not what was written."""


@dataclass(slots=True)
class JobReport:
    """What a job did: photos written (``encoded`` of them with a new vector), skipped, found unchanged in lists.

    ``problems``: folders that could not be listed.
    """

    added: int = 0
    encoded: int = 0
    skipped: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def fill(
    url: str,
    sources: Sequence[str],
    encoder: Encoder,
    runner: Runner,
    *,
    retry_skipped: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> JobReport:
    """Index ``sources`` into the store at ``url``, made where there is none; several jobs may do so at a time.

    Raises ``EncoderMismatch`` when the store belongs to another encoder, ``BadInput`` for a source that is not there,
    ``StoreError`` when the storage or the runner cannot go on; what was committed before is kept.
    """
    started = time.monotonic()
    store = Store.ensure(url, Header.of(encoder))
    store.header.check(encoder, url)
    run = _Run(store, progress)
    known = store.known(retry_skipped=retry_skipped)
    seen = Counter()
    run.work_off(runner, tasks(sources, known, seen), known)
    while again := run.take_again():  # their content was known, and the row that had its vector was replaced meanwhile
        run.work_off(runner, iter([tuple(again)]), Known.nothing())
    store.reconcile()
    store.optimize()
    store.calibrate_if_due(encoder)
    run.report.unchanged, run.report.problems = seen.unchanged, seen.problems
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    def __init__(self, store: Store, progress: Callable[[Progress], None]) -> None:
        self.report = JobReport()
        self._store = store
        self._progress = progress
        self._pending: list[Outcome] = []
        self._again: list[Item] = []
        self._last = time.monotonic()

    def work_off(self, runner: Runner, todo: Iterator[Task], known: Known) -> None:
        """Commit what comes of the tasks; an interrupt loses nothing that came."""
        results = runner.run(todo, known)
        try:
            for outcomes in results:
                self._take(outcomes)
                if len(self._pending) >= COMMIT_ROWS or time.monotonic() - self._last > COMMIT_SECONDS:
                    self._commit()
        finally:
            close = getattr(results, "close", None)
            if close is not None:
                close()
            self._commit()

    def take_again(self) -> list[Item]:
        """Return the items to do once more, and forget them."""
        again, self._again = self._again, []
        return again

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        report = self.report
        self._pending += outcomes
        for one in outcomes:
            report.added += one.problem is None
            report.encoded += one.vector is not None
            report.skipped += one.problem is not None
            latest = None if one.problem is None else (Address(one.item.address), one.problem)
            done = report.added + report.skipped
            self._progress(Progress(done, None, report.encoded, report.skipped, latest))

    def _commit(self) -> None:
        # Emptied first: what could not be written is not tried again on the way out, and a next run finds it missing.
        pending, self._pending, self._last = self._pending, [], time.monotonic()
        if pending:
            self._again += self._store.commit(pending)
