"""The loop around Ray's actors: who has what to do, who is late, who died, and what becomes of what they had."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import ray

from wordsight.errors import StoreError
from wordsight.scale.items import Done, Item, Outcome, Shard, Task

if TYPE_CHECKING:
    from wordsight.scale.ray_runner import RayRunner

_DEATHS = 3  # of workers with one piece, before it is halved
_QUEUED = 2  # pieces an actor has: one that it works on, and the next
_FAILED_STARTS = 5  # in a row, before the job gives up
_PATIENCE = 2  # times the seconds in which an actor must be ready: so long may there be none at all
_LOOK_SECONDS = 1.0
_GROW_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class _Call:
    """A task, how often workers died with it, and, while it is under way, who has it."""

    task: Task
    deaths: int = 0


@dataclass(slots=True, eq=False)
class _Member:
    """An actor of the pool. ``since``: when it was made, was idle last, or gave its last result."""

    actor: Any
    starting: Any
    since: float
    calls: dict[Any, _Call] = field(default_factory=dict)


class Pool:
    """The actors of one run, and what each has to do."""

    def __init__(self, runner: RayRunner) -> None:
        self._runner = runner
        self._members: list[_Member] = []
        self._again: deque[_Call] = deque()
        self._failed: list[str] = []  # why the last starts failed
        self._grown = 0.0
        self._ready_once = 0.0  # when an actor was last seen ready, or first asked for

    def run(self, tasks: Iterator[Task], known: Any) -> Iterator[tuple[Outcome, ...]]:
        """Yield the outcomes of all tasks; those given up among them, as problems."""
        while True:
            if self._any_ready():
                self._ready_once = time.monotonic()
            more = self._hand_out(tasks, known)
            if not more and not any(member.calls for member in self._members):
                return
            refs = {ref: member for member in self._members for ref in member.calls}
            refs |= {member.starting: member for member in self._members if member.starting is not None}
            ready: list[Any] = []
            if refs:
                ready, _ = ray.wait(list(refs), num_returns=1, timeout=_LOOK_SECONDS, fetch_local=False)
            else:
                time.sleep(_LOOK_SECONDS)
            for ref in ready:
                if ref == refs[ref].starting:  # not "is": a client of Ray gives back copies
                    self._started(refs[ref])
                else:
                    yield self._result(refs[ref], ref)
            yield from self._kill_late()

    def close(self) -> None:
        """Let all actors go."""
        for member in self._members:
            _kill(member)
        self._members = []

    def _hand_out(self, tasks: Iterator[Task], known: Any) -> bool:
        """Give free actors something to do, and ask for more actors; return whether anything is left to give."""
        more = True
        for queued in range(_QUEUED):  # one for each, before any gets a second
            for member in self._members:
                if member.starting is None and len(member.calls) == queued:
                    call = self._again.popleft() if self._again else _next(tasks)
                    if call is None:
                        return False
                    if not member.calls:
                        member.since = time.monotonic()
                    member.calls[member.actor.work.remote(call.task, known)] = call
        if not self._members and not self._again:
            call = _next(tasks)  # a run without work starts nobody
            more = call is not None
            if call is not None:
                self._again.append(call)
                self._ready_once = time.monotonic()  # finding it may have taken long
        if more:
            self._grow()
        return more

    def _grow(self) -> None:
        if time.monotonic() - self._grown < _GROW_SECONDS:
            return
        self._grown = time.monotonic()
        if len(self._failed) >= _FAILED_STARTS:
            raise StoreError(f"no worker of Ray's starts: {self._failed[-1]}. What was committed is kept")
        patience = _PATIENCE * self._runner.limits[0]
        if time.monotonic() - self._ready_once > patience and not self._any_ready():
            there = ray.cluster_resources()
            raise StoreError(
                f"Ray gave no worker within {patience:.0f} s: it has {there.get('CPU', 0):.0f} CPUs and "
                f"{there.get('GPU', 0):.0f} GPUs, perhaps taken by others. What was committed is kept; run the same "
                "command again when there is room"
            )
        for _ in range(self._runner.wanted - len(self._members)):
            actor = self._runner.start()
            self._members.append(_Member(actor, actor.ready.remote(), time.monotonic()))

    def _any_ready(self) -> bool:
        return any(member.starting is None for member in self._members)

    def _started(self, member: _Member) -> None:
        try:
            ray.get(member.starting, timeout=_LOOK_SECONDS)
        except Exception as error:  # Ray's own, or what the constructor raised on the node
            self._failed.append(said(error))
            self._dismiss(member, self._failed[-1])
            return
        self._failed.clear()
        member.starting, member.since = None, time.monotonic()

    def _result(self, member: _Member, ref: Any) -> tuple[Outcome, ...]:
        try:
            done: Done = ray.get(ref, timeout=self._runner.limits[1])
        except ray.exceptions.RayTaskError as error:  # the actor lives on
            return self._retry(member.calls.pop(ref), said(error))
        except Exception as error:  # the actor or its node died, or the result was lost with it
            return self._dismiss(member, said(error))
        member.calls.pop(ref)
        member.since = time.monotonic()
        if done.rest is not None:
            self._again.append(_Call(done.rest))
        return done.outcomes

    def _kill_late(self) -> Iterator[tuple[Outcome, ...]]:
        """Kill actors that are not ready, or give no result, in time; yield what is given up."""
        to_be_ready, to_give = self._runner.limits
        for member in list(self._members):
            waited = time.monotonic() - member.since
            limit = to_be_ready if member.starting is not None else to_give
            awaited = next(iter(member.calls), None) if member.starting is None else member.starting
            if awaited is None or waited <= limit:
                continue
            if not ray.wait([awaited], timeout=0, fetch_local=False)[0]:  # else only the driver was late to look
                yield self._dismiss(member, f"no answer within {limit:.0f} s")

    def _dismiss(self, member: _Member, reason: str) -> tuple[Outcome, ...]:
        """Let an actor go, and give to others what it had; return what is given up.

        Actors work in order: only the first of its calls can be to blame.
        """
        self._members.remove(member)
        _kill(member)
        calls = list(member.calls.values())
        member.calls.clear()
        self._again.extendleft(reversed(calls[1:]))
        return self._retry(calls[0], reason) if calls else ()

    def _retry(self, call: _Call, reason: str) -> tuple[Outcome, ...]:
        """Give a piece with which a worker died to another, halved if that was not the first; or give it up."""
        call.deaths += 1
        if call.deaths < _DEATHS:
            self._again.appendleft(call)
            return ()
        parts = _halves(call.task)
        self._again.extendleft(_Call(part, _DEATHS - 1) for part in reversed(parts))
        return () if parts else _given_up(call.task, reason)


def _halves(task: Task) -> list[Task]:
    """Return smaller pieces that are the same work; none where it is as small as can be."""
    if isinstance(task, Shard):
        if task.blind:
            return []
        return [replace(task, piece=task.piece // 2) if task.piece > 1 else replace(task, blind=True)]
    middle = len(task) // 2
    return [task[:middle], task[middle:]] if middle else []


def _next(tasks: Iterator[Task]) -> _Call | None:
    task = next(tasks, None)
    return None if task is None else _Call(task)


def _given_up(task: Task, reason: str) -> tuple[Outcome, ...]:
    items = (Item(task.url, task.stamp),) if isinstance(task, Shard) else task
    return tuple(Outcome(item, problem=f"workers died reading it: {reason}") for item in items)


def _kill(member: _Member) -> None:
    with suppress(Exception):  # gone already, or with its node
        ray.kill(member.actor)


def said(error: Exception) -> str:
    """Return what an error says last: Ray puts whole tracebacks before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
