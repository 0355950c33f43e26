"""Fetching data sets, from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wordsight.cli.app import build
from wordsight.datasets import load_task
from wordsight.datasets.download import ARCHIVES, Archive, archive_of, fetch
from wordsight.errors import BadInput, DatasetNotFound
from wordsight.testing import colour_image


class Server:
    """Serves ``files`` by name; ``cut`` ends the next answer after that many bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: int | None = None
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                server.asked.append((self.path, wanted))
                content = server.files.get(self.path.rpartition("/")[2])
                if content is None:
                    self.send_error(404)
                    return
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
                if start and start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                end = len(content) if server.cut is None else server.cut
                server.cut = None
                self.wfile.write(content[start:end])

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/mirror"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def packed(mode: str, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def png() -> bytes:
    buffer = io.BytesIO()
    colour_image("red").save(buffer, "PNG")
    return buffer.getvalue()


def cifar10() -> bytes:
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [3, 5]}
    return packed("w:gz", **{"cifar-10-batches-py/test_batch": pickle.dumps(batch)})


def caltech101() -> bytes:
    inner = packed("w:gz", **{"101_ObjectCategories/ant/image_0001.png": png()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as outer:
        outer.writestr("caltech-101/Annotations.tar", b"not needed")
        outer.writestr("caltech-101/101_ObjectCategories.tar.gz", inner)
    return buffer.getvalue()


def voc2007() -> bytes:
    base = "VOCdevkit/VOC2007/"
    return packed("w", **{f"{base}ImageSets/Main/dog_test.txt": b"000001 1\n", f"{base}JPEGImages/000001.jpg": png()})


def served(server: Server, task: str, content: bytes) -> Archive:
    """Return the archive of ``task`` with the checksum of ``content``, which the server has under its name."""
    archive = archive_of(task)
    server.files[archive.name] = content
    kind = archive.checksum.partition(":")[0]
    return replace(archive, checksum=f"{kind}:{hashlib.new(kind, content).hexdigest()}")


@pytest.mark.parametrize(
    ("task", "content", "split", "images"),
    [("cifar10", cifar10, None, 2), ("caltech101", caltech101, "all", 1), ("voc2007", voc2007, None, 1)],
)
def test_what_was_fetched_is_read(server: Server, tmp_path: Path, task: str, content, split, images: int) -> None:
    archive, root, told = served(server, task, content()), tmp_path / "new" / task, []
    fetch(archive, root, mirror=server.address, progress=lambda *each: told.append(each))
    loaded = load_task(task, root, split)
    assert len(loaded.images) == images
    assert loaded.images[0].load(None).size == (32, 32)
    assert server.asked == [(f"/mirror/{archive.name}", None)]
    assert told[-1] == (len(server.files[archive.name]),) * 2
    assert not list(root.glob("*.tar*")) + list(root.glob("*.zip*")) + list(root.glob("tmp*"))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_was_cut_off_is_continued(server: Server, tmp_path: Path, ranges: bool) -> None:
    archive = served(server, "cifar10", cifar10())
    server.cut, server.ranges = 100, ranges
    with pytest.raises(DatasetNotFound, match="connection ended after 100 of"):
        fetch(archive, tmp_path, mirror=server.address)
    assert (tmp_path / f"{archive.name}.part").stat().st_size == 100
    fetch(archive, tmp_path, mirror=server.address)
    assert server.asked[1][1] == "bytes=100-"
    assert len(load_task("cifar10", tmp_path).images) == 2


def test_a_complete_part_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    archive = served(server, "cifar10", cifar10())
    (tmp_path / f"{archive.name}.part").write_bytes(server.files[archive.name])
    fetch(archive, tmp_path, mirror=server.address)
    assert len(server.asked) == 1
    assert len(load_task("cifar10", tmp_path).images) == 2


def test_another_file_than_the_known_one_is_thrown_away(server: Server, tmp_path: Path) -> None:
    archive = archive_of("cifar10")
    server.files[archive.name] = cifar10()
    with pytest.raises(DatasetNotFound, match="checksum is not the one known"):
        fetch(archive, tmp_path, mirror=server.address)
    assert list(tmp_path.iterdir()) == []


def test_a_file_put_there_by_hand_is_checked_and_unpacked(server: Server, tmp_path: Path) -> None:
    archive = served(server, "cifar10", cifar10())
    (tmp_path / archive.name).write_bytes(server.files[archive.name])
    fetch(archive, tmp_path, mirror=server.address)
    assert server.asked == []
    assert len(load_task("cifar10", tmp_path).images) == 2


def test_without_a_connection_it_says_what_to_do(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound) as caught:
        fetch(archive_of("cifar100"), tmp_path, mirror="http://127.0.0.1:9")
    assert "fetch it on another computer and put cifar-100-python.tar.gz into" in str(caught.value)
    with pytest.raises(DatasetNotFound, match="404"):
        fetch(archive_of("cifar100"), tmp_path, mirror=server.address)


def test_no_member_leaves_the_folder(server: Server, tmp_path: Path) -> None:
    archive = served(server, "cifar10", packed("w:gz", **{"../outside": b"x"}))
    with pytest.raises(DatasetNotFound, match="outside"):
        fetch(archive, tmp_path / "root", mirror=server.address)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("task", ["captions", "flickr30k", "folder", "coco"])
def test_what_needs_a_request_cannot_be_fetched(task: str) -> None:
    with pytest.raises(BadInput, match="without asking its authors"):
        archive_of(task)


def test_mirrors_are_web_addresses(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="starts with http"):
        fetch(archive_of("cifar10"), tmp_path, mirror="file:///etc")


def test_the_parts_of_voc_are_archives_of_their_own() -> None:
    assert archive_of("voc2007").name == "VOCtest_06-Nov-2007.tar"
    assert archive_of("voc2007", "trainval").name == "VOCtrainval_06-Nov-2007.tar"
    assert all(archive.checksum.partition(":")[0] in ("sha256", "md5") for archive in ARCHIVES.values())


def test_the_command_fetches_only_when_asked(server: Server, tmp_path: Path, monkeypatch) -> None:
    archive = served(server, "cifar10", cifar10())
    monkeypatch.setattr("wordsight.datasets.download.ARCHIVES", {"cifar10": archive})
    words = ["evaluate", "--task", "cifar10", "--root", str(tmp_path / "new"), "--encoder", "colours", "--json"]
    outcome = CliRunner().invoke(build(words), words)
    assert isinstance(outcome.exception, DatasetNotFound)
    assert server.asked == []
    monkeypatch.setenv("WORDSIGHT_MIRROR", server.address)
    for _ in range(2):  # the second time it is there
        outcome = CliRunner().invoke(build(words), [*words, "--download"], catch_exceptions=False)
        assert json.loads(outcome.stdout)["n_images"] == 2
    assert len(server.asked) == 1
