"""All faults of a store and of the jobs that fill it, at length: ``python -m faults.store`` (docs/faults-store.md).

A Ray cluster of several nodes and an S3 server run on this machine. After each fault every readable picture must be in
the store exactly once, every unreadable one listed with a reason, and after ``wordsight compact`` no file left that no
version names. Writes benchmarks/results/faults_store.json. Exit status 1: a check failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import report
from faults import store_doc
from faults.cluster import Driver, Nodes, check, nodes, picture, wait_for_rows
from faults.s3 import Server, running

RESULTS = report.ROOT / "benchmarks" / "results" / "faults_store.json"
_LIMIT = 900.0  # seconds for a driver to end: bounds a hang, and leaves room for machines that are paused


@dataclass
class Place:
    """Where a scenario runs: the pictures in a bucket, and which of them can be read."""

    server: Server
    files: Any
    pictures: int
    readable: set[str]
    unreadable: set[str]
    number: int = 0

    @property
    def source(self) -> str:
        """What is indexed."""
        return "s3://photos/pictures"

    def store(self) -> str:
        """Return the place of a store that is not there yet."""
        self.number += 1
        return f"s3://photos/store-{self.number}"


def kill_worker(place: Place, cluster: Nodes, *, times: int = 3, burners: int = 0) -> dict[str, Any]:
    """Kill workers with signal 9, one after another, while they work."""
    store = place.store()
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(burners)]
    try:
        driver = Driver(cluster.address, place.source, store)
        killed = 0
        while killed < times and driver.process.poll() is None:
            if actors := cluster.actors():
                time.sleep(1.5)
                _kill(random.Random(killed).choice(actors))
                killed += 1
            time.sleep(0.2)
        begun = time.monotonic()
        told = driver.wait(_LIMIT)
    finally:
        for process in load:
            process.kill()
    seconds = round(time.monotonic() - begun, 1)
    return {"killed": killed, "end_after_last_kill_s": seconds, "reported": told, **_checked(place, store)}


def kill_worker_under_load(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Do the same beside six processes that take all of the processor they can get."""
    return kill_worker(place, cluster, burners=6)


def freeze_worker(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Stop a worker without ending it: nothing answers any more, and no connection breaks."""
    store = place.store()
    driver = Driver(cluster.address, place.source, store, setup=[sys.executable, "-m", "faults.patient", "60"])
    while not (actors := cluster.actors()):
        time.sleep(0.1)
    time.sleep(1.5)
    os.kill(actors[0], signal.SIGSTOP)
    told = driver.wait(_LIMIT)
    _kill(actors[0])  # Ray asks a process to end, and this one hears nothing
    return {"reported": told, **_checked(place, store)}


def remove_node(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Take a node away without warning; the other goes on. Later one is added."""
    store = place.store()
    driver = Driver(cluster.address, place.source, store)
    while not cluster.actors():
        time.sleep(0.1)
    time.sleep(2)
    cluster.remove()
    time.sleep(2)
    cluster.workers.append(cluster.add())
    told = driver.wait(_LIMIT)
    return {"reported": told, **_checked(place, store)}


def stop_driver(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Kill the driver again and again; each next one goes on."""
    store = place.store()
    kept = []
    for round_ in range(3):
        place.server.faults(wait=0.4)  # so that it is not done before it is killed
        driver = Driver(cluster.address, place.source, store, setup=[sys.executable, "-m", "faults.hasty", "1"])
        kept.append(wait_for_rows(store, (kept[-1] if kept else 0) + 20 + 30 * round_, driver))
        driver.kill()
    place.server.faults()
    told = Driver(cluster.address, place.source, store).wait(_LIMIT)
    assert kept[0] > 0
    assert told["unchanged"] >= kept[-1] - len(place.unreadable), "what was committed is not read again"
    return {"rows_at_each_kill": kept, "reported": told, **_checked(place, store)}


def failing_reads(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Answer one read in twenty with an error, and break off as many answers half way."""
    store = place.store()
    before = place.server.faults(fail=0.05, cut=0.05)
    told = Driver(cluster.address, place.source, store).wait(_LIMIT)
    after = place.server.faults()
    counted = {name: after[name] - before[name] for name in after}
    return {"server": counted, "reported": told, **_checked(place, store)}


def slow_storage(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Let every read take half a second or more."""
    store = place.store()
    place.server.faults(wait=0.5)
    told = Driver(cluster.address, place.source, store).wait(_LIMIT)
    place.server.faults()
    return {"reported": told, **_checked(place, store)}


def full_disk(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Fill the disk on which the store is, then make room; needs the right to mount one."""
    if os.geteuid() != 0:
        raise PermissionError("mounting a small disk is for root")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], check=True)
        try:
            store = f"{folder}/store"
            hasty = [sys.executable, "-m", "faults.hasty", "1"]
            (Path(folder) / "ballast").write_bytes(bytes(500_000))
            driver = Driver(cluster.address, place.source, store, setup=hasty)
            _, err = driver.process.communicate(timeout=_LIMIT)
            assert driver.process.returncode == 2, f"status {driver.process.returncode}: {err[-800:]}"
            assert "kept" in err
            assert "Traceback" not in err
            subprocess.run(["mount", "-o", "remount,size=50m", folder], check=True)
            told = Driver(cluster.address, place.source, store).wait(_LIMIT)
            said = err.strip().splitlines()[-1].replace(folder, "DISK")[:160]
            return {"said": said, "reported": told | {"store": "DISK/store"}, **_checked(place, store)}
        finally:
            subprocess.run(["umount", folder], check=False)


def submitted_twice(place: Place, cluster: Nodes) -> dict[str, Any]:
    """Start two drivers for the same pictures and store at the same time, and a third when they are done."""
    store = place.store()
    cluster.workers += [cluster.add(), cluster.add()]  # a pair of workers for each
    try:
        both = [Driver(cluster.address, place.source, store, "--workers", "2") for _ in range(2)]
        told = [driver.wait(_LIMIT) for driver in both]
    finally:
        cluster.remove()
        cluster.remove()
    again = Driver(cluster.address, place.source, store).wait(_LIMIT)
    assert again["added"] == 0
    return {"reported": [*told, again], **_checked(place, store)}


def ray_alone(_: Place, cluster: Nodes) -> dict[str, Any]:
    """Leave restarts and retries to Ray, as a simple job would, and take a node away: what our loop is there for."""
    import ray

    ray.init(cluster.address, log_to_driver=False, configure_logging=False)
    try:

        @ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)
        class Sleeper:
            def work(self, number: int) -> int:
                time.sleep(0.1)
                return number

        actors = [Sleeper.remote() for _ in range(2)]
        ray.get([actor.work.remote(0) for actor in actors])
        calls = [actors[number % 2].work.remote(number) for number in range(100)]
        cluster.remove()
        _, unanswered = ray.wait(calls, num_returns=len(calls), timeout=60)
        return {"calls": len(calls), "unanswered_after_60_s": len(unanswered)}
    finally:
        ray.shutdown()


SCENARIOS: dict[str, Callable[[Place, Nodes], dict[str, Any]]] = {
    "kill -9 of workers": kill_worker,
    "kill -9 of workers on a loaded machine": kill_worker_under_load,
    "a worker that freezes": freeze_worker,
    "a node removed, another added": remove_node,
    "the driver killed and run again": stop_driver,
    "5 % of reads fail, 5 % break off": failing_reads,
    "slow storage": slow_storage,
    "full disk": full_disk,
    "submitted twice": submitted_twice,
    "Ray's own restarts, a node removed": ray_alone,
}


@contextmanager
def place_of(pictures: int) -> Any:
    """Run an S3 server with that many pictures, and one unreadable file to twenty of them."""
    with running(_free_port()) as server, ExitStack() as undo:
        for name, value in server.environment.items():
            undo.callback(_restore, name, os.environ.get(name))
            os.environ[name] = value
        import fsspec

        files = fsspec.filesystem("s3")
        files.mkdir("photos")
        names = [f"photos/pictures/{number // 100}/{number}.jpg" for number in range(pictures)]
        bad = [name.replace(".jpg", "-bad.jpg") for name in names[::20]]
        for start in range(0, len(names), 50):
            files.pipe({name: picture(start + n) for n, name in enumerate(names[start : start + 50])})
        for number, name in enumerate(bad):
            files.pipe(name, picture(number)[: 30 + number] if number % 2 else b"")
        yield Place(server, files, pictures, {f"s3://{n}" for n in names}, {f"s3://{n}" for n in bad})


def main() -> int:
    """Run what was asked for; results of other scenarios stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m faults.store", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, help="these; all unless told")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--resume", action="store_true", help="leave out what passed before")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text())["scenarios"] if RESULTS.is_file() else {}
    passed = {name for name, found in results.items() if found["passed"]} if given.resume else set()
    failed, cluster = False, None
    with place_of(given.pictures) as place, ExitStack() as started:
        for name in (name for name in given.only or SCENARIOS if name not in passed):
            begun = time.monotonic()
            try:
                cluster = cluster or started.enter_context(nodes(2))
                cluster.restore()
                found = {"passed": True, **SCENARIOS[name](place, cluster)}
            except PermissionError as error:
                found = {"passed": None, "skipped": str(error)}
            except Exception as error:
                traceback.print_exc()
                found = {"passed": False, "error": repr(error)[:1000]}
                failed, cluster = True, None
                started.close()  # whatever state that cluster is in: the next gets another
            place.server.faults()
            seconds = round(time.monotonic() - begun, 1)
            results[name] = found | {"seconds": seconds, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
            print(f"{name}: {json.dumps(results[name])}", flush=True)
            _write(results, given.pictures)
    return 1 if failed else 0


def _write(results: dict[str, Any], pictures: int) -> None:
    document = {
        "name": "faults_store",
        "title": "Faults of a store and of the jobs that fill it",
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": "python -m faults.store",
        "setting": {
            **{"pictures": pictures, "unreadable": -(-pictures // 20), "nodes": "a head and 2 of one CPU each"},
            **{name: version(name) for name in ("ray", "pylance", "moto")},
        },
        "machine": report.machine(),
        "versions": report.versions(),
        "scenarios": results,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    store_doc.write(document)


def _checked(place: Place, store: str) -> dict[str, Any]:
    found = check(store, place.readable, place.unreadable)
    if store.startswith("s3://"):
        place.files.rm(store.removeprefix("s3://"), recursive=True)
    else:
        shutil.rmtree(store)
    return {"found": found}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


if __name__ == "__main__":
    sys.exit(main())
