"""The catalogue on disk: versions, damage, read-only media, another program's files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from wordsight.errors import BadInput, CatalogueBusy, CatalogueError, CatalogueVersionError, EncoderMismatch
from wordsight.library import Catalogue, Library, schema
from wordsight.library.catalogue import DATABASE, below, storable
from wordsight.testing import ColourEncoder, colour_image


class OtherEncoder(ColourEncoder):
    name = "other"
    fingerprint = "other-1"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("red", "green", "blue"):
        colour_image(name).save(root / f"{name}.png")
    return root


@pytest.fixture
def place(tmp_path: Path, photos: Path) -> Path:
    with Library(ColourEncoder(), tmp_path / "catalogue") as library:
        library.sync(photos)
    return tmp_path / "catalogue"


def names(place: Path, text: str = "red", top: int = 9) -> list[str]:
    with Library(ColourEncoder(), place) as library:
        return [hit.path.name for hit in library.search(text, top=top).hits]


# --- versions


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_every_step_of_the_schema_is_one_version() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for version in range(1, schema.VERSION + 1):
            schema.migrate(connection, schema.MIGRATIONS[:version])
            assert schema.check(connection, version) == version
        schema.migrate(connection)  # nothing to do


def test_a_catalogue_of_version_1_is_migrated_and_keeps_its_data(tmp_path: Path, photos: Path) -> None:
    place = tmp_path / "old"
    place.mkdir()
    with closing(sqlite3.connect(place / DATABASE, isolation_level=None)) as connection:
        schema.migrate(connection, schema.MIGRATIONS[:1])
        connection.execute("INSERT INTO roots (path) VALUES (CAST(? AS TEXT))", [bytes(photos)])
        identity = connection.execute("SELECT id FROM identity").fetchone()[0]
    with pytest.raises(CatalogueError, match="`wordsight index` migrates it"):
        Catalogue.open(place)
    with Catalogue.open(place, create=True) as catalogue:
        assert catalogue.roots() == [photos]
        assert catalogue.identity == identity
    with Library(ColourEncoder(), place) as library:
        assert library.sync(photos).added == 3


def test_a_step_that_fails_half_way_leaves_the_version_before(place: Path) -> None:
    good = "CREATE TABLE albums (name TEXT); INSERT INTO albums SELECT path FROM roots;"
    bad = "CREATE TABLE tags (name TEXT); DELETE FROM files; INSERT INTO nowhere VALUES (1);"
    with closing(sqlite3.connect(place / DATABASE, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            schema.migrate(connection, (*schema.MIGRATIONS, good, bad))
        assert not connection.in_transaction
        assert schema.check(connection, schema.VERSION + 2) == schema.VERSION + 1
        assert "albums" in tables(connection)
        assert "tags" not in tables(connection)
        assert connection.execute("SELECT count(*) FROM files").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM albums").fetchone() == (1,)
        mended = "CREATE TABLE tags (name TEXT);"
        schema.migrate(connection, (*schema.MIGRATIONS, good, mended))
        assert "tags" in tables(connection)


@pytest.mark.parametrize("create", [False, True])
def test_a_newer_version_is_refused(place: Path, create: bool) -> None:
    with closing(sqlite3.connect(place / DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(CatalogueVersionError, match="update wordsight"):
        Catalogue.open(place, create=create)


# --- what is no catalogue


@pytest.mark.parametrize("create", [False, True])
def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path, create: bool) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("CREATE TABLE accounts (name TEXT)")
        connection.commit()
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(CatalogueError, match="belongs to another program"):
        Catalogue.open(tmp_path, create=create)
    assert (tmp_path / DATABASE).read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
def test_a_file_that_is_no_database(tmp_path: Path, create: bool) -> None:
    (tmp_path / DATABASE).write_bytes(b"my diary, not a database\n" * 99)
    with pytest.raises(CatalogueError, match="move it away"):
        Catalogue.open(tmp_path, create=create)
    assert (tmp_path / DATABASE).read_bytes().startswith(b"my diary")


def test_no_catalogue_or_an_empty_file_says_how_to_build_one(tmp_path: Path) -> None:
    for prepare in (lambda: None, (tmp_path / DATABASE).touch):
        prepare()
        with pytest.raises(CatalogueError, match="build one with `wordsight index FOLDER`"):
            Catalogue.open(tmp_path)
    with Catalogue.open(tmp_path, create=True) as catalogue:
        assert catalogue.roots() == []


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogueError, match="cannot use"):
        Catalogue.open(tmp_path / "file", create=True)
    with pytest.raises(CatalogueError, match="no catalogue"):
        Catalogue.open(tmp_path / "file")


def damage(file: Path) -> None:
    """Overwrite all pages but the first, as a failing disk does."""
    with file.open("r+b") as stream:
        size = file.stat().st_size
        stream.seek(4096)
        stream.write(b"\xa5" * (size - 4096))


def test_a_damaged_database_is_an_error_that_says_what_to_do(place: Path, photos: Path) -> None:
    damage(place / DATABASE)
    library = Library(ColourEncoder(), place)
    for act in (lambda: library.search("red"), lambda: library.status(photos), lambda: library.sync(photos)):
        with pytest.raises(CatalogueError, match=r"malformed|corrupt|not a database"):
            act()
    library.close()


def test_a_truncated_database_is_an_error(place: Path, photos: Path) -> None:
    os.truncate(place / DATABASE, 4096 * 3 + 100)
    with Library(ColourEncoder(), place) as library:
        for act in (lambda: library.search("red"), lambda: library.sync(photos)):
            with pytest.raises(CatalogueError):
                act()


# --- media that cannot be written to


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take away the right to write; root keeps it unless the folder is mounted read-only."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("mount is needed to try a read-only medium as root")
    steps = ([mount, "--bind", str(folder), str(folder)], [mount, "-o", "remount,ro,bind", str(folder)])
    if any(subprocess.run(step, capture_output=True).returncode for step in steps):
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run([umount, str(folder)], check=True)


def left_by_a_kill(place: Path, photos: Path, *, with_shared_memory: bool) -> None:
    """Leave the log beside the database, holding what was indexed last: as a process that was killed does."""
    colour_image("cyan").save(photos / "cyan.png")
    script = (
        "import os, sys; from pathlib import Path; from wordsight.library import Catalogue; "
        "from wordsight.library.sync import sync; from wordsight.testing import ColourEncoder\n"
        "with Catalogue.open(Path(sys.argv[1]), create=True) as c, c.writing():\n"
        "    sync(c, Path(sys.argv[2]), ColourEncoder()); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, place, photos]).returncode == 9
    assert (place / f"{DATABASE}-wal").stat().st_size > 0
    if not with_shared_memory:
        (place / f"{DATABASE}-shm").unlink()


@pytest.mark.parametrize("left", ["clean", "log", "log without shared memory", "empty log"])
def test_reading_from_a_read_only_medium(place: Path, photos: Path, left: str) -> None:
    if left == "empty log":
        (place / f"{DATABASE}-wal").touch()
    elif left != "clean":
        left_by_a_kill(place, photos, with_shared_memory=left == "log")
    found = sorted(path.name for path in photos.iterdir())
    before = sorted(file.name for file in place.iterdir())
    with read_only(place):
        assert sorted(names(place)) == found
        with Library(ColourEncoder(), place) as library:
            assert library.status(photos).is_well
            with pytest.raises(CatalogueError):
                library.sync(photos)
        assert sorted(file.name for file in place.iterdir()) == before
    assert sorted(names(place)) == found


def test_reading_leaves_an_interrupted_log_alone(place: Path, photos: Path) -> None:
    left_by_a_kill(place, photos, with_shared_memory=True)
    assert sorted(names(place)) == ["blue.png", "cyan.png", "green.png", "red.png"]
    assert Library(ColourEncoder(), place).sync(photos).unchanged == 4


# --- encoders, folders, locks


def test_an_encoder_without_vectors_binds_nobody(place: Path, photos: Path) -> None:
    with Catalogue.open(place, create=True) as catalogue, catalogue.writing():
        catalogue.forget(photos)
    with Library(OtherEncoder(), place) as library:
        assert library.sync(photos).encoded == 3
    with Catalogue.open(place) as catalogue:
        assert [row.name for row in catalogue.encoders()] == ["other"]


def test_a_refused_encoder_leaves_no_trace(place: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    with pytest.raises(EncoderMismatch):
        Library(OtherEncoder(), place).sync(more)
    with Catalogue.open(place) as catalogue:
        assert more not in catalogue.roots()
        assert [row.name for row in catalogue.encoders()] == ["colours"]


def test_folders_are_told_by_their_normal_names(place: Path, photos: Path) -> None:
    with Library(ColourEncoder(), place) as library:
        assert library.sync(photos / ".." / photos.name).unchanged == 3
        assert library.catalogue.roots() == [photos]
        assert library.search("red", within=[photos / "x" / ".."]).searched == 3


def test_forgetting_one_folder_keeps_pictures_that_another_has(place: Path, photos: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(photos, backup)
    (photos / "red.png").unlink()
    with Library(ColourEncoder(), place) as library:
        library.sync(photos)
        assert library.sync(backup).encoded == 1  # it was gone everywhere
    with Catalogue.open(place, create=True) as catalogue, catalogue.writing():
        with pytest.raises(BadInput, match="not an indexed folder"):
            catalogue.forget(photos / "x")
        catalogue.forget(photos / "x" / "..")
        assert catalogue.roots() == [backup]
        count = "SELECT (SELECT count(*) FROM contents), (SELECT count(*) FROM vectors), (SELECT count(*) FROM files)"
        assert catalogue.db.execute(count).fetchone() == (3, 3, 3)
    assert names(place, top=1) == ["red.png"]


def test_the_right_to_write_belongs_to_one(place: Path) -> None:
    with Catalogue.open(place, create=True) as one:
        with one.writing(), pytest.raises(CatalogueBusy, match="searching works meanwhile"):
            Catalogue.open(place, create=True)
        with Catalogue.open(place, create=True) as two, two.writing():
            pass


def test_a_snapshot_sees_one_state(place: Path) -> None:
    with Catalogue.open(place) as reader, Catalogue.open(place, create=True) as writer, writer.writing():
        with reader.snapshot(), reader.snapshot():
            roots = reader.roots()
            state = reader.state()
            writer.forget(roots[0])
            assert reader.roots() == roots
            assert reader.state() == state
            reader.renew()
            assert reader.roots() == []
        assert reader.state() != state


@pytest.mark.parametrize("mtime_ns", [-(2**70), -1, 0, 2**63 - 1, 2**63, 2**70])
def test_times_beyond_64_bits(mtime_ns: int) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT ?", [storable(mtime_ns)]).fetchone()[0] == storable(mtime_ns)
    assert storable(storable(mtime_ns)) == storable(mtime_ns)


def test_bounds_of_what_lies_below() -> None:
    low, high = below(b"/a/b")
    inside = [b"/a/b/", b"/a/b/c", b"/a/b/\xff\xff"]
    outside = [b"/a/b", b"/a/b-", b"/a/b.c", b"/a/b0", b"/a/c"]
    assert all(low <= path < high for path in inside)
    assert not any(low <= path < high for path in outside)
    assert below(b"/") == (b"/", b"0")


@pytest.mark.parametrize("create", [False, True])
def test_damage_that_sqlite_cannot_name_is_an_error_like_other_damage(place: Path, create: bool) -> None:
    Catalogue.open(place, create=True).db.close()
    db = sqlite3.connect(place / DATABASE)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET name = CAST(x'da28' AS TEXT), sql = 'no' WHERE name = 'files'")
    db.commit()
    db.close()
    with pytest.raises(CatalogueError, match="move it away and index again"):  # its message is no UTF-8
        Catalogue.open(place, create=create)
