"""The faults of the embedded catalogue. A scenario returns numbers for the results file, or raises: a check failed."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from faults import checks, journal
from faults.checks import Calm, start
from wordsight.errors import CatalogueBusy
from wordsight.library import Library
from wordsight.library.catalogue import DATABASE
from wordsight.testing import ColourEncoder

Numbers = dict[str, Any]
STEPS = ("sync", "fold", "change", "sync", "fold")
_UNSURE = (0.0, 0.2, 0.5, 0.8, 1.0)


def power_loss(work: Path, *, disks: int, seed: int = 1) -> Numbers:
    """Record one run with all its writes and syncs, then make disks that lost power at random instants of it."""
    photos = checks.make_photos(work / "photos")
    place, log = work / "catalogue", work / "log"
    place.mkdir()
    shim = journal.build(work)
    environment = {"LD_PRELOAD": str(shim), "SHIM_ROOT": str(place), "SHIM_LOG": str(log)}
    _expect(start(photos, place, *STEPS, environment=environment), 0)
    taken = journal.steps(log)
    complete = _replayed(place, taken, len(taken))
    complete.write(work / "complete", keep=1.0)
    _same_files(place, work / "complete")  # before anybody opens the catalogue
    calm = Calm(photos, work / "calm")
    calm.equals(place)
    rng, seen = random.Random(seed), Counter[str]()
    # The first index file is written when the first sync is done.
    indexed = next(place for place, step in enumerate(taken) if step.kind == "m" and step.path.endswith("index"))
    for number in range(disks):
        at, keep = _instant(taken, rng), rng.choice(_UNSURE)
        lost = work / f"disk {number}"
        _replayed(place, taken, at).write(lost, rng, keep=keep)
        found = checks.check_sound(lost)
        assert at <= indexed or (found or 0) >= checks.PICTURES, "a sync was done, and is lost"
        seen["no catalogue yet" if found is None else "all files" if found >= checks.PICTURES else "some files"] += 1
        calm.check(lost)
        shutil.rmtree(lost)
    kinds = Counter(step.kind for step in taken)
    recorded = {"writes": kinds["w"], "syncs": kinds["s"], "renames and removals": kinds["r"] + kinds["u"]}
    return {"disks": disks, "recorded": recorded, "what was left": dict(sorted(seen.items()))}


def _instant(taken: list[journal.Step], rng: random.Random) -> int:
    """Return how many steps were done: half the time any number, else until just before or after a sync."""
    if rng.random() < 0.5:
        return rng.randrange(len(taken) + 1)
    syncs = [place for place, step in enumerate(taken) if step.kind == "s"]
    return rng.choice(syncs) + rng.randrange(2)


def _replayed(root: Path, taken: list[journal.Step], until: int) -> journal.Disk:
    disk = journal.Disk(root)
    for step in taken[:until]:
        disk.do(step)
    return disk


def _same_files(real: Path, made: Path) -> None:
    """Check that the log missed nothing; SQLite's shared memory is none of the disk's business."""
    files = {
        root: {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file() and not file.name.endswith("-shm")
        }
        for root in (real, made)
    }
    differing = sorted(files[real].keys() ^ files[made].keys())
    assert not differing, f"the log is wrong about {differing}"
    assert files[real] == files[made], "the log misses writes"


def failing_calls(work: Path, *, runs: int, seed: int = 2) -> Numbers:
    """Let writes and syncs fail from some call on, once or for good: disk full, or a broken disk."""
    shim = journal.build(work)
    pristine = checks.make_photos(work / "photos")
    rng, ended = random.Random(seed), Counter[str]()
    faults = (
        ("write", errno.ENOSPC, 10**9),
        ("write", errno.EIO, 1),
        ("sync", errno.EIO, 1),
        ("sync", errno.EIO, 10**9),
    )
    for number in range(runs):
        kind, error, times = faults[number % len(faults)]
        photos, place = work / f"photos {number}", work / f"catalogue {number}"
        shutil.copytree(pristine, photos)
        place.mkdir()
        first = rng.randrange(1, 400) if kind == "write" else rng.randrange(1, 40)
        fail = f"{kind}:{first}:{error}:{times}"
        child = start(
            photos, place, *STEPS, environment={"LD_PRELOAD": str(shim), "SHIM_ROOT": str(place), "SHIM_FAIL": fail}
        )
        said = child.communicate(timeout=3_600)[1]
        assert child.returncode in (0, 3), f"{fail}: {said}"
        assert child.returncode == 0 or said.startswith(("CatalogueError", "CatalogueBusy")), said
        ended[f"{errno.errorcode[error]} of {kind}: {'told' if child.returncode else 'survived'}"] += 1
        Calm(photos, work / f"calm {number}").check(place)
        for folder in (photos, place, work / f"calm {number}"):
            shutil.rmtree(folder)
    return {"runs": runs, "ended": dict(sorted(ended.items()))}


def kills(work: Path, *, count: int, seed: int = 3) -> Numbers:
    """Kill runs at random instants; each is continued until all is done, and the next begins anew."""
    rng, killed, rounds = random.Random(seed), 0, 0
    pristine = checks.make_photos(work / "photos")
    while killed < count:
        rounds += 1
        photos, place = work / f"photos {rounds}", work / f"catalogue {rounds}"
        shutil.copytree(pristine, photos)
        before, steps = 0, ("sync", "fold")
        while True:
            child = start(photos, place, *steps)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.35 + rng.random() * 0.8 if killed < count else None)
            child.send_signal(signal.SIGKILL)
            said = child.communicate()[1]
            if child.returncode == 0:
                break
            assert child.returncode == -signal.SIGKILL, said
            killed += 1
            found = (checks.check_sound(place) or 0) if (place / DATABASE).exists() else 0
            assert found >= before, "a file that was recorded is lost"
            before = found
        Calm(photos, work / f"calm {rounds}").check(place)
    return {"kills": killed, "complete runs": rounds}


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of that size in memory; raises ``PermissionError`` where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=False)
    if done.returncode:
        raise PermissionError("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def full_disk(work: Path, *, sizes: int, first: int, of: int) -> Numbers:
    """Index onto disks that are too small, then make room; these are the ``sizes`` from the ``first`` on ``of`` all."""
    photos, told = checks.make_photos(work / "photos"), 0
    calm = Calm(photos, work / "calm")
    for number in range(first, first + sizes):
        with small_disk(work / f"disk {number}", 2_000) as disk:
            ballast = disk / "ballast"
            ballast.write_bytes(bytes((2_000 - 8 - 600 * number // of) * 1024))
            child = start(photos, disk / "catalogue", "sync", "fold")
            said = child.communicate(timeout=3_600)[1]
            assert child.returncode in (0, 3), said
            told += child.returncode == 3
            ballast.unlink()
            calm.check(disk / "catalogue")
    return {"disks": sizes, "too small": told}


def read_only(work: Path) -> Numbers:
    """Search a catalogue on a disk that cannot be written; a sync says so, and nothing has changed afterwards."""
    photos = checks.make_photos(work / "photos")
    calm = Calm(photos, work / "calm")
    with small_disk(work / "disk", 20_000) as disk:
        place = disk / "catalogue"
        _expect(start(photos, place, "sync", "fold"), 0)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        try:
            calm.equals(place)
            child = start(photos, place, "sync")
            said = child.communicate(timeout=3_600)[1]
            assert child.returncode == 3, said
            assert "CatalogueError" in said
        finally:
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        calm.check(place)
    return {"searched read-only": True, "a sync was refused": True}


def clock_jumps(work: Path, *, runs: int) -> Numbers:
    """Sync while the calendar jumps by decades at each look, over files with times from 1901 to 2242."""
    shim = journal.build(work)
    times = (-(2**31), 0, 1, 2**31 - 1, 2**31, 2**32, 2**33)
    for number in range(runs):
        photos, place = work / f"photos {number}", work / f"catalogue {number}"
        checks.make_photos(photos)
        for i, file in enumerate(sorted(photos.rglob("*.png"))):
            os.utime(file, (times[i % len(times)],) * 2)
        environment = {"LD_PRELOAD": str(shim), "SHIM_ROOT": str(work), "SHIM_CLOCK": "30"}
        _expect(start(photos, place, *STEPS, environment=environment), 0)
        Calm(photos, work / f"calm {number}").check(place)
        with Library(ColourEncoder(), place) as library:
            again = library.sync(photos)
        assert again.encoded == again.added == again.removed == 0, "a jump of the clock made files look new"
    return {"runs": runs}


def rivals(work: Path, *, rounds: int, writers: int = 3) -> Numbers:
    """Start several syncs of one catalogue at once: one works, the others are told, and nothing is doubled."""
    photos, told = checks.make_photos(work / "photos"), 0
    calm = Calm(photos, work / "calm")
    for number in range(rounds):
        place = work / f"catalogue {number}"
        children = [start(photos, place, "sync", "fold") for _ in range(writers)]
        for child in children:
            said = child.communicate(timeout=3_600)[1]
            assert child.returncode in (0, 3), said
            assert child.returncode == 0 or said.startswith(CatalogueBusy.__name__), said
            told += child.returncode == 3
        assert any(child.returncode == 0 for child in children), "all gave way"
        calm.check(place)
    return {"rounds": rounds, "writers": writers, "told to wait": told}


def renames(work: Path, *, files: int) -> Numbers:
    """Rename every file and folder of a large collection: nothing is encoded again, all is found in its new place."""
    photos = checks.make_photos(work / "photos", files, suffix="bmp")
    place = work / "catalogue"
    with Library(ColourEncoder(), place) as library:
        encoded = library.sync(photos).encoded
        for folder in sorted(photos.iterdir()):
            for file in list(folder.iterdir()):
                file.rename(file.with_name(f"new-{file.name}"))
            folder.rename(folder.with_name(f"place-{folder.name}"))
        begun = time.monotonic()
        report = library.sync(photos)
        seconds = time.monotonic() - begun
    assert (report.moved, report.encoded, report.added, report.removed) == (files, 0, 0, 0), report
    Calm(photos, work / "calm").check(place)
    return {
        "files": files,
        "encoded first": encoded,
        "moved": report.moved,
        "seconds of the second sync": round(seconds, 1),
    }


def _expect(child: subprocess.Popen[str], status: int) -> None:
    said = child.communicate(timeout=3_600)[1]
    assert child.returncode == status, said


SHORT: dict[str, Callable[[Path], Numbers]] = {
    "power loss": lambda work: power_loss(work, disks=12),
    "failing writes and syncs": lambda work: failing_calls(work, runs=4),
    "clock jumps": lambda work: clock_jumps(work, runs=1),
    "two syncs at once": lambda work: rivals(work, rounds=1),
    "files renamed": lambda work: renames(work, files=1_000),
}
"""What the fast tests run, besides the kills, full disks and read-only media of tests/integration."""

LONG: dict[str, tuple[int, Callable[..., Numbers]]] = {
    "killed at random instants": (20, lambda work, part: kills(work, count=10, seed=part)),
    "power loss": (20, lambda work, part: power_loss(work, disks=20, seed=part)),
    "failing writes and syncs": (20, lambda work, part: failing_calls(work, runs=6, seed=part)),
    "disk full": (6, lambda work, part: full_disk(work, sizes=4, first=4 * part, of=24)),
    "read-only disk": (1, lambda work, **_: read_only(work)),
    "clock jumps": (5, lambda work, **_: clock_jumps(work, runs=1)),
    "three syncs at once": (10, lambda work, **_: rivals(work, rounds=2)),
    "100,000 files renamed": (1, lambda work, **_: renames(work, files=100_000)),
}
"""The long versions, each in parts that can run one at a time, so that a run that was stopped can go on."""


def run(scenario: Callable[[Path], Numbers]) -> Numbers:
    """Run a scenario in a folder of its own; raises ``AssertionError`` or ``CatalogueError`` when it has failed."""
    with tempfile.TemporaryDirectory(prefix="wordsight-faults-", ignore_cleanup_errors=True) as folder:
        return scenario(Path(folder))
