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
