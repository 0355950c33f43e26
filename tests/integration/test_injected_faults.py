"""Power cuts, failing writes, jumping clocks and more, in short; `make faults` runs the long versions."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from faults import journal, scenarios

linux = pytest.mark.skipif(sys.platform != "linux", reason="the shim is written for Linux")
compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="the shim needs a C compiler (cc)")


@linux
@compiler
@pytest.mark.parametrize("name", scenarios.SHORT)
def test_a_fault(name: str) -> None:
    numbers = scenarios.run(scenarios.SHORT[name])
    assert all(numbers.values()), numbers


def step(kind: str, number: int = 3, offset: int = 0, path: str = "", data: bytes = b"") -> journal.Step:
    return journal.Step(kind, number, offset, path, data)


def files(place: Path) -> dict[str, bytes]:
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}


def test_a_disk_keeps_only_what_was_synced(tmp_path: Path) -> None:
    """By hand: a file that was synced, but not its entry in the folder; then that, too; then more is written."""
    root = tmp_path / "root"
    root.mkdir()
    disk = journal.Disk(root)
    name = str(root / "a")
    for each in (step("o", 3, 1, name), step("w", 3, 0, "", b"one"), step("s", 3)):
        disk.do(each)
    disk.write(tmp_path / "no entry")
    assert files(tmp_path / "no entry") == {}
    for each in (step("o", 4, 0, str(root)), step("s", 4), step("w", 3, 1, "", b"X"), step("w", 3, 5, "", b"Y")):
        disk.do(each)
    disk.write(tmp_path / "sure")
    disk.write(tmp_path / "all", keep=1.0)
    assert files(tmp_path / "sure") == {"a": b"one"}
    assert files(tmp_path / "all") == {"a": b"oXe\0\0Y"}
    seen = set()
    for seed in range(20):
        disk.write(tmp_path / f"some {seed}", random.Random(seed), keep=0.5)
        seen.add(files(tmp_path / f"some {seed}")["a"])
    assert seen == {b"one", b"oXe", b"one\0\0Y", b"oXe\0\0Y"}


def test_renames_and_removals_wait_for_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    disk = journal.Disk(root)
    made = [step("o", 3, 1, str(root / "a")), step("w", 3, 0, "", b"x"), step("s", 3), step("o", 4, 0, str(root))]
    for each in (*made, step("s", 4), step("r", 0, 0, str(root / "a"), str(root / "b").encode())):
        disk.do(each)
    disk.write(tmp_path / "before")
    disk.do(step("s", 4))
    disk.do(step("u", 0, 0, str(root / "b")))
    disk.write(tmp_path / "after")
    disk.write(tmp_path / "removed", keep=1.0)
    assert files(tmp_path / "before") == {"a": b"x"}
    assert files(tmp_path / "after") == {"b": b"x"}
    assert files(tmp_path / "removed") == {}
