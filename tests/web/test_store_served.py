"""``wordsight serve --store``: the same service over a store, and nothing given out but what was indexed."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from PIL import Image
from test_contract import fuzz, schemathesis
from test_serve_command import running
from web_server import Served, paint, picture

from wordsight.client import Client, ServiceError
from wordsight.errors import EncoderMismatch, StoreError
from wordsight.scale.contents import Contents
from wordsight.scale.job import fill
from wordsight.scale.runners import LocalRunner
from wordsight.testing import ColourEncoder, colour_image
from wordsight.web.service import Service

SAME = ("rank", "score", "match", "path", "sha256", "width", "height", "bytes", "format", "captured_at", "camera")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The coloured pictures, one with a date and a camera, and a file that is no picture."""
    root = paint(tmp_path / "photos")
    dated = colour_image("cyan", "red", size=64)
    exif = dated.getexif()
    exif[306] = exif[0x9003] = "2021:06:15 12:30:00"
    exif[272] = "Pixel 7"
    dated.save(root / "trip" / "dated.jpg", exif=exif)
    (root / "broken.jpg").write_bytes(b"no picture")
    return root


def filled(url: str, *sources: object) -> str:
    encoder = ColourEncoder()
    fill(url, [str(source) for source in sources], encoder, LocalRunner(encoder, 2))
    return url


@pytest.fixture
def served(serve, photos: Path, tmp_path: Path) -> Served:
    """A server over a store of these."""
    return serve(photos, index=False, folders=(), store=filled(str(tmp_path / "s.lance"), photos))


def told(page: object) -> list[tuple[object, ...]]:
    return [tuple(getattr(hit, name) for name in SAME) for hit in page.hits]


ASKED: tuple[dict[str, object], ...] = (
    {"q": "red"},
    {"q": "red + blue"},
    {"q": "red - green", "limit": 3},
    {"q": "red", "matches_only": True},
    {"q": "red", "since": "2021", "until": "2021"},
    {"q": "red", "camera": "pixel"},
    {"q": "blue", "type": ["jpeg"]},
    {"q": "blue", "min_side": 60},
    {"q": "blue", "max_size": "1kB"},
    {"q": "white", "sort": "date"},
    {"q": "", "since": "2021"},
)


def test_it_answers_as_a_catalogue_of_the_same_photos_does(served: Served, serve, photos: Path) -> None:
    plain = serve(photos, index=True, folders=(), catalog=photos.parent / "plain")
    for asked in ASKED:
        ours, theirs = served.client.search(**asked), plain.client.search(**asked)
        assert told(ours) == told(theirs), asked
        assert len(ours.hits) > 0
        assert ours.calibrated == theirs.calibrated


def test_folders_are_filters_here_too(served: Served, photos: Path) -> None:
    trip = served.client.search("red", folder=[str(photos / "trip")])
    assert {Path(hit.path).name for hit in trip.hits} == {"red blue.png", "white.png", "red green.png", "dated.jpg"}
    facets = served.client.get("/api/facets")
    assert {"value": str(photos / "trip" / "far"), "label": "trip/far", "count": 2} in facets["folders"]
    assert facets["cameras"] == [{"value": "Pixel 7", "label": "Pixel 7", "count": 1}]
    assert facets["years"] == [{"value": "2021", "label": "2021", "count": 1}]
    assert served.ask("GET", f"/api/search?q=red&folder={photos}/../x").status == 400


def test_pages_follow_one_another(served: Served) -> None:
    for query in ("red", ""):
        whole = [hit.path for hit in served.client.search(query, limit=100).hits]
        assert len(whole) == 9
        assert [hit.path for hit in served.client.search_all(query, limit=2)] == whole
    newest = served.client.search("", limit=2)
    assert newest.hits[0].path.endswith("dated.jpg")
    assert [hit.rank for hit in newest.hits] == [1, 2]


def test_commits_are_seen(served: Served, photos: Path) -> None:
    before = served.client.get("/api/facets")["photos"]
    colour_image("magenta").save(photos / "late.png")
    filled(served.service.config.store, photos)
    assert served.client.search("magenta").hits[0].path.endswith("late.png")
    assert served.client.get("/api/facets")["photos"] in (before, before + 1)  # it is asked for every two seconds


def test_pictures_are_shown(served: Served, photos: Path) -> None:
    sha256 = served.sha("/trip/dated.jpg")
    assert Image.open(io.BytesIO(served.client.thumbnail(sha256, side=160))).size == (64, 64)
    data = (photos / "trip" / "dated.jpg").read_bytes()
    assert served.client.original(sha256) == data
    part = served.ask("GET", f"/api/pictures/{sha256}/original", range="bytes=3-9")
    assert (part.status, part.data) == (206, data[3:10])
    about = served.client.get(f"/api/pictures/{sha256}")
    assert about["files"] == [{"path": str(photos / "trip" / "dated.jpg"), "bytes": len(data)}]
    explained = served.client.explain(sha256, "red")
    assert explained["path"].endswith("dated.jpg")


def test_nothing_else_is_given_out(served: Served, photos: Path) -> None:
    secret = photos.parent / "secret"
    file = photos / "green.png"
    sha256, data = served.sha("/green.png"), file.read_bytes()
    secret.write_bytes(bytes(len(data)))
    times = file.stat()
    file.unlink()
    file.symlink_to(secret)
    os.utime(secret, ns=(times.st_atime_ns, times.st_mtime_ns))  # of the same size and time
    for what in ("original", "thumbnail"):
        answer = served.ask("GET", f"/api/pictures/{sha256}/{what}")
        assert answer.status == 404
        assert b"not what was indexed" in answer.data
    file.unlink()
    assert served.ask("GET", f"/api/pictures/{sha256}/original").status == 404
    unknown = hashlib.sha256(secret.read_bytes()).hexdigest()
    assert served.ask("GET", f"/api/pictures/{unknown}/original").status == 404
    assert served.ask("GET", f"/api/pictures/{unknown}/thumbnail").status == 404
    file.write_bytes(data)
    assert served.client.original(sha256) == data


def test_only_the_folders_that_are_named_are_served(serve, photos: Path, tmp_path: Path) -> None:
    store = filled(str(tmp_path / "s"), photos)
    served = serve(photos, index=False, folders=(photos / "trip",), store=store)
    assert len(list(served.client.search_all("red"))) == 4
    inside, outside = photos / "trip" / "dated.jpg", photos / "green.png"
    answers = [
        served.ask("GET", f"/api/pictures/{hashlib.sha256(file.read_bytes()).hexdigest()}/original")
        for file in (inside, outside)
    ]
    assert [answer.status for answer in answers] == [200, 404]
    assert served.ask("GET", f"/api/search?q=red&folder={photos}").status == 400


def test_shards_and_other_storages(serve, tmp_path: Path) -> None:
    import fsspec

    shard = tmp_path / "0001.tar"
    inside = {f"deep/{name}.png": picture(name) for name in ("red", "green", "blue")}
    with tarfile.open(shard, "w") as tar:
        for name, data in inside.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    memory = fsspec.filesystem("memory")
    memory.pipe({"/shown/a/white.png": picture("white"), "/shown/yellow.png": picture("yellow")})
    served = serve(tmp_path, index=False, folders=(), store=filled(str(tmp_path / "s"), shard, "memory://shown"))
    for name, data in inside.items():
        sha256 = served.sha(f"/0001.tar/{name}")
        assert served.client.original(sha256) == data
        assert served.client.thumbnail(sha256, side=160).startswith(b"RIFF")
    white = served.sha("/white.png")
    assert served.client.original(white) == picture("white")
    folders = {one["value"] for one in served.client.get("/api/facets")["folders"]}
    assert folders == {f"{shard}/deep", "memory://shown", "memory://shown/a"}
    found = served.client.search("white", folder=["memory://shown/a"]).hits
    assert [hit.path for hit in found] == ["memory://shown/a/white.png"]
    memory.pipe("/shown/a/white.png", picture("red"))
    assert served.ask("GET", f"/api/pictures/{white}/original").status == 404
    with tarfile.open(shard, "w") as tar:
        tar.addfile(tarfile.TarInfo("none"))
    assert served.ask("GET", f"/api/pictures/{sha256}/original").status == 404
    memory.rm("/shown", recursive=True)


def test_large_pictures_stay_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(picture("red"))
    sha256, size = hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size
    assert Contents().read(str(file), sha256, size) == file.read_bytes()
    from wordsight.errors import ImageError

    with pytest.raises(ImageError, match="too large to be shown"):
        Contents(most=size - 1).read(str(file), sha256, size)


def test_a_store_is_not_filled_from_the_page(served: Served) -> None:
    with pytest.raises(ServiceError, match="wordsight index SOURCE --store") as refused:
        served.client.sync()
    assert refused.value.status == 400
    status = served.client.get("/api/status")
    assert (status["store"], status["indexed"], status["photos"]) == (True, True, 9)
    assert status["catalogue"] == served.service.config.store
    library = served.client.get("/api/library")
    (about,) = library["folders"]
    assert (about["indexed"], about["skipped"], about["well"]) == (9, 1, True)
    assert about["skips"][0]["path"].endswith("broken.jpg")
    assert [one["vectors"] for one in library["encoders"]] == [9]


def test_feedback_and_notes(served: Served, photos: Path) -> None:
    red, blue = served.sha("/red blue.png"), served.sha("/blue.png")
    moved = served.client.search("red", liked=[blue], disliked=[red])
    assert moved.hits[0].sha256 != served.client.search("red").hits[0].sha256
    assert served.client.search(f"picture:{blue}").hits[0].sha256 == blue
    sent = served.client.upload(picture("yellow", "white"))
    assert served.client.search(f"picture:{sent}").hits[0].path.endswith(("yellow.png", "white.png"))
    assert served.ask("PUT", "/api/marks", {"query": "sea", "sha256": blue, "grade": 1}).status == 204
    (mark,) = served.client.get("/api/marks")["marks"]
    assert mark["paths"] == [str(photos / "blue.png")]
    assert str(photos / "blue.png") in served.ask("GET", "/api/marks/qrels").data.decode()


def test_copies_and_clusters(served: Served) -> None:
    found = served.client.get("/api/library/duplicates")
    (same,) = found["exact"]
    assert sorted(Path(path).parent.name for path in same["paths"]) == ["copies", "photos"]
    assert found["compared"] == 9
    clusters = served.client.get("/api/library/clusters?k=3")
    assert len(clusters["clusters"]) == 3
    assert clusters["photos"] == 8  # contents


def test_what_cannot_be_served(photos: Path, tmp_path: Path) -> None:
    from wordsight.web.config import Config

    with pytest.raises(StoreError, match="no store at"):
        Service(Config(store=str(tmp_path / "none"), encoders=("colours",), catalog=tmp_path / "c"))
    filled(str(tmp_path / "s"), photos)
    with pytest.raises(EncoderMismatch, match="colours"):
        Service(Config(store=str(tmp_path / "s"), encoders=("mini",), catalog=tmp_path / "c"))


@pytest.mark.slow
def test_every_route_keeps_its_contract(served: Served) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{served.port}/api/openapi.json")
    found = [result.ok() for result in schema.get_all_operations()]
    fuzz(served, [one for one in found if one.path != "/api/sync/events"], 2)


def test_as_a_command(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDSIGHT_CATALOG", str(tmp_path / "c"))
    filled(str(tmp_path / "s"), photos)
    with running("--store", str(tmp_path / "s")) as (_, address), Client(address) as client:
        assert client.search("blue").hits[0].path == str(photos / "blue.png")
    with running("--store", str(tmp_path / "none")) as (process, address):
        assert address == ""
        assert process.wait(20) == 2
        assert "no store at" in process.stderr.read()
