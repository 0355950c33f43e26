"""A Ray cluster of several nodes on this machine, a driver as a process, and what is asked of a store afterwards."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wordsight.scale.storage import file_system
from wordsight.scale.store import Store

_MEMORY = 100 << 20  # bytes of each node's object store
_STARTS = 4
_COMMAND = [sys.executable, "-m", "wordsight", "index"]


def picture(number: int) -> bytes:
    """Return a small picture that no other number has."""
    rng = np.random.default_rng(number)
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(out, "JPEG", quality=80)
    return out.getvalue()


class Nodes:
    """Nodes of one processor each, and a head that works nothing itself."""

    def __init__(self, count: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": _MEMORY, "include_dashboard": False}
        self._cluster = _patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
        self._count = count
        self.workers: list[Any] = []
        self.address = self._cluster.address
        self.restore()

    def add(self) -> Any:
        """Start one more."""
        return _patiently(lambda: self._cluster.add_node(num_cpus=1, object_store_memory=_MEMORY))

    def restore(self) -> None:
        """Start nodes until there are as many as at first."""
        while len(self.workers) < self._count:
            self.workers.append(self.add())

    def remove(self) -> None:
        """Take one away without warning."""
        self._cluster.remove_node(self.workers.pop(), allow_graceful=False)

    def stop(self) -> None:
        """Stop all."""
        self._cluster.shutdown()

    def actors(self) -> list[int]:
        """Return the process ids of the workers of jobs of ours on these nodes."""
        own = {process.process.pid for node in self._cluster.list_all_nodes() for process in _raylets(node)}
        return sorted(pid for pid in _children(own) if "ray::_Actor" in _command_line(pid))


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """Run a cluster."""
    made = Nodes(count)
    try:
        yield made
    finally:
        made.stop()


class Driver:
    """``wordsight index`` on a cluster, as a process."""

    def __init__(self, address: str, source: str, store: str, *more: str, setup: Sequence[str] = ()) -> None:
        words = [*_COMMAND, source, "--store", store, "--encoder", "colours", "--runner", "ray", "--json", *more]
        self.process = subprocess.Popen(
            [*setup, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAY_ADDRESS": address},
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def wait(self, seconds: float, *, status: int = 0) -> dict[str, Any]:
        """Return what it reports; raises ``AssertionError`` where it is not done in time, or ends in another way."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not done within {seconds:.0f} s") from None
        assert self.process.returncode == status, f"status {self.process.returncode}: {err[-2000:]}"
        return json.loads(out.splitlines()[-1]) if out else {}


def wait_for_rows(store: str, least: int, driver: Driver, seconds: float = 120) -> int:
    """Wait until a store has so many rows, or its driver has ended; return how many."""
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until and driver.process.poll() is None:
        try:
            count = len(Store.open(store))
        except Exception:  # not made yet
            count = 0
        if count >= least:
            break
        time.sleep(0.2)
    return count


def check(store: str, readable: set[str], unreadable: set[str]) -> dict[str, int]:
    """Assert that every readable picture is there once and every other listed, and after tidying no file too many."""
    opened = Store.open(store)
    held = [record.address for batch in opened.records() for record in batch]
    assert len(held) == len(set(held)), f"{len(held) - len(set(held))} addresses more than once"
    assert set(held) == readable, f"{len(readable - set(held))} lost, {len(set(held) - readable)} too many"
    skipped = {address: reason for address, _, reason, _ in opened.skipped()}
    assert skipped.keys() == unreadable, f"listed as unreadable: {sorted(skipped)[:5]}, expected {len(unreadable)}"
    assert all(skipped.values())
    orphans = sum(len(orphan_files(table)) for table in (opened.photos, opened.problems))
    opened.tidy()
    opened = Store.open(store)
    left = [file for table in (opened.photos, opened.problems) for file in orphan_files(table)]
    assert not left, f"orphan files after tidying: {left[:5]}"
    assert len(opened) == len(readable)
    return {"photos": len(held), "listed": len(skipped), "files_no_version_named_before_tidying": orphans}


def orphan_files(table: Any) -> list[str]:
    """Return the files of rows, removals and indexes below a table that its newest version does not name."""
    system, path = file_system(table.url if "://" in table.url else f"file://{table.url}")
    table.refresh()
    fragments = table.dataset.get_fragments()
    named = {Path(file.path).name for fragment in fragments for file in fragment.data_files()}
    named |= {Path(one.path()).name for fragment in fragments if (one := fragment.metadata.deletion_file) is not None}
    folders = {str(segment.uuid) for index in table.dataset.describe_indices() for segment in index.segments}
    system.invalidate_cache()
    found = []
    for file in system.find(path):
        kind, _, name = str(file).removeprefix(path).lstrip("/").partition("/")
        if kind in ("data", "_deletions") and Path(name).name not in named:
            found.append(str(file))
        if kind == "_indices" and name.partition("/")[0] not in folders:
            found.append(str(file))
    return found


def _patiently(start: Callable[[], Any]) -> Any:
    """Return what ``start`` starts: Ray gives a node 30 s for that, and a machine that does other work takes longer."""
    for _ in range(_STARTS - 1):
        try:
            return start()
        except Exception as error:
            if "timed out" not in str(error):
                raise
    return start()


def _raylets(node: Any) -> list[Any]:
    return [info for infos in node.all_processes.values() for info in infos]


def _children(parents: set[int]) -> list[int]:
    """Return all processes below these."""
    parent_of = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent_of[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    below: list[int] = []
    for pid in parent_of:
        place = pid
        while place in parent_of and place not in parents:
            place = parent_of[place]
        if place in parents and pid not in parents:
            below.append(pid)
    return below


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
