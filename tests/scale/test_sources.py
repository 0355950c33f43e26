"""Folders, shards, lists and URLs as pieces of work."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight.errors import BadInput, ImageError
from wordsight.scale.contents import Contents
from wordsight.scale.items import PIECE, Item, Known, Shard, Task
from wordsight.scale.job import fill
from wordsight.scale.runners import LocalRunner
from wordsight.scale.sources import Counter, expand, tasks
from wordsight.scale.store import Store
from wordsight.scale.work import Worker
from wordsight.testing import colour_image


def test_braces() -> None:
    assert list(expand("a{000..002}.tar")) == ["a000.tar", "a001.tar", "a002.tar"]
    assert list(expand("{a,b}/{8..10}")) == ["a/8", "a/9", "a/10", "b/8", "b/9", "b/10"]
    assert list(expand("plain")) == ["plain"]
    assert len(list(expand("{00000..00999}.tar"))) == 1000


def shard(file: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file


def png(*colours: str, size: int = 32) -> bytes:
    out = io.BytesIO()
    colour_image(*colours, size=size).save(out, "PNG")
    return out.getvalue()


def addresses(url: Path) -> list[str]:
    return sorted(record.address for batch in Store.open(str(url)).records() for record in batch)


def test_shards_are_read_in_pieces_that_begin_anywhere(tmp_path: Path, encoder) -> None:
    members = {f"{'deep/' * 40 if n % 7 == 0 else ''}{n:04}.png": png("red", "blue", size=20 + n) for n in range(150)}
    members |= {"0003.json": b"{}", "0004.txt": b"caption", ".hidden.png": b"x", "bad.jpg": b"no picture"}
    file = shard(tmp_path / "0.tar", members)
    task: Task | None = Shard(str(file))
    pieces = []
    while task is not None:
        done = Worker(encoder).work(task, Known.nothing())
        pieces.append(done.outcomes)
        task = done.rest
    assert [len(piece) for piece in pieces] == [PIECE, PIECE, 151 - 2 * PIECE]
    names = [one.item.address.removeprefix(f"{file}/") for piece in pieces for one in piece]
    assert sorted(names) == [
        name for name in sorted(members) if name.endswith((".png", ".jpg")) and not name.startswith(".")
    ]
    assert [one.item.address for piece in pieces for one in piece if one.problem] == [f"{file}/bad.jpg"]
    report = fill(str(tmp_path / "s"), [str(tmp_path / "{0..0}.tar")], encoder, LocalRunner(encoder, 2))
    assert (report.added, report.skipped) == (150, 1)
    assert fill(str(tmp_path / "s"), [str(file)], encoder, LocalRunner(encoder, 2)).added == 0
    assert len(addresses(tmp_path / "s")) == 150


def test_a_shard_that_breaks_off_gives_what_it_has_and_is_listed(tmp_path: Path, encoder) -> None:
    file = shard(tmp_path / "0.tar", {f"{n}.png": png("red", size=30 + n) for n in range(10)})
    with tarfile.open(file) as tar:
        seventh = tar.getmembers()[6]
    file.write_bytes(file.read_bytes()[: seventh.offset_data + 20])
    (tmp_path / "1.tar").write_bytes(b"no tar at all" * 100)
    report = fill(str(tmp_path / "s"), [str(tmp_path / "{0,1}.tar")], encoder, LocalRunner(encoder, 1))
    assert report.added == 6
    reasons = {Path(address).name: reason for address, _, reason, _ in Store.open(str(tmp_path / "s")).skipped()}
    assert reasons.keys() == {"0.tar", "1.tar"}
    assert all("damaged tar file" in reason for reason in reasons.values())


def test_blind_pieces_name_what_they_do_not_read(tmp_path: Path, encoder) -> None:
    file = shard(tmp_path / "0.tar", {f"{n}.png": png("red", size=30 + n) for n in range(3)})
    done = Worker(encoder).work(Shard(str(file), piece=1, blind=True), Known.nothing())
    assert [(one.item.address, one.problem) for one in done.outcomes] == [(f"{file}/0.png", "workers died reading it")]
    assert isinstance(done.rest, Shard)
    assert not done.rest.blind
    assert Worker(encoder).work(done.rest, Known.nothing()).outcomes[0].item.address == f"{file}/1.png"


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_lists_of_addresses(photos: Path, tmp_path: Path, encoder, kind: str) -> None:
    rows = ["photos/dated.jpg", str(photos / "a copy.png"), "photos/missing.jpg", "", "http://127.0.0.1:9/x.jpg"]
    file = tmp_path / f"list.{kind}"
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pyarrow.parquet.write_table(pa.table({"caption": ["c"] * 5, "url": rows}), file)
    else:
        separator = "," if kind == "csv" else "\t"
        file.write_text("\n".join([f"caption{separator}url", *(f"c{separator}{row}" for row in rows)]))
    items = [item for task in tasks([str(file)], Known.nothing()) for item in task]
    assert [Path(item.address).name for item in items] == ["dated.jpg", "a copy.png", "missing.jpg", "x.jpg"]
    report = fill(str(tmp_path / "s"), [str(file)], encoder, LocalRunner(encoder, 2))
    assert (report.added, report.skipped) == (2, 2)
    store = Store.open(str(tmp_path / "s"))
    assert {reader for *_, reader in store.skipped()} == {""}, "what may be there later is tried again"
    file.write_text("nothing\n1\n") if kind != "parquet" else file.write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="list"):
        list(tasks([str(file)], Known.nothing()))


@pytest.fixture
def plain_server(tmp_path: Path) -> Iterator[str]:
    """A server of the folder ``tmp_path/www`` that knows nothing of ranges."""
    (tmp_path / "www").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_servers_without_ranges(tmp_path: Path, encoder, plain_server: str) -> None:
    members = {f"deep/{n:04}.png": png("red", "blue", size=20 + n) for n in range(PIECE + 20)}
    shard(tmp_path / "www" / "0.tar", members)
    large = png("green") + bytes(3_000_000)  # comes in many parts
    (tmp_path / "www" / "one.png").write_bytes(large)
    (tmp_path / "www" / "list.csv").write_text("url\none.png\nnone.png\n")
    sources = [f"{plain_server}/0.tar", f"{plain_server}/list.csv"]
    report = fill(str(tmp_path / "s"), sources, encoder, LocalRunner(encoder, 2))
    assert (report.added, report.skipped) == (len(members) + 1, 1)
    store = Store.open(str(tmp_path / "s"))
    assert [reason for _, _, reason, _ in store.skipped()] == ["cannot be read: no such file"]
    contents = Contents()
    for record in reversed([record for batch in store.records() for record in batch]):
        want = members.get(record.address.removeprefix(f"{plain_server}/0.tar/"), large)
        assert contents.read(record.address, record.sha256, record.bytes) == want


def test_a_shard_that_was_written_anew_is_looked_through_again(tmp_path: Path) -> None:
    members = {f"{n}.png": png("red", size=20 + n) for n in range(4)}
    file = shard(tmp_path / "0.TAR", members)
    contents = Contents()

    def read(name: str) -> bytes:
        return contents.read(f"{file}/{name}", hashlib.sha256(members[name]).hexdigest(), len(members[name]))

    assert read("2.png") == members["2.png"]
    shard(file, dict(reversed(members.items())))
    assert [read(name) for name in members] == list(members.values())
    shard(file, {"2.png": members["1.png"]})
    with pytest.raises(ImageError, match=r"0\.TAR/2\.png': it is not what was indexed any more"):
        read("2.png")


def test_a_folder_may_be_called_tar(tmp_path: Path) -> None:
    import fsspec

    data = png("red")
    (tmp_path / "a.tar").mkdir()
    (tmp_path / "a.tar" / "red.png").write_bytes(data)
    fsspec.filesystem("memory").pipe("/odd/a.tar/red.png", data)
    for address in (str(tmp_path / "a.tar" / "red.png"), "memory://odd/a.tar/red.png"):
        assert Contents().read(address, hashlib.sha256(data).hexdigest(), len(data)) == data


def test_any_storage_that_fsspec_knows(tmp_path: Path, encoder) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for name in ("a/red.png", "a/deep/green.png", "a/notes.txt", "a/bad.jpg"):
        memory.pipe(f"/bucket/{name}", b"bad" if "bad" in name else png(Path(name).stem) if "png" in name else b"")
    memory.pipe("/bucket/0.tar", shard(tmp_path / "0.tar", {"x/blue.png": png("blue")}).read_bytes())
    memory.pipe("/bucket/list.csv", b"path\na/red.png\nmemory://bucket/a/deep/green.png\n")
    runner = LocalRunner(encoder, 2)
    url = "memory://bucket"
    report = fill(str(tmp_path / "s"), [f"{url}/a", f"{url}/0.tar"], encoder, runner)
    assert (report.added, report.skipped) == (3, 1)
    assert addresses(tmp_path / "s") == [f"{url}/0.tar/x/blue.png", f"{url}/a/deep/green.png", f"{url}/a/red.png"]
    again = fill(str(tmp_path / "s"), [f"{url}/a", f"{url}/0.tar"], encoder, runner)
    assert (again.added, again.skipped, again.unchanged) == (0, 0, 3)
    listed = fill(str(tmp_path / "t"), [f"{url}/list.csv", f"{url}/a/red.png"], encoder, runner)
    assert listed.added == 3
    assert len(addresses(tmp_path / "t")) == 2
    with pytest.raises(BadInput, match="nothing"):
        list(tasks(["memory://nowhere"], Known.nothing()))


def test_a_folder_that_cannot_be_listed_is_told(photos: Path, monkeypatch) -> None:
    from wordsight import images

    def walk(root: Path):
        yield images.Folder(root, (images.FileStat("x.jpg", 1, 2),), "permission denied")

    monkeypatch.setattr(images, "walk", walk)
    seen = Counter()
    assert list(tasks([str(photos)], Known.nothing(), seen)) == [(Item(str(photos / "x.jpg"), "1:2"),)]
    assert seen.problems == [f"{photos}: permission denied"]


def test_storages_that_fail_now_and_then_are_asked_again(monkeypatch) -> None:
    from wordsight.scale import storage

    monkeypatch.setattr(storage, "_WAIT", 0.001)
    calls: list[int] = []

    def act() -> bytes:
        calls.append(1)
        if len(calls) < storage.TRIES:
            raise TimeoutError("slow down")
        return b"here"

    assert storage.tried(act) == b"here"
    assert len(calls) == storage.TRIES
    calls[:] = []
    with pytest.raises(ImageError, match="cannot be read: gone"):
        storage.tried(lambda: (_ for _ in ()).throw(FileNotFoundError("gone")))
    with pytest.raises(ImageError, match="cannot be read: never"):
        storage.tried(lambda: (_ for _ in ()).throw(ConnectionError("never")))
