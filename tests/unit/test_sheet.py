"""The contact sheet: what a browser and a screen reader find in it, and what never gets out of it."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from wordsight.cli import sheet_why
from wordsight.cli.sheet import write_sheet
from wordsight.errors import BadInput
from wordsight.library.hits import Answer, PhotoHit
from wordsight.types import Box, Query, SaliencyMap
from wordsight.why import Explained

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """A page as its elements; refuses tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        found = [attrs for name, attrs in self.elements if name == tag]
        return [attrs for attrs in found if all(attrs.get(k.strip("_")) == v for k, v in attributes.items())]


def hit(rank: int, path: Path, match: float | None = 0.9, camera: str | None = None) -> PhotoHit:
    return PhotoHit(rank, path, 0.4 - rank / 10, match, 800, 600, 9, "00", "png", datetime(2021, 6, 15, 12), camera)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """A red and a blue picture, one with a hostile name, and one that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / "red.png", folder / os.fsdecode(b'<b onclick="x">&\' 100%\n\xe9.jpg'), folder / "broken.jpg"]
    Image.new("RGB", (800, 600), (200, 10, 10)).save(paths[0])
    Image.new("RGB", (30, 60), (10, 10, 200)).save(paths[1], "png")
    paths[2].write_bytes(b"no picture")
    return paths


def page_of(answers: Answer | list[Answer], file: Path, **more: object) -> tuple[Page, tuple[str, ...]]:
    unread = write_sheet(answers, file, **more)  # type: ignore[arg-type]
    return Page(file.read_text("utf-8")), unread


def test_thumbnails_links_and_words(photos: list[Path], tmp_path: Path) -> None:
    hits = tuple(hit(rank, path, camera="Leica <M>") for rank, path in enumerate(photos, 1))
    answer = Answer(Query.of("a <red> thing & more"), hits, 1234, calibrated=True, notices=("cut <here>",))
    page, unread = page_of(answer, tmp_path / "sheet.html", title="My </title> photos", side=100)

    pictures = page.all("img")
    decoded = []
    for picture in pictures:
        head, data = picture["src"].split(",", 1)
        assert head in ("data:image/webp;base64", "data:image/jpeg;base64")
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (str(image.width), str(image.height)) == (picture["width"], picture["height"])
        decoded.append((image.size, image.convert("RGB").getpixel((5, 5))))
    assert [size for size, _ in decoded] == [(100, 75), (30, 60)]
    assert decoded[0][1] == pytest.approx((200, 10, 10), abs=12)
    assert decoded[1][1] == pytest.approx((10, 10, 200), abs=12)
    assert pictures[0]["alt"] == "Result 1: red.png"

    links = [unquote_to_bytes(a["href"].removeprefix("file://")) for a in page.all("a", class_="photo")]
    assert links == [os.fsencode(path) for path in photos]
    assert len(unread) == 1
    for words in ("a <red> thing & more", "My </title> photos", "Leica <M>", "2021-06-15", "90 %", "score 0.300"):
        assert words in page.text
    assert "3 nearest of 1,234 photos; 3 likely matches among them." in page.text
    assert "cut <here>" in page.text
    assert "Cannot be shown:" in page.text


def test_a_rectangle_marks_the_region_in_pixels_of_the_photo(photos: list[Path], tmp_path: Path) -> None:
    hits = (replace(hit(1, photos[0]), region=Box(400, 300, 800, 600)), hit(2, photos[0]))
    page, _ = page_of(Answer(Query.of("red"), hits, 2), tmp_path / "sheet.html")
    (drawing,) = page.all("svg")
    assert drawing["viewbox"] == "0 0 800 600"
    assert drawing["preserveaspectratio"] == "xMidYMid slice", "as the picture is cropped"
    assert {tuple(rect[k] for k in ("x", "y", "width", "height")) for rect in page.all("rect")} == {
        ("400", "300", "400", "300")
    }
    assert [picture["alt"] for picture in page.all("img")] == [
        "Result 1: red.png, found in its lower right",
        "Result 2: red.png",
    ]


def test_nothing_leaves_the_page_and_nothing_runs_in_it(photos: list[Path], tmp_path: Path) -> None:
    answer = Answer(Query.of("<script>alert(1)</script>"), tuple(hit(r, p) for r, p in enumerate(photos, 1)), 3)
    page, _ = page_of(answer, tmp_path / "sheet.html")
    assert not {"script", "link", "iframe", "b"} & {tag for tag, _ in page.elements}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy
    for tag, attrs in page.elements:
        assert "url(" not in attrs.get("style", "")
        if "src" in attrs:
            assert attrs["src"].startswith("data:")
        if "href" in attrs:
            assert tag == "a"
            assert attrs["href"].startswith(("file:///", "#"))


def test_a_section_for_each_query(photos: list[Path], tmp_path: Path) -> None:
    found = Answer(Query.of("red"), (hit(1, photos[0]),), 2, calibrated=True)
    nothing = Answer(Query.of("qwe"), (hit(1, photos[0], 0.01),), 2, calibrated=True)
    plain = Answer(Query.of("blue"), (hit(1, photos[0], None),), 1)
    empty = Answer(Query.of("old"), (), 0)
    page, _ = page_of([found, nothing, plain, empty], tmp_path / "sheet.html")
    sections = page.all("section")
    assert [s["id"] for s in sections] == ["q1", "q2", "q3", "q4"]
    assert [s.get("class") for s in sections] == [None, "nothing", None, "nothing"]
    assert {a["href"] for a in page.all("a")} >= {"#q1", "#q2", "#q3", "#q4"}
    headings = {h["id"] for h in page.all("h2")}
    assert {s["aria-labelledby"] for s in sections} == headings
    for words in (
        "1 likely match among",
        "Nothing here matches.",
        "The 1 nearest of 1 photo.",
        "No hit among 0 photos.",
    ):
        assert words in page.text


def test_the_file_appears_complete_or_not_at_all(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out" / "sheet.html"
    answer = Answer(Query.of("red"), (hit(1, photos[0]),), 1)
    with pytest.raises(BadInput, match=r"sheet\.html.*choose another place"):
        write_sheet(answer, file)
    file.parent.mkdir()
    file.write_text("before")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wordsight.images.read", stop)
    with pytest.raises(KeyboardInterrupt):
        write_sheet(answer, file)
    assert [(p.name, p.read_text()) for p in file.parent.iterdir()] == [("sheet.html", "before")]
    monkeypatch.undo()
    write_sheet(replace(answer, hits=()), file)
    assert file.read_text().startswith("<!doctype html>")
    assert [p.name for p in file.parent.iterdir()] == ["sheet.html"]
    with pytest.raises(BadInput, match="cannot write"):
        write_sheet(answer, file.parent)


def test_equal_answers_give_equal_bytes(photos: list[Path], tmp_path: Path) -> None:
    answer = Answer(Query.of("red"), tuple(hit(r, p) for r, p in enumerate(photos, 1)), 3)
    one, two = tmp_path / "1.html", tmp_path / "2.html"
    write_sheet(answer, one)
    write_sheet(answer, two)
    assert one.read_bytes() == two.read_bytes()


def explained(path: Path, text: str, boxes: tuple[Box, ...]) -> Explained:
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    return Explained(path, (800, 600), SaliencyMap(values, text), boxes, None)


def test_hits_are_explained_without_a_script(photos: list[Path], tmp_path: Path) -> None:
    boxes = (Box(0, 0, 200, 150, 0.8), Box(600, 400, 800, 600, 0.2))
    why = {photos[0]: explained(photos[0], "a <red>", boxes), photos[1]: explained(photos[1], "a <red>", ())}
    answer = Answer(Query.of("a <red>"), tuple(hit(r, p) for r, p in enumerate(photos, 1)), 3)
    page, _ = page_of(answer, tmp_path / "sheet.html", why=[why])
    assert "script" not in {tag for tag, _ in page.elements}
    layers = page.all("svg", class_="why")
    assert [layer["viewbox"] for layer in layers] == ["0 0 800 600"] * 2
    assert {layer["aria-hidden"] for layer in layers} == {"true"}
    heat = Image.open(io.BytesIO(base64.b64decode(page.all("image")[0]["href"].split(",", 1)[1])))
    assert (heat.size, heat.mode) == ((4, 3), "RGBA")
    drawn = [(box["class"], box["x"], box["y"], box["width"], box["height"]) for box in page.all("rect")]
    assert drawn[-1] == ("light", "0", "0", "200", "150"), "the best box lies on top"
    assert len(drawn) == 2 * len(boxes)
    assert "a <red>: upper left, 6 % of the photo, and 1 more." in page.text
    assert "No place of the photo speaks for a <red>." in page.text
    choices = page.all("input", type="radio", name="view")
    assert [choice["id"] for choice in choices if "checked" in choice] == ["view-both"]
    plain, _ = page_of(answer, tmp_path / "plain.html")
    assert not plain.all("input")
    assert "view-both" not in (tmp_path / "plain.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("box", "place"),
    [
        (Box(0, 0, 800, 600), "middle, 100 %"),
        (Box(350, 0, 450, 90), "upper middle, 2 %"),
        (Box(700, 250, 800, 350), "right, 2 %"),
        (Box(0, 500, 100, 600), "lower left, 2 %"),
    ],
)
def test_places_have_words(box: Box, place: str) -> None:
    assert sheet_why.spoken(explained(Path("a.png"), "x", (box,))) == f"x: {place} of the photo."
