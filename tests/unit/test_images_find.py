"""Walking a folder of photos."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from wordsight.errors import BadInput
from wordsight.images import SUFFIXES, FileStat, Folder, walk

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
needs_modes = pytest.mark.skipif(
    sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="needs a user whom file permissions bind (not root, not Windows)",
)


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def listing(root: Path) -> dict[str, list[str]]:
    return {folder.path.relative_to(root).as_posix(): [f.name for f in folder.files] for folder in walk(root)}


def test_lists_candidates_of_every_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "z/deep/er.heic", "c d/x.NEF", "movie.mpg", "paper.pdf", "noext"):
        touch(tmp_path / name)
    (tmp_path / "empty").mkdir()
    folders = list(walk(tmp_path))
    assert [f.path.relative_to(tmp_path).as_posix() for f in folders] == [".", "c d", "empty", "z", "z/deep"]
    assert listing(tmp_path) == {".": ["a.png", "b.JPG"], "c d": ["x.NEF"], "empty": [], "z": [], "z/deep": ["er.heic"]}
    assert all(folder.problem is None for folder in folders)


def test_reports_size_and_time(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.jpg", b"12345")
    os.utime(file, ns=(1, 1_600_000_000_123_456_000))
    assert list(walk(tmp_path)) == [
        Folder(tmp_path, (FileStat("a.jpg", 5, file.stat().st_mtime_ns),), None),
    ]


def test_skips_hidden_and_system_folders(tmp_path: Path) -> None:
    for name in (
        ".hidden/a.jpg", "@eaDir/a.jpg", "$RECYCLE.BIN/a.jpg", "System Volume Information/a.jpg", "__MACOSX/a.jpg",
        "lost+found/a.jpg", ".Trash-1000/a.jpg", "._a.jpg", "keep/a.jpg", "keep/@EADIR/a.jpg",
    ):  # fmt: skip
        touch(tmp_path / name)
    assert listing(tmp_path) == {".": [], "keep": ["a.jpg"]}


def test_the_root_itself_may_be_hidden(tmp_path: Path) -> None:
    touch(tmp_path / ".photos" / "a.jpg")
    assert listing(tmp_path / ".photos") == {".": ["a.jpg"]}


@needs_links
def test_links_to_folders_outside_are_followed_once(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(outside / "sub" / "a.jpg")
    root.mkdir()
    (root / "one").symlink_to(outside)
    (root / "two").symlink_to(outside)
    (outside / "back").symlink_to(root)
    assert listing(root) == {".": [], "one": [], "one/sub": ["a.jpg"]}


@needs_links
def test_loops_end_and_folders_keep_their_own_name(tmp_path: Path) -> None:
    touch(tmp_path / "z" / "a.jpg")
    (tmp_path / "z" / "loop").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to(tmp_path / "z")  # sorts first, but z is reached anyway
    (tmp_path / "me").symlink_to("me")
    assert listing(tmp_path) == {".": [], "z": ["a.jpg"]}


@needs_links
def test_a_link_into_a_hidden_folder_is_meant(tmp_path: Path) -> None:
    touch(tmp_path / ".store" / "a.jpg")
    (tmp_path / "shown").symlink_to(tmp_path / ".store")
    assert listing(tmp_path) == {".": [], "shown": ["a.jpg"]}


@needs_links
def test_links_to_files_count_as_files(tmp_path: Path) -> None:
    touch(tmp_path / "other" / "long", b"123456")
    (tmp_path / "a.jpg").symlink_to(tmp_path / "other" / "long")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (folder, _) = walk(tmp_path)
    assert [(file.name, file.size) for file in folder.files] == [("a.jpg", 6)]
    assert folder.problem is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_folders_are_not_pictures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "album.jpg").mkdir()
    assert listing(tmp_path) == {".": [], "album.jpg": []}


@needs_modes
def test_an_unreadable_folder_is_told_not_raised(tmp_path: Path) -> None:
    locked = touch(tmp_path / "locked" / "a.jpg").parent
    touch(tmp_path / "open" / "b.jpg")
    locked.chmod(0)
    try:
        found = {folder.path.name: folder for folder in walk(tmp_path)}
    finally:
        locked.chmod(0o700)
    assert found["locked"] == Folder(locked, (), "permission denied")
    assert [file.name for file in found["open"].files] == ["b.jpg"]


def test_problems_of_listing_become_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "gone").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("bad"):
            raise PermissionError(13, "Permission denied", path)
        if path.endswith("gone"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [(f.path.name, f.problem) for f in walk(tmp_path)][1:] == [("bad", "permission denied")]


def test_folders_that_vanish_during_the_walk_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "a.jpg")
    (tmp_path / "b").mkdir()
    walking = walk(tmp_path)
    next(walking)
    (tmp_path / "b").rmdir()
    assert [folder.path.name for folder in walking] == ["a"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the file system takes only Unicode names")
def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    touch(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    (tmp_path / os.fsdecode(b"\xff\xfe")).mkdir()
    touch(tmp_path / "line\nbreak.jpg")
    first, second = walk(tmp_path)
    assert [os.fsencode(file.name) for file in first.files] == [b"caf\xe9.jpg", b"line\nbreak.jpg"]
    assert os.fsencode(second.path.name) == b"\xff\xfe"


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.jpg")
    with pytest.raises(BadInput, match="expected a folder of pictures, but there is a file at"):
        walk(file)
    with pytest.raises(BadInput, match="there is nothing at"):
        walk(tmp_path / "nowhere")


def test_suffixes_follow_pillow() -> None:
    """A suffix that a new Pillow can read is either taken or left out on purpose."""
    left_out = {
        ".bufr", ".grib", ".h5", ".hdf", ".iim", ".im", ".eps", ".ps", ".emf", ".wmf", ".mpg", ".mpeg", ".flc", ".fli",
    }  # fmt: skip
    Image.init()
    readable = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    assert readable - SUFFIXES <= left_out
    assert not left_out & SUFFIXES
    assert {".jpg", ".heic", ".avif", ".cr3", ".dng", ".webp"} <= SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def test_is_fast_enough(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number}.jpg").touch()
    seconds = min(timed_walk(tmp_path) for _ in range(3))
    assert 2000 / seconds > 10_000  # 200,000 a second on a quiet machine; a loaded one must still pass


def timed_walk(root: Path) -> float:
    start = time.perf_counter()
    assert sum(len(folder.files) for folder in walk(root)) == 2000
    return time.perf_counter() - start
