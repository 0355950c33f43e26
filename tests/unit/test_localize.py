"""Boxes of data sets, and ``wordsight localize`` from the files to the table, on pictures whose answer is known."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from wordsight.cli.localize import localize
from wordsight.datasets.boxes import load_boxes
from wordsight.errors import BadInput
from wordsight.explain import explainer
from wordsight.faithful import faithfulness
from wordsight.images.corruptions import Corruption
from wordsight.localization import label_explainer
from wordsight.localization import localize as measure
from wordsight.registry import load_encoder
from wordsight.testing import COLOURS, ColourEncoder
from wordsight.types import Box

BOX = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
THING = f"<object><name>{{}}</name><difficult>{{}}</difficult>{BOX}</object>"
SMALL = "<annotation><size><width>9</width><height>9</height></size>{}</annotation>"
SIZE = (96, 64)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three pictures on white: red in a corner alone; red and blue; green that is difficult, beside blue."""
    pictures = {
        "000001": [("red", 0, Box(0, 0, 32, 24))],
        "000002": [("red", 0, Box(8, 8, 40, 40)), ("blue", 0, Box(64, 24, 96, 64))],
        "000003": [("green", 1, Box(0, 0, 24, 24)), ("blue", 0, Box(32, 16, 64, 48))],
    }
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (tmp_path / folder).mkdir(parents=True)
    for name, things in pictures.items():
        image = Image.new("RGB", SIZE, "white")
        objects = ""
        for label, difficult, box in things:
            image.paste(COLOURS[label], box[:4])
            objects += THING.format(label, difficult, box.left + 1, box.top + 1, box.right, box.bottom)
        image.save(tmp_path / "JPEGImages" / f"{name}.jpg", quality=95)
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
        (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    for label in ("red", "blue", "green"):
        shown = {name for name, things in pictures.items() if label in [thing[0] for thing in things]}
        rows = [f"{name} {1 if name in shown else -1}" for name in pictures]
        (tmp_path / "ImageSets" / "Main" / f"{label}_test.txt").write_text("\n".join(rows))
    return tmp_path


def test_boxes_are_counted_from_zero_and_difficult_ones_are_no_targets(voc):
    task = load_boxes("voc2007", voc)
    assert [image.size for image in task.images] == [SIZE] * 3
    assert dict(task.images[0].boxes) == {"red": (Box(0, 0, 32, 24),)}
    assert dict(task.images[2].boxes) == {"blue": (Box(32, 16, 64, 48),)}
    assert [image.things for image in task.images] == [1, 2, 2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<annotation>", "no element found"),
        ("<annotation></annotation>", "no size/width"),
        ("<annotation><size><width>0</width><height>3</height></size></annotation>", "0 x 3"),
        (SMALL.format(THING.format("red", 0, 8, 1, 2, 9)), "turned inside out"),
    ],
)
def test_a_bad_annotation_is_skipped_with_its_reason(voc, content, reason):
    (voc / "Annotations" / "000001.xml").write_text(content)
    task = load_boxes("voc2007", voc)
    assert [image.image.image_id for image in task.images] == ["000002", "000003"]
    assert reason in task.skipped["000001"]


def test_no_annotation_at_all_is_an_error(voc):
    for file in (voc / "Annotations").iterdir():
        file.unlink()
    with pytest.raises(BadInput, match="000001"):
        load_boxes("voc2007", voc)
    with pytest.raises(BadInput, match="voc2007"):
        load_boxes("voc2012", voc)


def test_an_explainer_that_sees_colours_finds_them_all(voc):
    result = measure(load_boxes("voc2007", voc), explainer(ColourEncoder()))
    assert [(case.image_id, case.query_id) for case in result.cases] == [
        ("000001", "red"),
        ("000002", "blue"),
        ("000002", "red"),
        ("000003", "blue"),
    ]
    assert result.measures["pointing"] == 1
    assert result.measures["pointing_center_baseline"] == pytest.approx(1 / 4)  # blue in the last picture only
    assert result.measures["pointing_off_center_center_baseline"] == 0
    assert result.measures["loc@0.5"] == 1  # the first picture: one thing
    assert result.measures["loc@0.5_whole_image_baseline"] == 0
    assert result.measures["energy_whole_image_baseline"] == pytest.approx(
        (32 * 24 + 32 * 32 + 32 * 40 + 32 * 32) / 4 / (96 * 64)
    )
    assert result.measures["energy"] > 0.9
    assert result.by_label["blue"] == {"cases": 2, "pointing": 1}


def test_a_picture_that_cannot_be_read_is_skipped(voc):
    (voc / "JPEGImages" / "000002.jpg").write_bytes(b"no picture")
    result = measure(load_boxes("voc2007", voc), explainer(ColourEncoder()))
    assert len(result.cases) == 2
    assert list(result.skipped) == ["000002"]
    for file in (voc / "JPEGImages").iterdir():
        file.unlink()
    with pytest.raises(BadInput, match="missing"):
        measure(load_boxes("voc2007", voc), explainer(ColourEncoder()))


def test_a_sample_and_altered_pictures(voc):
    task = load_boxes("voc2007", voc)
    assert [image.image.image_id for image in task.sample(2).images] == ["000001", "000002"]
    assert task.sample(9).images == task.images
    grey = task.altered(lambda image: Image.new("RGB", image.size, (128, 128, 128)))
    assert measure(grey, explainer(ColourEncoder())).measures["pointing"] < 1
    assert grey.images[0].boxes == task.images[0].boxes


def test_faithful_maps_lose_the_score_first_and_random_weights_make_other_maps(voc):
    class Turned(ColourEncoder):
        """Takes every colour for the next."""

        def encode_texts(self, texts):
            return super().encode_texts(texts)[:, [1, 2, 3, 4, 5, 6, 7, 0]]

    task = load_boxes("voc2007", voc)
    found = faithfulness(task, explainer(ColourEncoder()), explainer(Turned()))
    assert found["n_cases"] == 3
    assert found["deletion"] < found["deletion_chance_baseline"]
    assert found["insertion"] > found["insertion_chance_baseline"]
    assert found["sanity"] < 0.5
    same = faithfulness(task, explainer(ColourEncoder()), explainer(ColourEncoder()))
    assert same["sanity"] == pytest.approx(1)


@pytest.fixture
def run() -> Callable[..., list[str]]:
    app = typer.Typer()
    app.command()(localize)

    def call(*words: str) -> list[str]:
        done = CliRunner().invoke(app, ["--task", "voc2007", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout.splitlines()

    return call


def test_json(voc, run):
    (line,) = run("--root", str(voc), "--encoder", "colours", "--json", "--faithfulness", "2")
    report = json.loads(line)
    assert (report["task"], report["encoder"], report["method"]) == ("voc2007", "colours", "projected")
    assert (report["n_images"], report["n_cases"], report["n_alone"]) == (3, 4, 1)
    assert report["measures"]["pointing"] == report["measures"]["loc@0.5"] == 1
    assert {f"pointing_{of}_baseline" for of in ("center", "whole_image", "chance")} <= report["measures"].keys()
    assert report["faithfulness"]["n_cases"] == 2
    assert len(report["faithfulness"]["curves"]["insertion"]) == 11
    assert report["settings"]["texts"]["red"] == "red"


def test_one_object_a_corruption(voc, run):
    lines = run("--root", str(voc), "--encoder", "colours", "--json", "--corrupt", "blur")
    reports = [json.loads(line) for line in lines]
    assert [report["corruption"] for report in reports] == [f"blur:{level}" for level in range(1, 6)]


def test_the_table_has_the_baselines_beside_the_map(voc, run):
    (voc / "Annotations" / "000001.xml").write_text("")
    lines = run("--root", str(voc), "--encoder", "colours", "--method", "gradcam", "--plain")
    assert any(line.startswith("skipped 000001: its annotation cannot be read") for line in lines)
    heads = next(line for line in lines if "whole image" in line)
    assert heads.index("map") < heads.index("centre") < heads.index("whole image") < heads.index("chance")
    assert next(line for line in lines if " pointing " in line).split("│")[2].strip() == "1.0000"


def test_bad_requests(voc):
    app = typer.Typer()
    app.command()(localize)
    for words, said in (
        (["--corrupt", "fig"], "fog"),
        (["--randomised", "colours"], "--faithfulness"),
        (["--method", "gradcamm"], "gradcam"),
    ):
        with pytest.raises(BadInput, match=said):
            CliRunner().invoke(
                app, ["--task", "voc2007", "--root", str(voc), "--encoder", "colours", *words], catch_exceptions=False
            )


@pytest.mark.data
def test_maps_of_the_shipped_model_find_more_than_the_centre(data):
    task = load_boxes("voc2007", data / "voc2007").sample(40)
    found = measure(task, label_explainer(load_encoder("mini"))).measures
    assert found["pointing"] > found["pointing_center_baseline"]
    assert found["pointing_off_center"] > 0.4
    assert found["energy"] > 1.4 * found["energy_whole_image_baseline"]


def test_corruptions_reach_the_pictures(voc):
    task = load_boxes("voc2007", voc).altered(Corruption("jpeg", 5))
    before, after = (each.images[0].image.load(None).getpixel((5, 5)) for each in (load_boxes("voc2007", voc), task))
    assert after != before
