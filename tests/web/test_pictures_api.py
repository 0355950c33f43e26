"""Pictures through the service: thumbnails, originals, uploads, explanations; and only what is the catalogue's."""

from __future__ import annotations

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from web_server import Served, paint, picture

from wordsight.client import ServiceError
from wordsight.testing import COLOURS, colour_image


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_thumbnails_are_upright_and_kept(serve, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    colour_image("red", "blue", size=700).resize((700, 400)).save(photos / "turned.tiff", exif=exif)
    served = serve(photos)
    data = served.client.thumbnail(served.sha("turned.tiff"), side=160)
    image = opened(data)
    assert (image.format, image.size) == ("WEBP", (91, 160))
    top, bottom = image.getpixel((45, 30)), image.getpixel((45, 130))
    assert top[0] > 200 > 100 > top[2]
    assert bottom[2] > 200 > 100 > bottom[0]
    (kept,) = served.service.location.glob("thumbnails/160/*/*.webp")
    kept.write_bytes(kept.read_bytes()[:-20] + b"x" * 20)
    assert served.client.thumbnail(served.sha("turned.tiff"), side=160) == data  # made anew
    (photos / "turned.tiff").unlink()
    assert served.client.thumbnail(served.sha("turned.tiff"), side=160) == data  # from the cache


def test_the_cache_of_thumbnails_is_bounded(tmp_path: Path) -> None:
    from wordsight.web.thumbnails import Thumbnails

    cache = Thumbnails(tmp_path / "t", most=3_000)
    rng = np.random.default_rng(0)
    for number in range(12):
        noise = Image.fromarray(rng.integers(0, 255, (30, 30, 3), dtype=np.uint8))
        stream = io.BytesIO()
        noise.save(stream, "PNG")
        made = cache.make(f"{number:064x}", 160, stream.getvalue())
        assert cache.find(f"{number:064x}", 160) == made
    files = list((tmp_path / "t").rglob("*.webp"))
    assert 0 < sum(file.stat().st_size for file in files) <= 3_000
    assert not list((tmp_path / "t").rglob("*.tmp"))


def test_a_full_disk_costs_speed_alone(tmp_path: Path) -> None:
    from wordsight.web.thumbnails import Thumbnails

    (tmp_path / "file").write_text("in the way")
    cache = Thumbnails(tmp_path / "file", most=3_000)
    assert opened(cache.make("0" * 64, 160, picture("red"))).format == "WEBP"
    assert cache.find("0" * 64, 160) is None


@pytest.mark.parametrize(
    ("range_", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-99999999", 206, slice(None)),
        ("bytes=99999999-", 416, None),
        ("bytes=5-2", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=0-1,3-4", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
    ],
)
def test_originals_by_ranges(served: Served, range_: str, status: int, part: slice | None) -> None:
    whole = (served.photos / "green.png").read_bytes()
    answer = served.ask("GET", f"/api/pictures/{served.sha('/green.png')}/original", range=range_)
    assert answer.status == status
    if part is not None:
        assert answer.data == whole[part]
    if status == 206:
        start = range(len(whole))[part][0]
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(answer.data) - 1}/{len(whole)}"


def test_names_of_files_cannot_break_headers(serve, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    name = 'a"; filename=evil.html\r\nX-Evil: 1 \N{SNOWMAN}<script>.png'
    colour_image("red").save(photos / name)
    served = serve(photos)
    answer = served.ask("GET", f"/api/pictures/{served.sha('.png')}/original?download=true")
    assert "x-evil" not in answer.headers
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a%22%3B%20filename")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_bytes_that_are_no_utf8_in_names(serve, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    try:
        (photos / "caf\udce9.png").write_bytes(picture("red"))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes valid UTF-8 only")
    served = serve(photos)
    (hit,) = served.client.search("red").hits
    assert hit.path.endswith("caf\udce9.png")
    assert served.client.original(hit.sha256) == picture("red")


def test_only_what_was_indexed_is_served(served: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    colour_image("white", size=64).save(secret)
    green = served.sha("/green.png")
    file = served.photos / "green.png"
    file.unlink()
    file.symlink_to(secret)  # a link that leads out
    assert served.ask("GET", f"/api/pictures/{green}/original").status == 404
    assert served.ask("GET", f"/api/pictures/{green}/thumbnail").status == 404
    file.unlink()
    colour_image("black").save(file)  # another picture under the name
    assert served.ask("GET", f"/api/pictures/{green}/original").status == 404
    assert served.ask("GET", f"/api/pictures/{'0' * 64}/original").status == 404


def test_links_out_of_the_library_are_refused_also_when_indexed(serve, tmp_path: Path) -> None:
    photos, outside = paint(tmp_path / "photos", ("red",)), paint(tmp_path / "outside", ("blue",))
    (photos / "linked").symlink_to(outside)
    (photos / "single.png").symlink_to(outside / "blue.png")
    served = serve(photos)
    answers = [served.ask("GET", f"/api/pictures/{served.sha(n)}/original") for n in ("red.png", "single.png")]
    assert [answer.status for answer in answers] == [200, 404]


def test_only_the_folders_that_are_served(serve, tmp_path: Path) -> None:
    whole = paint(tmp_path / "photos")
    from wordsight.library import Library
    from wordsight.testing import ColourEncoder

    with Library(ColourEncoder(), tmp_path / "catalogue") as library:
        library.sync(whole)
        blue = library.search("blue", top=1).hits[0].sha256
    served = serve(whole / "trip", index=False)
    assert len(served.client.search("red").hits) == 3
    assert served.client.search().searched == 3
    for what in ("original", "thumbnail", "explain?text=red", "map.png?text=red"):
        assert served.ask("GET", f"/api/pictures/{blue}/{what}").status == 404
    assert served.ask("GET", f"/api/pictures/{blue}").status == 404


def test_why_equals_the_command_lines(served: Served, capfdbinary, monkeypatch) -> None:
    from wordsight.cli import run

    file = served.photos / "trip/red blue.png"
    monkeypatch.setattr("sys.argv", ["wordsight", "explain", str(file), "red", "--encoder", "colours", "--json"])
    assert run() == 0
    told = json.loads(capfdbinary.readouterr().out)
    sha256 = served.sha("trip/red blue.png")
    assert served.client.explain(sha256, "red") == told
    detailed = served.client.explain(sha256, "red", values=True, method="occlusion")
    values = np.asarray(detailed["map"]["values"])
    assert (detailed["method"], values.shape) == ("occlusion", (detailed["map"]["height"], detailed["map"]["width"]))
    assert values[:, : values.shape[1] // 2].mean() > 2 * values[:, values.shape[1] // 2 :].mean()


def test_maps_as_pictures(served: Served) -> None:
    sha256 = served.sha("trip/red blue.png")
    values = np.asarray(served.client.explain(sha256, "blue", values=True)["map"]["values"])
    grey = opened(served.client.map_png(sha256, "blue", colours="values"))
    assert (grey.mode, grey.size) == ("L", values.shape[::-1])
    np.testing.assert_allclose(np.asarray(grey) / 255, values, atol=0.003)
    assert opened(served.client.map_png(sha256, "blue", colours="viridis")).mode == "RGBA"
    for wrong in ({"method": "none"}, {"encoder": "none"}):
        with pytest.raises(ServiceError) as refused:
            served.client.explain(sha256, "blue", **wrong)
        assert refused.value.status == 400


def test_uploads_can_be_seen_and_explained(served: Served) -> None:
    sent = served.client.upload(picture("red", "green", format="BMP"))
    about = served.client.get(f"/api/pictures/{sent}")
    assert (about["upload"], about["files"], about["format"]) == (True, [], "bmp")
    assert opened(served.client.thumbnail(sent)).convert("RGB").getpixel((4, 16))[0] > 200
    assert served.client.explain(sent, "green")["boxes"][0]["left"] >= 14
    assert served.ask("GET", f"/api/pictures/{sent}/original").status == 404


def test_uploads_are_forgotten_beyond_a_number(serve) -> None:
    from wordsight.web.config import Limits

    served = serve(limits=Limits(uploads=2))
    sent = [served.client.upload(picture(name)) for name in list(COLOURS)[:3]]
    assert [served.ask("GET", f"/api/pictures/{one}").json.get("upload") for one in sent[1:]] == [True, True]
    assert served.service.uploads.find(sent[0]) is None


def test_large_thumbnails_make_room_first(tmp_path: Path) -> None:
    from wordsight.web.thumbnails import Thumbnails

    cache = Thumbnails(tmp_path / "t", most=20_000)
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    cache.make("0" * 64, 320, stream.getvalue())
    for number in range(1, 20):
        cache.make(f"{number:064x}", 2560, stream.getvalue())
    assert cache.find("0" * 64, 320) is not None  # the oldest, but small
    assert cache.find(f"{1:064x}", 2560) is None


def test_the_first_thumbnail_is_begun_with_the_answer(serve) -> None:
    served = serve(ahead=False)
    first = served.ask("GET", "/api/search?q=red&row=210").json["hits"][0]["sha256"]
    deadline = time.monotonic() + 10
    while not served.service.thumbnails.has(first, 320):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(list(served.service.location.rglob("*.webp"))) == 1
    for wrong in (0, -1, 2_561, "tall"):
        assert served.ask("GET", f"/api/search?q=red&row={wrong}").status == 422


def test_a_thumbnail_is_made_once_for_all_who_ask(serve) -> None:
    served = serve(ahead=False)
    sha256 = served.sha("/green.png")
    made = []
    make = served.service.thumbnails.make

    def slowly(*given):
        made.append(given[0])
        time.sleep(0.2)
        return make(*given)

    served.service.thumbnails.make = slowly
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: served.ask("GET", f"/api/pictures/{sha256}/thumbnail").data, range(8)))
    assert len(answers) == 1
    assert made == [sha256]
