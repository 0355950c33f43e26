"""Works on a Ray cluster: a pool of actors, each with the encoder, that may die at any time.

Ray restarts and retries nothing here (an actor that it restarts waits for room on a loaded cluster, with no limit that
could be set, and calls to it wait with it): ``ray_pool`` does, and bounds each step. An actor must be ready, and later
give a result, within a time; else it is killed. What it had is done by others; a piece whose workers die repeatedly is
halved, until the picture that kills them is alone, and is listed as unreadable.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

try:
    import ray
except ImportError as error:
    from wordsight.errors import MissingExtra

    raise MissingExtra("the runner ray", "ray") from error

from wordsight.errors import StoreError
from wordsight.scale.items import Done, Known, Outcome, Task
from wordsight.scale.ray_pool import Pool, said

READY_SECONDS = 180.0
"""In which an actor must have loaded the encoder: a loaded machine takes a minute to import what that needs."""

RESULT_SECONDS = 300.0
"""In which an actor must finish one of its pieces."""

_PASSED_ON = ("WORDSIGHT_RUNTIME", "WORDSIGHT_MODELS", "WORDSIGHT_CACHE")


class _Actor:
    """What runs on a node: a worker with its own copy of the encoder."""

    def __init__(self, encoder: str, fingerprint: str, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        from wordsight.registry import load_encoder
        from wordsight.scale.work import Worker

        loaded = load_encoder(encoder)
        if loaded.fingerprint != fingerprint:
            raise RuntimeError(f"{encoder} is another model on this node: {loaded.fingerprint}, expected {fingerprint}")
        self._worker = Worker(loaded)

    def ready(self) -> int:
        """Return the process's id."""
        return os.getpid()

    def work(self, task: Task, known: Known) -> Done:
        """Work off a task, or its first piece."""
        return self._worker.work(task, known)


class RayRunner:
    """Works with ``workers`` actors (by default as many as the cluster has room for), on one or many nodes.

    ``address``: ``ray://HOST:PORT`` of a cluster's head; ``None``: the cluster that ``RAY_ADDRESS`` names or that runs
    on this machine, else one of this machine alone. ``gpus`` of each actor. Raises ``StoreError`` where there is none.
    """

    name = "ray"

    def __init__(
        self,
        encoder: str,
        fingerprint: str,
        *,
        address: str | None = None,
        workers: int | None = None,
        gpus: float = 0.0,
        ready_seconds: float | None = None,
        result_seconds: float | None = None,
    ) -> None:
        self._encoder = encoder
        self._fingerprint = fingerprint
        self._address = address
        self._wanted = workers
        self._gpus = gpus
        self._ready_seconds = READY_SECONDS if ready_seconds is None else ready_seconds
        self._result_seconds = RESULT_SECONDS if result_seconds is None else result_seconds

    def run(self, tasks: Iterator[Task], known: Known) -> Iterator[tuple[Outcome, ...]]:
        """Yield the outcomes of all tasks."""
        _connect(self._address)
        pool = Pool(self)
        try:
            yield from pool.run(tasks, ray.put(known))
        finally:
            pool.close()

    def start(self) -> Any:
        """Ask Ray for one more actor."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        options: dict[str, Any] = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
        options |= {"scheduling_strategy": "SPREAD"} | ({"num_gpus": self._gpus} if self._gpus else {})
        return ray.remote(**options)(_Actor).remote(self._encoder, self._fingerprint, environment)

    @property
    def wanted(self) -> int:
        """How many actors there should be now: nodes come and go."""
        if self._wanted is not None:
            return self._wanted
        there = ray.cluster_resources()
        room = [there.get("CPU", 0.0)] + ([there.get("GPU", 0.0) / self._gpus] if self._gpus else [])
        return max(1, int(min(room)))

    @property
    def limits(self) -> tuple[float, float]:
        """Seconds in which an actor must be ready, and give a result."""
        return self._ready_seconds, self._result_seconds


def _connect(address: str | None) -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    try:
        if address is not None:
            logging.getLogger("ray").setLevel(logging.ERROR)
            ray.init(address, log_to_driver=False)
            return
        try:
            ray.init("auto", **options)
        except ConnectionError:  # no cluster on this machine
            if os.environ.get("RAY_ADDRESS"):
                raise
            ray.init(include_dashboard=False, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise StoreError(f"no Ray cluster can be had at {where}: {said(error)}") from error
