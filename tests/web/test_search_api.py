"""Searching through the service: what the command line says, page after page, with feedback and several encoders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from web_server import Served, paint, picture

from wordsight.client import ServiceError
from wordsight.testing import colour_image


def names(page) -> list[str]:
    return [Path(hit.path).stem for hit in page.hits]


def test_json_equals_the_command_lines(served: Served, capfdbinary, monkeypatch) -> None:
    from wordsight.cli import run

    argv = ["wordsight", "search", "red + blue", "--encoder", "colours", "--json", "--catalog"]
    monkeypatch.setattr("sys.argv", [*argv, str(served.service.location)])
    assert run() == 0
    told = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    got = served.ask("GET", "/api/search?q=red+%2B+blue&limit=10").json["hits"]
    assert got == told
    assert len(told) == 8


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 500])
@pytest.mark.parametrize("q", ["red", "red - blue", ""])
def test_pages_join_to_the_whole(served: Served, q: str, limit: int) -> None:
    whole = served.client.search(q, limit=500)
    hits = list(served.client.search_all(q, limit=limit))
    assert hits == list(whole.hits)
    assert [hit.rank for hit in hits] == list(range(1, 9))
    assert len({hit.path for hit in hits}) == 8  # also where scores tie, and where a file is a copy


def test_a_page_goes_on_when_photos_come_and_go(served: Served) -> None:
    first = served.client.search("red", limit=3)
    paint(served.photos, ("a/red", "black"))
    (served.photos / "red.png").unlink()
    served.service.library(served.service.encoder()).sync(served.photos)
    rest = list(served.client.search("red", limit=500, cursor=first.cursor).hits)
    assert not {hit.path for hit in first.hits} & {hit.path for hit in rest}
    assert {Path(hit.path).stem for hit in rest} >= {"green", "blue", "white", "yellow", "black"}


def test_pictures_in_queries(served: Served) -> None:
    blue = served.sha("/blue.png")
    assert names(served.client.search(f"picture:{blue}", limit=2)) == ["blue", "red blue"]
    assert names(served.client.search(f"picture:{blue[:12]} + red", limit=1)) == ["red blue"]
    sent = served.client.upload(picture("yellow", format="WEBP", lossless=True))
    assert names(served.client.search(f"3:picture:{sent} + 0.1:red", limit=1)) == ["yellow"]
    with pytest.raises(ServiceError, match="no picture"):
        served.client.search(f"picture:{'0' * 64}")


def test_a_vector(served: Served) -> None:
    vector = np.zeros(8)
    vector[1] = 5
    assert names(served.client.search(vector=vector, limit=2)) == ["green", "red green"]
    for wrong in ([1.0], [0.0] * 8, [1e39] * 8):
        with pytest.raises(ServiceError) as refused:
            served.client.search(vector=wrong)
        assert refused.value.status == 400


def test_feedback_moves_the_query(served: Served) -> None:
    red, blue = served.sha("photos/red.png"), served.sha("/blue.png")
    assert names(served.client.search("red", limit=3))[:2] == ["red", "red"]
    assert names(served.client.search("red", liked=[blue], limit=3))[0] == "red blue"
    page = served.client.search("red + blue", disliked=[red], limit=8)
    assert not page.calibrated  # match estimates know how words score
    assert names(page).index("blue") < names(page).index("red")
    page = served.client.search("red + blue", liked=[red], limit=8)
    assert names(page).index("red") < names(page).index("blue")
    assert names(served.client.search(liked=[blue], limit=1)) == ["blue"]
    with pytest.raises(ServiceError, match="say what to look for"):
        served.client.search(disliked=[blue])


def test_filters_and_facets(served: Served) -> None:
    facets = served.client.get("/api/facets")
    assert facets["photos"] == 8
    assert {row["label"]: row["count"] for row in facets["folders"]} == {
        "photos": 8,
        "copies": 1,
        "trip": 3,
        "trip/far": 2,
    }
    far = next(row["value"] for row in facets["folders"] if row["label"] == "trip/far")
    assert set(names(served.client.search("red", folder=[far]))) == {"white", "red green"}
    assert served.client.get("/api/facets", folder=far)["photos"] == 2
    assert [row["value"] for row in facets["types"]] == ["png"]
    assert names(served.client.search("red", type=["jpg"])) == []


@pytest.mark.parametrize("folder", ["/", "/etc", "..", "relative", "/nowhere"])
def test_folders_that_are_not_served_are_refused(served: Served, folder: str) -> None:
    with pytest.raises(ServiceError) as refused:
        served.client.search("red", folder=[folder])
    assert refused.value.status == 400
    with pytest.raises(ServiceError):
        served.client.search("red", folder=[f"{served.photos}/../../etc"])


def test_a_query_never_looks_for_files(served: Served, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    colour_image("green").save(outside)
    for q in (str(outside), f"./{outside}", "/etc/passwd", "~/secret.png"):
        page = served.client.search(q, limit=1)  # a text like any other
        assert page.query == q
        assert names(page) != ["green"]


def test_newest_first(serve, tmp_path: Path) -> None:
    photos = tmp_path / "dated"
    photos.mkdir()
    for year, name in ((2019, "red"), (2021, "blue"), (2020, "green")):
        exif = Image.Exif()
        exif[0x0132] = exif[0x9003] = f"{year}:06:15 12:00:00"
        exif.get_ifd(0x8769)[0x9003] = f"{year}:06:15 12:00:00"
        colour_image(name).save(photos / f"{name}.jpg", exif=exif, quality=95)
    colour_image("white").save(photos / "white.png")
    served = serve(photos)
    assert names(served.client.search()) == ["blue", "green", "red", "white"]
    assert names(served.client.search("red", sort="date")) == ["red"]  # what probably matches
    liked = [served.sha("red.jpg")]  # without match estimates: all
    first = served.client.search("red", liked=liked, sort="date", limit=3)
    assert names(first) == ["blue", "green", "red"]
    assert names(served.client.search("red", liked=liked, sort="date", limit=3, cursor=first.cursor)) == ["white"]
    assert names(served.client.search("red", liked=liked, sort="date", depth=1)) == ["red"]
    assert names(served.client.search(since="2020", until="2020")) == ["green"]


def test_cursors_of_other_answers_are_refused(served: Served) -> None:
    browse = served.client.search(limit=2).cursor
    for cursor in (browse, "x", "W10", "bnVsbA", "WyJzZWFyY2giLDEsMSwyXQ", "\N{SNOWMAN}"):
        with pytest.raises(ServiceError) as refused:
            served.client.search("red", cursor=cursor)
        assert refused.value.status == 400


def test_errors_say_where(served: Served) -> None:
    answer = served.ask("GET", "/api/search?q=red+-+red")
    assert (answer.status, answer.json["position"]) == (400, 4)
    assert served.ask("GET", "/api/search?q=red&limit=0").status == 422
    assert served.ask("GET", "/api/search?q=red&unknown=1").status == 422
    assert served.ask("POST", "/api/search", b"{", content_type="application/json").status == 422
    assert served.ask("GET", "/api/search?q=red&encoder=none").status == 400


def test_encoders_side_by_side(serve, tmp_path: Path, monkeypatch) -> None:
    from wordsight.library import Library
    from wordsight.testing import ColourEncoder
    from wordsight.web import service as module

    class OnlyRed(ColourEncoder):
        name, fingerprint, vocabulary = "only red", "only-red-1", ("red",)

        def encode_texts(self, texts):
            from wordsight.errors import UnknownQuery

            for text in texts:
                if text != "red":
                    raise UnknownQuery(text, ["red"])
            return super().encode_texts(texts)

    monkeypatch.setattr(module, "load_encoder", lambda name: OnlyRed() if name == "only" else ColourEncoder())
    photos = paint(tmp_path / "photos")
    for encoder, beside in ((ColourEncoder(), False), (OnlyRed(), True)):
        with Library(encoder, tmp_path / "catalogue") as library:
            library.sync(photos, beside=beside)
    served = serve(photos, index=False, encoders=("colours", "only"))
    both = served.client.get("/api/compare", q="red", limit=2)
    assert set(both["answers"]) == {"colours", "only red"}
    assert both["answers"]["colours"]["hits"][0]["sha256"] == both["fused"]["hits"][0]["sha256"]
    assert both["fused"]["hits"][0]["ranks"] == {"colours": 1, "only red": 1}
    assert all(answer["ms"]["total"] >= answer["ms"]["search"] for answer in both["answers"].values())
    one = served.client.get("/api/compare", q="green")
    assert (set(one["answers"]), one["fused"]) == ({"colours"}, None)
    assert one["problems"]["only red"]["near"] == ["red"]
    assert served.client.get("/api/suggestions", q="R", encoder="only red")["labels"] == ["red"]
    pages = list(served.client.search_all("red", fuse=["only red"], limit=3))
    assert [hit.rank for hit in pages] == list(range(1, 9))


def test_saved_queries_and_marks(served: Served) -> None:
    blue, red = served.sha("/blue.png"), served.sha("/red.png")
    served.client.save("my sky", "green", liked=[blue, served.sha("trip/red blue.png")])
    saved = served.client.search("@my sky", limit=8)
    asked = served.client.search("green", liked=[blue, served.sha("trip/red blue.png")], limit=8)
    assert saved.hits == asked.hits
    with pytest.raises(ServiceError, match="saved are: @my sky"):
        served.client.search("@other")
    served.client.mark("a red thing", red, 1)
    served.client.mark("a red thing", blue, 1)
    served.client.mark("a red thing", blue, 0)
    lines = served.ask("GET", "/api/marks/qrels").data.decode().splitlines()
    assert len(lines) == 3  # the red picture lies in two folders
    assert sorted(line.split()[3] for line in lines) == ["0", "1", "1"]
    assert served.ask("GET", "/api/marks/queries").data == b"1\ta red thing\n"
    assert served.ask("DELETE", f"/api/marks?query=a+red+thing&sha256={blue}").status == 204
    assert [mark["grade"] for mark in served.client.get("/api/marks", query="a red thing")["marks"]] == [1]
    assert served.ask("DELETE", "/api/saved/my%20sky").status == 204
    assert served.ask("DELETE", "/api/saved/my%20sky").status == 400


def test_suggestions_are_remembered_and_forgotten(served: Served) -> None:
    for q in ("Red car", "blue", "red car at night"):
        served.ask("POST", "/api/recent", {"q": q})
    assert served.client.get("/api/suggestions", q="red")["recent"] == ["red car at night", "Red car"]
    served.ask("DELETE", "/api/recent")
    assert served.client.get("/api/suggestions", q="red")["recent"] == []


def test_before_anything_is_indexed(serve) -> None:
    served = serve(index=False)
    assert served.client.get("/api/status")["indexed"] is False
    assert served.ask("GET", "/api/search?q=red").status == 409
    assert served.ask("GET", "/health/ready").status == 503
    assert served.ask("GET", "/health/live").status == 200
