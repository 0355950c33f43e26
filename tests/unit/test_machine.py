"""What a container may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from wordsight.machine import cores, write_whole


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "1000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    ],
)
def test_a_containers_quota_counts(files: dict[str, str], most: int, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cores(tmp_path) == min(most, cores(tmp_path / "none"))


@pytest.mark.parametrize(
    ("line", "file", "content"),
    [
        ("0::/user.slice/job", "user.slice/cpu.max", "100000 100000"),  # its parent's quota holds for it, too
        ("0::/user.slice/job", "user.slice/job/cpu.max", "100000 100000"),
        ("4:memory:/x\n1:cpu,cpuacct:/job", "cpu/job/cpu.cfs_quota_us", "100000"),
    ],
)
def test_a_group_within_the_system_counts(line: str, file: str, content: str, tmp_path: Path) -> None:
    own, quota = tmp_path / "own", tmp_path / "cgroup" / file
    own.write_text(line + "\n")
    quota.parent.mkdir(parents=True)
    quota.write_text(content)
    quota.with_name("cpu.cfs_period_us").write_text("100000")
    assert cores(tmp_path / "cgroup", own) == 1
    own.write_text("0::/another\n1:cpu,cpuacct:/another\n")
    assert cores(tmp_path / "cgroup", own) == cores(tmp_path / "none", tmp_path / "none")


def test_no_quota_or_a_strange_one(tmp_path: Path) -> None:
    without = cores(tmp_path)
    for content in ("max 100000", "", "a b"):
        (tmp_path / "cpu.max").write_text(content)
        assert cores(tmp_path) == without
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cores(tmp_path) == without


def test_a_file_is_whole_or_as_before(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "f", b"one")
    (tmp_path / "g").mkdir()
    with pytest.raises(OSError, match="g"):
        write_whole(tmp_path / "g", b"two")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "g"]
