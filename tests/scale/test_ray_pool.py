"""The loop around Ray's actors, on a Ray that is played: thousands of seconds and hundreds of deaths in a moment.

``test_ray.py`` has the real thing. Here actors die, freeze, fail, and never start, by a seed; the clock is ours.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight.errors import StoreError
from wordsight.scale.items import Done, Item, Known, Outcome, Shard, Task

MODULES = ("ray_pool", "ray_runner")


class ActorDied(Exception):
    pass


class TaskFailed(Exception):
    pass


class Ref:
    def __init__(self, actor: FakeActor, call: Any) -> None:
        self.actor = actor
        self.call = call
        self.value: Any = None
        self.error: Exception | None = None
        self.is_done = False
        actor.queue.append(self)

    def finish(self, value: Any = None, error: Exception | None = None) -> None:
        self.value, self.error, self.is_done = value, error, True


class FakeActor:
    def __init__(self, ray: FakeRay) -> None:
        self.ray = ray
        self.queue: list[Ref] = []
        self.state = "waiting"  # for room; then "here", "frozen" or "dead"
        self.ready = SimpleNamespace(remote=lambda: Ref(self, None))
        self.work = SimpleNamespace(remote=lambda task, known: Ref(self, (task, known)))

    def step(self) -> None:
        """Do one call."""
        if self.state == "waiting" and self.ray.room > 0:
            self.state = "here"
        if self.state == "dead":
            for ref in self.queue:
                ref.finish(error=ActorDied("the actor died"))
            self.queue = []
        if self.state != "here" or not self.queue:
            return
        ref = self.queue[0]
        try:
            ref.finish(None if ref.call is None else self.ray.worker(*ref.call))
        except TaskFailed as error:
            ref.finish(error=error)
        except (SystemExit, KeyboardInterrupt) as end:
            self.state = "dead" if isinstance(end, SystemExit) else "frozen"
            return
        self.queue.pop(0)


class FakeRay(ModuleType):
    exceptions = SimpleNamespace(RayTaskError=TaskFailed)

    def __init__(self, nodes: int, worker: Any, seed: int = 0, trouble: float = 0.0, gpus: float = 0.0) -> None:
        super().__init__("ray")
        self.nodes, self.worker, self.now, self.gpus = nodes, worker, 0.0, gpus
        self.options: list[dict[str, Any]] = []
        self.actors: list[FakeActor] = []
        self._random = random.Random(seed)
        self._trouble = trouble
        self.most_queued = 0

    @property
    def room(self) -> int:
        return self.nodes - sum(actor.state in ("here", "frozen") for actor in self.actors)

    def is_initialized(self) -> bool:
        return True

    def put(self, value: Any) -> Any:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.nodes)} | ({"GPU": self.gpus} if self.gpus else {})

    def remote(self, **options: Any) -> Any:
        self.options.append(options)

        def made(*_: Any) -> FakeActor:
            self.actors.append(FakeActor(self))
            return self.actors[-1]

        return lambda _: SimpleNamespace(remote=made)

    def kill(self, actor: FakeActor) -> None:
        actor.state = "dead"

    def get(self, ref: Ref, timeout: float) -> Any:
        assert ref.is_done
        if ref.error is not None:
            raise ref.error
        return ref.value

    def wait(self, refs: list[Ref], num_returns: int = 1, timeout: float = 0, fetch_local: bool = True) -> Any:
        self.most_queued = max(self.most_queued, *(len(actor.queue) for actor in self.actors), 0)
        if timeout and not any(ref.is_done for ref in refs):
            for actor in self.actors:
                if actor.state == "here" and self._random.random() < self._trouble:
                    actor.state = self._random.choice(["dead", "frozen"])
                actor.step()
            self.now += timeout
        ready = [ref for ref in refs if ref.is_done][:1]
        return ready, [ref for ref in refs if ref not in ready]


def worker(task: Task, known: Known) -> Done:
    """Kill, freeze or fail by the address; a shard has ten members."""
    if isinstance(task, Shard):
        last = min(task.start + task.piece, 10)
        names = [f"{task.url}/{'kill' if number == 7 else number}" for number in range(task.start, last)]
        rest = None if last == 10 else Shard(task.url, start=last)
        if task.blind:
            return Done(tuple(Outcome(Item(name), problem="blind") for name in names), rest)
    else:
        names, rest = [item.address for item in task], None
    if any("kill" in name for name in names):
        raise SystemExit
    if any("freeze" in name for name in names):
        raise KeyboardInterrupt
    if any("fail" in name for name in names):
        raise TaskFailed("not a picture of ours")
    return Done(tuple(Outcome(Item(name), vector=np.zeros(2, np.float16)) for name in names), rest)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that runs tasks on a played cluster; it returns the outcomes and the cluster."""

    def run(tasks: list[Task], nodes: int = 3, share: float = 0.0, **options: Any) -> tuple[list[Outcome], FakeRay]:
        ray = FakeRay(nodes, worker, **options)
        monkeypatch.setitem(sys.modules, "ray", ray)
        for name in MODULES:
            sys.modules.pop(f"wordsight.scale.{name}", None)
        module = import_module("wordsight.scale.ray_runner")
        clock = SimpleNamespace(monotonic=lambda: ray.now, sleep=lambda seconds: setattr(ray, "now", ray.now + seconds))
        monkeypatch.setattr(sys.modules["wordsight.scale.ray_pool"], "time", clock)
        runner = module.RayRunner("colours", "fingerprint", gpus=share)
        outcomes = [one for some in runner.run(iter(tasks), Known.nothing()) for one in some]
        return outcomes, ray

    real = {name: sys.modules.get(f"wordsight.scale.{name}") for name in MODULES}
    yield run
    for name, module in real.items():
        sys.modules.pop(f"wordsight.scale.{name}", None)
        vars(sys.modules["wordsight.scale"]).pop(name, None)
        if module is not None:  # other tests hold it
            sys.modules[f"wordsight.scale.{name}"] = module
            setattr(sys.modules["wordsight.scale"], name, module)


def pieces(names: list[str], size: int = 8) -> list[Task]:
    return [tuple(Item(name) for name in names[start : start + size]) for start in range(0, len(names), size)]


def test_everything_comes_back_and_nobody_has_more_than_two_pieces(play) -> None:
    outcomes, ray = play(pieces([str(number) for number in range(200)]))
    assert sorted(int(one.item.address) for one in outcomes) == list(range(200))
    assert ray.most_queued == 2
    assert len(ray.actors) == 3
    assert all(actor.state == "dead" for actor in ray.actors), "the job lets its actors go"


@pytest.mark.parametrize("trouble", ["kill", "freeze", "fail"])
def test_a_picture_that_is_trouble_is_found_and_listed(play, trouble: str) -> None:
    names = [str(number) for number in range(60)]
    names[17] = names[41] = f"{trouble} me"
    outcomes, _ = play(pieces(names))
    problems = {one.item.address: one.problem for one in outcomes if one.problem is not None}
    assert problems.keys() == {f"{trouble} me"}
    assert all(text.startswith("workers died reading it: ") for text in problems.values())
    assert {one.item.address for one in outcomes if one.vector is not None} == set(names) - problems.keys()


def test_a_member_of_a_shard_that_kills_is_stepped_over(play) -> None:
    outcomes, _ = play([Shard("a.tar", piece=4), Shard("b.tar")])
    for shard in ("a.tar", "b.tar"):
        of_it = {one.item.address.rpartition("/")[2]: one.problem for one in outcomes if shard in one.item.address}
        assert of_it == {str(n): None for n in range(10) if n != 7} | {"kill": "blind"}


@pytest.mark.parametrize("seed", range(25))
def test_random_deaths_and_freezes_lose_nothing(play, seed: int) -> None:
    names = [str(number) for number in range(300)]
    outcomes, ray = play(pieces(names, 4), nodes=4, seed=seed, trouble=0.05)
    assert {one.item.address for one in outcomes} == set(names)
    given_up = [one for one in outcomes if one.problem is not None]
    assert len(given_up) <= 3, "only where three workers in a row died by chance, and again with every half"
    assert ray.now < 50_000, "the job ends"


def test_a_cluster_without_room_is_an_error(play) -> None:
    with pytest.raises(StoreError, match="Ray gave no worker within 360 s"):
        play(pieces(["1"]), nodes=0)


def test_each_worker_gets_its_share_of_the_gpus(play) -> None:
    outcomes, ray = play(pieces([str(number) for number in range(64)]), nodes=8, gpus=1.0, share=0.25)
    assert len(outcomes) == 64
    assert len(ray.actors) == 4  # eight processors, but a GPU for four
    assert all(options["num_gpus"] == 0.25 and options["num_cpus"] == 1 for options in ray.options)
    _, ray = play(pieces(["1"]))
    assert all("num_gpus" not in options for options in ray.options)


def test_listing_may_take_long(play) -> None:
    class Slow(list):
        def __iter__(self):
            for task in super().__iter__():
                sys.modules["ray"].now += 1_000
                yield task

    outcomes, _ = play(Slow(pieces(["1", "2", "3"], 1)))
    assert len(outcomes) == 3


def test_nothing_to_do_starts_nobody(play) -> None:
    outcomes, ray = play([])
    assert (outcomes, ray.actors) == ([], [])
