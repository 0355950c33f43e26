"""Jobs on a Ray cluster of two nodes on this machine: short versions of ``make faults``."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')
pytest.importorskip("ray", reason='needs the extra "ray"')

import ray

from faults.cluster import Nodes, check, nodes, picture
from wordsight.errors import StoreError
from wordsight.scale import ray_pool, ray_runner
from wordsight.scale.items import Done, Known, Task
from wordsight.scale.job import fill
from wordsight.scale.ray_runner import RayRunner

# Ray leaves sockets and files to the end of the process; its processes start slowly, so all of this is one worker's.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with nodes(2) as made:
        ray.init(made.address, log_to_driver=False, configure_logging=False)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield made
        ray.shutdown()


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, set[str], set[str]]:
    """A folder of 300 pictures and three files that are none."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.jpg").write_bytes(picture(number))
    good = {str(path) for path in folder.iterdir()}
    for number in range(3):
        (folder / f"bad-{number}.jpg").write_bytes(b"bad" * number)
    return folder, good, {str(path) for path in folder.iterdir()} - good


class Troubled(ray_runner._Actor):
    """A worker that dies of some pictures, never finishes others, and takes its time."""

    def work(self, task: Task, known: Known) -> Done:
        names = [Path(getattr(item, "address", "")).name for item in task] if isinstance(task, tuple) else []
        if "066.jpg" in names:
            os._exit(1)
        if "166.jpg" in names:
            time.sleep(3600)
        time.sleep(0.3)
        return super().work(task, known)


class TroubledRunner(RayRunner):
    def start(self) -> Any:
        return ray.remote(num_cpus=1)(Troubled).remote(self._encoder, self._fingerprint, {})


def test_a_job_on_two_nodes_survives_a_killed_worker(cluster: Nodes, many, tmp_path: Path, encoder) -> None:
    folder, good, bad = many
    killed: list[int] = []

    def kill() -> None:
        while not (actors := cluster.actors()):
            time.sleep(0.05)
        time.sleep(0.3)
        killed.append(actors[0])
        os.kill(actors[0], signal.SIGKILL)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    store = str(tmp_path / "s")
    report = fill(store, [str(folder)], encoder, RayRunner("colours", encoder.fingerprint))
    thread.join(30)
    assert killed
    assert (report.added, report.skipped) == (300, 3)
    check(store, good, bad)
    again = fill(store, [str(folder)], encoder, RayRunner("colours", encoder.fingerprint))
    assert (again.added, again.unchanged) == (0, 303)


@pytest.mark.slow
def test_pictures_that_kill_or_hold_up_workers_are_listed(cluster: Nodes, many, tmp_path: Path, encoder) -> None:
    folder, good, bad = many
    store = str(tmp_path / "s")
    runner = TroubledRunner("colours", encoder.fingerprint, result_seconds=5)
    report = fill(store, [str(folder)], encoder, runner)
    poison = {str(folder / "066.jpg"), str(folder / "166.jpg")}
    assert (report.added, report.skipped) == (298, 5)
    check(store, good - poison, bad | poison)
    from wordsight.scale.store import Store

    reasons = {address: reason for address, _, reason, _ in Store.open(store).skipped()}
    assert all(reasons[address].startswith("workers died reading it") for address in poison)


@pytest.mark.slow
def test_a_node_is_removed(cluster: Nodes, many, tmp_path: Path, encoder) -> None:
    folder, good, bad = many

    def remove() -> None:
        while not cluster.actors():
            time.sleep(0.05)
        cluster.remove()

    thread = Thread(target=remove, daemon=True)
    thread.start()
    store = str(tmp_path / "s")
    fill(store, [str(folder)], encoder, RayRunner("colours", encoder.fingerprint))
    thread.join(60)
    cluster.workers.append(cluster.add())
    check(store, good, bad)


def test_no_room_is_an_error_in_time(cluster: Nodes, many, tmp_path: Path, encoder) -> None:
    runner = RayRunner("colours", encoder.fingerprint, gpus=1, ready_seconds=1)
    with pytest.raises(StoreError, match="Ray gave no worker within 2 s"):
        fill(str(tmp_path / "s"), [str(many[0])], encoder, runner)


def test_a_node_with_another_model_is_an_error(cluster: Nodes, many, tmp_path: Path, encoder, monkeypatch) -> None:
    monkeypatch.setattr(ray_pool, "_GROW_SECONDS", 0.01)
    with pytest.raises(StoreError, match="is another model on this node"):
        fill(str(tmp_path / "s"), [str(many[0])], encoder, RayRunner("colours", "another", workers=2))


def test_pieces_are_halved_down_to_one_picture() -> None:
    from wordsight.scale.items import Item, Shard

    task = tuple(Item(str(number)) for number in range(5))
    first, second = ray_pool._halves(task)
    assert (len(first), len(second)) == (2, 3)
    assert ray_pool._halves(task[:1]) == []
    shard: Task = Shard("x.tar", piece=4, start=512)
    seen = []
    while parts := ray_pool._halves(shard):
        (shard,) = parts
        seen.append((shard.piece, shard.blind, shard.start))
    assert seen == [(2, False, 512), (1, False, 512), (1, True, 512)]
