"""Drawing: which pixels are painted, what a font holds, and figures that other programs can read."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.drawing import View, animate, encode, figure, fonts, frames, overlay
from wordsight.drawing.colours import NAMES, coloured, table
from wordsight.drawing.marks import marks
from wordsight.drawing.overlay import STRENGTH, blend, opacity
from wordsight.drawing.pixels import to_image
from wordsight.drawing.scene import Raster, Rectangle, Scene, Words, shortened, text_width, wrapped
from wordsight.drawing.svg import to_svg
from wordsight.errors import BadInput
from wordsight.types import Box

SVG = "{http://www.w3.org/2000/svg}"


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours (n, 3) uint8."""
    linear = np.where(rgb / 255 <= 0.04045, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


@pytest.mark.parametrize("name", ["inferno", "magma", "viridis", "grey"])
def test_even_maps_rise_in_lightness_all_along(name: str) -> None:
    steps = np.diff(lightness(table(name).astype(float))[::16])
    assert (steps > 0).all()
    if name != "grey":  # its equal steps of code values are none of lightness
        assert steps[1:].max() < 1.5 * steps[1:].min()  # near black the colours of a screen end


def test_jet_is_not_even() -> None:
    steps = np.diff(lightness(table("jet").astype(float))[::16])
    assert (steps > 0).any()
    assert (steps < 0).any()
    assert set(NAMES) == {"inferno", "magma", "viridis", "grey", "jet"}


@pytest.mark.parametrize("name", ["inferno", "magma", "viridis"])
def test_tables_are_those_of_matplotlib(name: str) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="the extra bench is not installed")
    theirs = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    assert np.abs(table(name) - theirs).max() < 2.5


def test_colours_of_values_and_unknown_maps() -> None:
    np.testing.assert_array_equal(coloured(np.float32([-1, 0, 1, 7, np.nan]), "grey")[:, 0], [0, 0, 255, 255, 0])
    with pytest.raises(BadInput, match=r"no colour map is called 'rainbow': expected one of inferno, .*jet"):
        table("rainbow")


def test_blend_mixes_by_opacity() -> None:
    values = np.float32([[0, 1]])
    low, high = opacity(values)[0]
    assert 0 < low < high == pytest.approx(STRENGTH)
    pixels = np.full((1, 2, 3), 100, np.uint8)
    expected = [100 * (1 - low) + 0 * low, 100 * (1 - high) + 255 * high]
    np.testing.assert_allclose(blend(pixels, values, "grey")[0, :, 0], expected, atol=0.51)
    np.testing.assert_array_equal(blend(pixels, values, "grey", strength=0), pixels)


def test_overlay_lies_on_the_picture_edge_to_edge() -> None:
    picture = Image.new("RGB", (80, 40), "white")
    left = overlay(picture, np.float32([[1, 0]]), colours="grey", strength=1)
    pixels = np.asarray(left)[:, :, 0].astype(int)
    assert left.size == picture.size
    assert (pixels[:, :20] == 255).all()
    assert (np.diff(pixels[0, 20:60]) <= 1).all()  # a bicubic overshoots a little
    assert (pixels[:, 60:] == pixels[0, 79]).all()


def drawn(box: Box, label: str = "", size: tuple[int, int] = (200, 120)) -> np.ndarray:
    shapes = list(marks([(box, label)], original=size, at=(10, 10), drawn=size))
    return np.asarray(to_image(Scene(size[0] + 20, size[1] + 20, shapes, "", ground="#00ff00")))


def test_outline_lies_on_the_pixels_of_the_box() -> None:
    pixels = drawn(Box(30, 20, 130, 90))
    painted = (pixels != [0, 255, 0]).any(axis=2)
    ys, xs = np.nonzero(painted)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (40, 139, 30, 99)
    assert not painted[34:96, 44:136].any(), "the inside stays free"
    dark, light = [16, 16, 20], [255, 255, 255]
    assert pixels[60, 40:44].tolist() == [dark, light, light, dark]
    assert pixels[60, 136:140].tolist() == [dark, light, light, dark]


def test_boxes_are_scaled_and_kept_within_the_picture() -> None:
    shapes = list(marks([(Box(500, 0, 1400, 10), "")], original=(1000, 500), at=(7, 9), drawn=(100, 50)))
    assert shapes[0] == Rectangle(57, 9, 50, 1, "#101014", 3)
    one_pixel = next(marks([(Box(0, 0, 1, 1), "")], original=(1, 1), at=(0, 0), drawn=(12, 12)))
    assert one_pixel == Rectangle(0, 0, 12, 12, "#101014", 3)


def plates(boxes: list[tuple[Box, str]], size: tuple[int, int] = (300, 200)) -> list[Rectangle]:
    shapes = marks(boxes, original=size, at=(0, 0), drawn=size)
    return [shape for shape in shapes if isinstance(shape, Rectangle) and shape.line is None]


def test_labels_stand_above_inside_or_below_and_apart() -> None:
    above, inside = plates([(Box(50, 60, 150, 150), "above"), (Box(0, 0, 300, 200), "inside")])
    assert (above.x, above.y + above.height) == (50, 60)
    assert (inside.x, inside.y) == (0, 0)
    right = plates([(Box(290, 60, 300, 150), "kept inside")])[0]
    assert right.x + right.width == 300
    same = plates([(Box(50, 60, 150, 150), name) for name in ("one", "two", "three", "four", "five")])
    assert len(same) == 4, "a fifth label on the same box has no place of its own"
    tops = sorted((plate.y, plate.y + plate.height) for plate in same)
    assert all(low <= high for (_, low), (high, _) in pairwise(tops))


def test_long_labels_keep_their_number() -> None:
    shapes = list(
        marks(
            [(Box(0, 50, 100, 90), "a very long text " * 9 + "62 %")], original=(160, 100), at=(0, 0), drawn=(160, 100)
        )
    )
    words = next(shape for shape in shapes if isinstance(shape, Words))
    assert words.text.startswith("a very")
    assert words.text.endswith("62 %")
    assert text_width(words.text, words.size) <= 160 - 8


def drawn_by(text: str) -> list[tuple[str, Path]]:
    return [(run.text, run.font) for run in fonts.runs(text)]


@pytest.mark.skipif(not fonts.features.check("raqm"), reason="this Pillow has no Raqm, so text has no direction")
def test_a_text_goes_the_way_of_its_first_letter() -> None:
    assert [fonts.direction(text) for text in ("dog, كلب", "كلب, dog", "12 !")] == ["ltr", "rtl", "ltr"]
    comma_last = fonts.font(fonts.BUNDLED, 20).getmask("كلب,", direction="rtl")
    assert fonts.runs("كلب,")[0].direction == "rtl"
    assert bytes(comma_last) != bytes(fonts.font(fonts.BUNDLED, 20).getmask("كلب,", direction="ltr"))


def test_the_bundled_font_holds_what_it_is_for() -> None:
    for text in ("Ein Hund, größer", "собака", "σκύλος", "շուն", "כלב", "كلب", "ძაღლი", "“→” ½±"):
        assert drawn_by(text) == [(text, fonts.BUNDLED)]


def test_letters_without_a_font_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_system_fonts", lambda letters: ())
    fonts.font_for.cache_clear()
    try:
        assert drawn_by("ein 犬!") == [("ein U+72AC!", fonts.BUNDLED)]
        assert "U+72AC" in fonts.remarks(["ein 犬!"])[0]
        assert fonts.remarks(["ein Hund"]) == ()
    finally:
        fonts.font_for.cache_clear()


def test_a_font_is_chosen_by_what_it_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    other = tmp_path / "other.ttf"
    other.write_bytes(fonts.BUNDLED.read_bytes())
    monkeypatch.setattr(fonts, "_system_fonts", lambda letters: (damaged, other))
    monkeypatch.setattr(fonts, "BUNDLED", Path(__file__))
    fonts.font_for.cache_clear()
    try:
        assert drawn_by("hm") == [("hm", other)]
    finally:
        fonts.font_for.cache_clear()


def test_shaping_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts.features, "check", lambda name: False)
    assert "FriBiDi" in fonts.remarks(["كلب"])[0]
    assert fonts.remarks(["dog"]) == ()


def test_what_cannot_be_printed_is_named() -> None:
    assert drawn_by("a\tb\n\x1b[2J\udce9") == [("a b U+001B[2JU+DCE9", fonts.BUNDLED)]
    assert fonts.runs("") == ()


@settings(max_examples=50, deadline=None)
@given(st.text("abc ilmW—", max_size=60), st.integers(10, 400), st.integers(1, 3))
def test_lines_fit_and_lose_nothing_before_the_last(text: str, width: int, lines: int) -> None:
    out = wrapped(text, 13, width, lines)
    assert len(out) <= lines
    assert all(text_width(line, 13) <= width or len(line) <= 1 for line in out)
    if out and not out[-1].endswith("…"):
        assert "".join(out).replace(" ", "") == "".join(text.split())
    assert text_width(shortened(text, 13, width, keep_end=True), 13) <= max(width, text_width("…", 13))


def view(size: tuple[int, int] = (64, 48), text: str = "a dog", **more: object) -> View:
    image = more.pop("image", None) or Image.new("RGB", size, (10, 200, 10))
    values = np.float32([[0, 0.5], [0.5, 1]])
    defaults = {"name": "photo.jpg", "caption": "score 0.31", "boxes": ((Box(4, 4, 30, 30), f"{text} 62 %"),)}
    return View(image, size, title=text, values=values, **(defaults | more))  # type: ignore[arg-type]


def test_the_colour_bar_goes_from_end_to_end() -> None:
    scene = figure([view()], colours="viridis")
    bar = [shape for shape in scene.shapes if isinstance(shape, Raster)][-1]
    pixels = np.asarray(bar.image)
    np.testing.assert_array_equal(pixels[:, [0, -1]], np.stack([table("viridis")[[0, -1]]] * len(pixels)))
    ends = [s for s in scene.shapes if isinstance(s, Words) and s.text in ("0", "1")]
    assert [end.text for end in ends] == ["0", "1"]
    assert ends[0].x < bar.x < bar.x + bar.image.width < ends[1].x


@pytest.mark.parametrize(
    "size", [(1, 1), (64, 48), (480, 360), (6400, 300), (90, 4000), (3000, 3000), (1, 900), (900, 1)]
)
def test_everything_lies_within_the_figure(size: tuple[int, int]) -> None:
    shared = Image.new("RGB", size)
    scene = figure(
        [view(size, text, image=shared) for text in ("a dog", "ein sehr langer Text " * 9)], footer="word " * 60
    )
    assert scene.width < 2500
    for shape in scene.shapes:
        if isinstance(shape, Raster):
            right, bottom = shape.x + shape.image.width, shape.y + shape.image.height
        elif isinstance(shape, Rectangle):
            right, bottom = shape.x + shape.width, shape.y + shape.height
        else:
            right, bottom = round(shape.x + text_width(shape.text, shape.size)), shape.y
        assert 0 <= shape.x <= right <= scene.width
        assert 0 <= shape.y <= bottom <= scene.height


def test_pictures_and_texts_make_a_grid() -> None:
    views = []
    for name in ("one.jpg", "two.jpg"):
        image = Image.new("RGB", (300, 200))
        views += [view((300, 200), text, image=image, name=name) for text in ("a dog", "a cat")]
    rasters = [shape for shape in figure(views).shapes if isinstance(shape, Raster)][:-1]
    assert len(rasters) == 2 * 3
    assert len({shape.x for shape in rasters}) == 3
    assert len({shape.y for shape in rasters}) == 2
    five = figure([view((300, 200), text, image=image) for text in ("a", "b", "c", "d")])
    places = [(shape.x, shape.y) for shape in five.shapes if isinstance(shape, Raster)][:-1]
    assert len({x for x, _ in places}) == 3, "five cells are three and two, not four and one"
    wide = View(Image.new("RGB", (900, 90)), (900, 90), "wide.jpg", "a dog", "", np.ones((1, 1), np.float32))
    rows = [shape.y for shape in figure([*views, wide]).shapes if isinstance(shape, Raster)][:-1]
    assert sorted(rows.count(y) for y in set(rows)) == [1, 1, 3, 3], (
        "a panorama has lines to itself, the others keep theirs"
    )
    with pytest.raises(ValueError, match="at least one view"):
        figure([])


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")])
def test_formats(suffix: str, kind: str) -> None:
    scene = figure([view()])
    with Image.open(io.BytesIO(encode(scene, suffix))) as image:
        assert (image.format, image.size) == (kind, (scene.width, scene.height))


@pytest.mark.parametrize("suffix", [".bmp", "", ".html"])
def test_other_formats_are_refused(suffix: str) -> None:
    with pytest.raises(BadInput, match=r"\.png, .* or \.svg"):
        encode(figure([view()]), suffix)


def test_svg_is_xml_that_keeps_the_text() -> None:
    text = 'a <dog> & "cat" \x00 犬 كلب'
    scene = figure([view(text=text, name="</svg>\x1b.jpg")], footer="<&>")
    root = ElementTree.fromstring(to_svg(scene))  # our own
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[:2] == ["</svg>U+001B.jpg", "64 × 48"]  # noqa: RUF001
    assert 'a <dog> & "cat" U+0000 犬 كلب' in texts
    assert "<&>" in texts
    assert len(list(root.iter(f"{SVG}image"))) == 3
    assert all(image.get("href", "").startswith("data:image/") for image in root.iter(f"{SVG}image"))
    assert "heat map, a <dog>" in (root.findtext(f"{SVG}title") or "")


def test_svg_and_pixels_draw_boxes_alike() -> None:
    root = ElementTree.fromstring(to_svg(Scene(50, 40, [Rectangle(10, 5, 20, 30, "#123456", 4)], "")))
    outline = list(root.iter(f"{SVG}rect"))[-1]
    x, y, width, height, line = (float(outline.attrib[k]) for k in ("x", "y", "width", "height", "stroke-width"))
    assert (x - line / 2, y - line / 2, width + line, height + line) == (10, 5, 20, 30)


def test_a_sweep_has_one_frame_a_text() -> None:
    scenes = list(frames([view(text=text) for text in ("a dog", "a very long text that needs two lines, surely", "x")]))
    assert len({(scene.width, scene.height) for scene in scenes}) == 1
    with Image.open(io.BytesIO(animate(scenes, ".webp", seconds=0.5))) as moving:
        assert (moving.format, moving.n_frames) == ("WEBP", 3)
    with pytest.raises(BadInput, match="animation"):
        animate(scenes, ".svg")
