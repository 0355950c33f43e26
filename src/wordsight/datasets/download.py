"""Fetches a data set from where its authors publish it; only when asked to, and only what its checksum confirms."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TypeAlias

from wordsight.errors import BadInput, DatasetNotFound

BytesProgress: TypeAlias = Callable[[int, int | None], None]
"""Told the bytes that are there and their number, ``None`` where the server does not say."""

_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True, slots=True)
class Archive:
    """A file to fetch: where it is published, its checksum ("sha256:..." or "md5:..."), and an archive inside it."""

    url: str
    checksum: str
    inside: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return PurePosixPath(self.url).name


_KRIZ = "https://www.cs.toronto.edu/~kriz"
_VOC = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007"
# The authors publish no checksums: these are those that torchvision and Keras hold.
_CIFAR10 = Archive(
    f"{_KRIZ}/cifar-10-python.tar.gz", "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
)
_CIFAR100 = Archive(
    f"{_KRIZ}/cifar-100-python.tar.gz", "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
)
_VOC_TEST = Archive(
    f"{_VOC}/VOCtest_06-Nov-2007.tar", "sha256:6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892"
)
_VOC_TRAINVAL = Archive(
    f"{_VOC}/VOCtrainval_06-Nov-2007.tar", "sha256:7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508"
)
_CALTECH = Archive(
    "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
    "md5:3138e1922a9193bfa496528edbbc45d0",
    inside="101_ObjectCategories.tar.gz",
)
ARCHIVES: Mapping[str, Archive] = MappingProxyType(
    {
        "cifar10": _CIFAR10,
        "cifar100": _CIFAR100,
        "cifar100-coarse": _CIFAR100,
        "voc2007": _VOC_TEST,
        "caltech101": _CALTECH,
    }
)
"""Task -> the archive of its test part; ``archive_of`` knows the others."""


def archive_of(task: str, split: str | None = None) -> Archive:
    """Return what holds the ``split`` of ``task``; raises ``BadInput`` for data that cannot simply be fetched."""
    if task not in ARCHIVES:
        raise BadInput(
            f"{task} has no source that can be fetched without asking its authors; there are {', '.join(ARCHIVES)}"
        )
    return _VOC_TRAINVAL if task == "voc2007" and split not in (None, "test") else ARCHIVES[task]


def fetch(archive: Archive, root: Path, *, mirror: str | None = None, progress: BytesProgress | None = None) -> None:
    """Fetch ``archive`` and unpack it into ``root``, which is made where it is not there.

    ``mirror``: the address of a folder that holds the file under the same name. A download that was cut off is
    continued. Nothing is unpacked whose checksum differs, and no member is written outside ``root``. Raises
    ``DatasetNotFound`` where there is no connection or the file is another one; it says what to do by hand.
    """
    url = archive.url if mirror is None else f"{mirror.rstrip('/')}/{archive.name}"
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"expected the address of a mirror that starts with http:// or https://, got {mirror!r}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = root / archive.name
        if not file.is_file() or not _is_right(file, archive.checksum):
            _fetch_file(url, file, archive.checksum, progress)
        _unpack(file, archive, root)
        file.unlink()
    except (OSError, EOFError, HTTPException, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DatasetNotFound(
            f"{url} could not be fetched into {root}: {error}\nWithout a connection, fetch it on another computer "
            f"and put {archive.name} into {root}; it will be checked and unpacked from there"
        ) from error


def _fetch_file(url: str, file: Path, checksum: str, progress: BytesProgress | None) -> None:
    part = file.with_name(file.name + ".part")
    there = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "wordsight"})  # noqa: S310  # its scheme was checked
    if there:
        request.add_header("Range", f"bytes={there}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != 416:  # all of it is there
            raise
    else:
        with answer, part.open("ab" if answer.status == 206 else "wb") as out:
            length = answer.headers.get("Content-Length")
            done = out.tell()
            total = done + int(length) if length else None
            while chunk := answer.read(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if total is not None and done < total:
            raise OSError(f"the connection ended after {done:,} of {total:,} bytes; the next try continues there")
    if not _is_right(part, checksum):
        part.unlink()
        raise OSError("its checksum is not the one known, so it was thrown away")
    part.replace(file)


def _is_right(file: Path, checksum: str) -> bool:
    kind, _, expected = checksum.partition(":")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest() == expected


def _unpack(file: Path, archive: Archive, root: Path) -> None:
    if archive.inside is None:
        with tarfile.open(file) as tar:
            tar.extractall(root, filter="data")
        return
    with zipfile.ZipFile(file) as outer, tempfile.TemporaryDirectory(dir=root) as folder:
        member = next((name for name in outer.namelist() if PurePosixPath(name).name == archive.inside), None)
        if member is None:
            raise OSError(f"there is no {archive.inside} in it")
        inner = Path(folder) / archive.inside
        with outer.open(member) as source, inner.open("wb") as out:
            shutil.copyfileobj(source, out, _CHUNK)
        with tarfile.open(inner) as tar:
            tar.extractall(root, filter="data")
