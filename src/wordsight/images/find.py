"""Walk a folder of photos: which files may be pictures, without opening any of them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wordsight.errors import BadInput

PILLOW_SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".ftc",
        ".ftu", ".gbr", ".gif", ".icb", ".icns", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg",
        ".jpf", ".jpg", ".jpx", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd",
        ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm",
        ".xpm",
    }
)  # fmt: skip
"""What Pillow reads, less its vector (EPS, WMF), video (MPEG, FLI) and scientific container formats. Listed here
rather than asked of Pillow because asking imports all forty plug-ins; a test compares the two."""

HEIF_SUFFIXES = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
RAW_SUFFIXES = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
        ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
    }
)  # fmt: skip
SUFFIXES = PILLOW_SUFFIXES | HEIF_SUFFIXES | RAW_SUFFIXES
"""Lower-case suffixes of the files ``walk`` reports. Only a first sieve: decoding goes by content."""

_SYSTEM_FOLDERS = frozenset(
    {
        "$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx",
        "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb",
    }
)  # fmt: skip
"""Waste baskets, snapshots and thumbnail stores of desktops, cameras' cards and network disks, in lower case."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})
"""What the system says about an entry that vanished, or about a link that leads nowhere."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file that may be a picture: name in its folder, size in bytes, time of change in nanoseconds since 1970."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was listed: its candidates by name; ``problem`` says why ``files`` may be incomplete."""

    path: Path
    files: tuple[FileStat, ...]
    problem: str | None


def walk(root: Path) -> Iterator[Folder]:
    """Yield every folder at and below ``root``, depth first, names sorted; no file is opened.

    Hidden (``.name``) and system folders and hidden files are left out; ``root`` itself may be hidden. A link to a file
    is a file. A link to a folder is followed, as people keep photos on other disks that way, unless the folder is
    reached anyway because it lies below ``root``; no folder is listed twice, so loops end. Memory grows with the number
    of folders (their identities), not with the number of files.

    A folder that cannot be listed comes with ``problem`` set. What vanishes during the walk is left out.
    Raises ``BadInput`` at once when ``root`` is not a folder.
    """
    if not root.is_dir():
        came = "a file" if root.exists() else "nothing"
        raise BadInput(f"expected a folder of pictures, but there is {came} at {str(root)!r}; check the path")
    return _walk(str(root))


def _walk(root: str) -> Iterator[Folder]:
    real_root = os.path.realpath(root)
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if not _is_new(path, seen):
            continue
        try:
            listing = os.scandir(path)
        except OSError as error:
            if error.errno not in _GONE:
                yield Folder(Path(path), (), _said(error))
            continue
        with listing:
            files, folders, problem = _sort_out(listing, real_root)
        yield Folder(Path(path), tuple(files), problem)
        waiting.extend(sorted(folders, reverse=True))


def _is_new(path: str, seen: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116  # a path as text is half the work of a Path
    except OSError:
        return True  # listing it will say what is wrong
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _sort_out(listing: Iterator[os.DirEntry[str]], real_root: str) -> tuple[list[FileStat], list[str], str | None]:
    """Return the candidates sorted by name, the folders to visit, and the first problem met."""
    files: list[FileStat] = []
    folders: list[str] = []
    problem = None
    while True:
        try:
            entry = next(listing)
            name = entry.name
            if name[0] == ".":
                continue
            if entry.is_dir():
                if name.lower() not in _SYSTEM_FOLDERS and not _is_reached_anyway(entry, real_root):
                    folders.append(entry.path)
            elif os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122  # Path() would halve the speed
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    files.append(FileStat(name, status.st_size, status.st_mtime_ns))
        except StopIteration:
            break
        except OSError as error:
            if error.errno not in _GONE:
                problem = problem or _said(error)
                if error.filename is None:  # the listing itself broke off, not one entry
                    break
    files.sort(key=lambda file: file.name)
    return files, folders, problem


def _is_reached_anyway(entry: os.DirEntry[str], real_root: str) -> bool:
    """Tell whether a link leads to a folder that the walk meets under its own name."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    if target == real_root:
        return True
    inside = os.path.join(real_root, "")  # noqa: PTH118  # adds the separator, also for "/"
    if not target.startswith(inside):
        return False
    names = target[len(inside) :].split(os.sep)  # noqa: PTH206  # as above
    return not any(name.startswith(".") or name.lower() in _SYSTEM_FOLDERS for name in names)


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
