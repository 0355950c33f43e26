"""``wordsight explain``: what it prints, writes, refuses and skips; with the toy encoder, whose places are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from wordsight.cli.app import build
from wordsight.cli.preview import Graphics
from wordsight.errors import WordsightError
from wordsight.explain.statistics import statistics
from wordsight.library import Library
from wordsight.testing import ColourEncoder, colour_image
from wordsight.types import SaliencyMap
from wordsight.why import Estimator

app = build()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos in the working folder: halves.png is red on the left, blue on the right."""
    photos = tmp_path / "photos"
    photos.mkdir()
    monkeypatch.chdir(photos)
    colour_image("red", "blue", size=64).save("halves.png")
    colour_image("green", "green", "red", "green", size=128).save("stripes.png")
    return photos


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, words), "--encoder", "colours"])


def message(*words: object) -> str:
    result = run(*words)
    assert isinstance(result.exception, WordsightError), result.output
    return str(result.exception)


def records(*words: object) -> list[dict[str, object]]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_lines_and_objects_are_these(golden: Callable[[str, bytes], None], folder: Path) -> None:
    words = ("halves.png", "stripes.png", "red", "a blue thing", "green")
    golden("explain.txt", run(*words).stdout.encode())
    got = run(*words, "--json").stdout.replace(json.dumps(str(folder))[1:-1], "/photos")
    golden("explain.json", got.encode())


def test_a_box_lies_where_the_colour_is() -> None:
    (red,) = records("halves.png", "red")
    assert red["boxes"] == [{"left": 0, "top": 0, "right": 32, "bottom": 64, "score": 1.0}]
    (blue,) = records("halves.png", "blue", "--boxes", 1)
    assert blue["boxes"] == [{"left": 32, "top": 0, "right": 64, "bottom": 64, "score": 1.0}]
    assert records("halves.png", "red", "--boxes", 0)[0]["boxes"] == []
    assert records("halves.png", "green")[0]["boxes"] == [], "no place speaks for it"


def test_what_it_is_not_and_what_else_it_could_be_move_the_map() -> None:
    without = records("halves.png", "red and blue", "--not", "blue")[0]
    assert without["boxes"][0]["right"] == 32
    against = records("halves.png", "red and blue", "--against", "red")[0]
    assert against["boxes"][0]["left"] == 32


def test_a_softmax_compares_with_the_other_texts() -> None:
    plain = records("halves.png", "red and blue", "--against", "red")[0]
    sharp = records("halves.png", "red and blue", "--against", "red", "--softmax", 0.05)[0]
    assert sharp["boxes"][0]["left"] == plain["boxes"][0]["left"] == 32
    assert sharp["map"]["entropy"] != plain["map"]["entropy"]
    assert "--against" in message("halves.png", "red", "--softmax", 0.01)


def test_smaller_parts_make_finer_maps() -> None:
    colour_image("red", *["blue"] * 15, size=128).save("corner.png")
    run("corner.png", "red", "--map", "coarse.npy", "--size", 32)
    run("corner.png", "red", "--map", "fine.npy", "--size", 32, "--crop", 0.5, "--flip")
    coarse, fine = (np.load(f"{name}.npy")[0] >= 0.5 for name in ("coarse", "fine"))
    assert 0 < fine.sum() < coarse.sum()
    assert "crops from 0.05" in message("corner.png", "red", "--crop", 1.5)


def test_options_that_would_do_nothing_are_refused() -> None:
    assert "gradcam" in message("halves.png", "red", "--smooth")
    assert run("halves.png", "red", "--smooth", "--method", "gradcam").exit_code == 0
    assert run("halves.png", "red", "--size", 32, "--size", 64).exit_code == 0


def test_what_was_found_is_covered_and_asked_again() -> None:
    colour_image("red", "white", "white", "white", "white", "white", "white", "white", "red", size=96).save("two.png")
    found = records("two.png", "red", "--rounds", 4)
    assert [one["round"] for one in found] == [1, 2]
    assert [len(one["boxes"]) for one in found] == [1, 1]
    assert found[0]["match"] is not None
    assert found[1]["match"] is None
    first, second = (one["boxes"][0] for one in found[:2])
    assert first["right"] <= second["left"] or second["right"] <= first["left"], "another place"
    assert "round" not in records("two.png", "red")[0]
    assert [one["round"] for one in records("two.png", "green", "--rounds", 4)] == [1], "no place speaks for it"
    assert ", round 2: score" in run("two.png", "red", "--rounds", 2, "-o", "why.png").stdout


@pytest.mark.parametrize("name", ["why.png", "why.jpg", "why.webp", "WHY.PNG"])
def test_figures(name: str) -> None:
    result = run("halves.png", "stripes.png", "red", "-o", name)
    assert result.exit_code == 0, result.output
    assert f"figure: {Path(name).absolute().as_uri()}" in result.stderr
    with Image.open(name) as figure:
        assert figure.width > 2 * 64
    assert sorted(path.name for path in Path().iterdir()) == sorted(["halves.png", "stripes.png", name]), "no leftovers"


def test_svg_holds_the_text() -> None:
    run("halves.png", "red <thing>", "-o", "why.svg")
    assert ">red &lt;thing&gt;</text>" in Path("why.svg").read_text("utf-8")


def test_a_sweep_is_an_animation() -> None:
    run("halves.png", "red", "blue", "--sweep", "-o", "why.gif")
    with Image.open("why.gif") as moving:
        assert moving.n_frames == 2
    assert "-o FILE.webp" in message("halves.png", "red", "--sweep")


def test_maps_are_written() -> None:
    run("halves.png", "red", "blue", "--map", "why.npy")
    maps = np.load("why.npy")
    assert (maps.shape, maps.dtype) == ((2, 64, 64), np.float32)
    assert maps[0, :, :32].min() > maps[0, :, 32:].max()
    np.testing.assert_allclose(maps[0], maps[1][:, ::-1])
    assert "one picture" in message("halves.png", "stripes.png", "red", "--map", "why.npy")


def test_a_bad_picture_among_several_is_skipped_and_listed() -> None:
    Path("bad.jpg").write_bytes(b"no picture")
    result = run("bad.jpg", "halves.png", "gone.png", "red", "-o", "why.png")
    assert result.exit_code == 1
    assert result.stdout.startswith("halves.png: ")
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped ")]
    assert [line.split(":")[0] for line in skipped] == ["skipped bad.jpg", "skipped gone.png"]
    assert "no picture could be explained" in message("bad.jpg", "red")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a dog", "halves.png"), "a picture first"),
        (("halves.png",), "a text after the pictures"),
        (("halves.png", " "), "a text after the pictures"),
        (("halves.png", "red", "-o", "halves.png"), "is the picture to explain"),
        (("halves.png", "red", "-o", "./halves.png"), "is the picture to explain"),
        (("halves.png", "red", "-o", "why.bmp"), "written as .png"),
        (("halves.png", "red", "-o", "why.svg", "--sweep"), "an animation is written as"),
        (("halves.png", "red", "-o", "nowhere/why.png"), "cannot write the figure"),
        (("halves.png", "red", "--colours", "rainbow"), "expected one of inferno"),
        (("halves.png", "red", "--method", "guess"), "has no method 'guess'; it has projected"),
        (("halves.png", "red", "--threshold", "0"), "above 0 and at most 1"),
        (("halves.png", "red", "--map", "why.txt"), ".npy"),
    ],
)
def test_bad_input_says_what_to_do(words: tuple[str, ...], said: str) -> None:
    before = Path("halves.png").read_bytes()
    assert said in message(*words)
    assert Path("halves.png").read_bytes() == before


def test_texts_may_be_names_of_folders_and_very_long() -> None:
    Path("red").mkdir()
    assert [row["text"] for row in records("halves.png", "red", "blue " * 900)] == ["red", "blue " * 900]


def test_previews_are_drawn_where_a_terminal_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No preview" in run("halves.png", "red", "--preview").stderr
    monkeypatch.setattr("wordsight.cli.preview.detect", lambda stream: Graphics.BLOCKS)
    shown = run("halves.png", "red", "--preview").stdout
    assert "\u2580" in shown
    assert shown.index("halves.png") < shown.index("\u2580")


def test_a_photo_by_itself_gets_the_estimate_of_a_catalogue_of_one(folder: Path) -> None:
    (folder / "stripes.png").unlink()
    with Library(ColourEncoder()) as library:
        library.sync(folder)
        (hit,) = library.search("red").hits
    assert hit.match is not None
    with Image.open("halves.png") as image:
        encoder = ColourEncoder()
        alone = Estimator(encoder)(encoder.encode_images([image.convert("RGB")]), ["red"])
    assert alone is not None
    assert float(alone[0, 0]) == pytest.approx(hit.match, abs=1e-3)


def search(*words: object) -> Result:
    return CliRunner().invoke(app, ["search", *map(str, words), "--encoder", "colours", "--all"])


def test_search_explains_its_hits(folder: Path) -> None:
    CliRunner().invoke(app, ["index", str(folder), "--encoder", "colours"])
    found = {
        Path(row["path"]).name: row
        for row in map(json.loads, search("blue", "--json", "--explain").stdout.splitlines())
    }
    assert [(box["left"], box["right"]) for box in found["halves.png"]["boxes"]] == [(32, 64)]
    assert found["stripes.png"]["boxes"] == []
    less = search("red and blue", "-", "blue", "--json", "--explain")
    halves = next(row for row in map(json.loads, less.stdout.splitlines()) if "halves" in row["path"])
    assert [(box["left"], box["right"]) for box in halves["boxes"]] == [(0, 32)], "what is taken away speaks against"
    assert "boxes" not in json.loads(search("blue", "--json").stdout.splitlines()[0])
    assert search("blue", "--html", "hits.html", "--explain").exit_code == 0
    page = Path("hits.html").read_text("utf-8")
    assert page.count('<svg class="why"') == 2
    assert "blue: right, 50 % of the photo." in page


def test_search_says_what_cannot_be_explained(folder: Path) -> None:
    CliRunner().invoke(app, ["index", str(folder), "--encoder", "colours"])
    assert "add --html FILE or --json" in str(search("blue", "--explain").exception)
    assert "only texts can be explained" in str(search("./halves.png", "--json", "--explain").exception)
    both = search("red", "+", "./halves.png", "--json", "--explain")
    assert json.loads(both.stdout.splitlines()[0])["boxes"]


def test_statistics_of_maps() -> None:
    values = np.zeros((2, 4), np.float32)
    assert statistics(SaliencyMap(values, ""), (400, 200), 0.5).peak is None
    values[1, 2] = 1
    one = statistics(SaliencyMap(values, ""), (400, 200), 0.5)
    assert (one.peak, one.entropy, one.above) == ((250, 150), 0, 1 / 8)
    even = statistics(SaliencyMap(np.ones((2, 4), np.float32), ""), (400, 200), 0.5)
    assert (even.entropy, even.above) == (pytest.approx(1), 1)
    assert statistics(SaliencyMap(np.ones((1, 1), np.float32), ""), (1, 1), 0.5).entropy == 0
