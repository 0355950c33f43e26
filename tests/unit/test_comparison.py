"""A whole comparison of a small folder: results, report, resuming, advice."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from wordsight.comparison import Comparison, Plan, Store, choose, compare, open_material
from wordsight.comparison import classical as classical_module
from wordsight.comparison import run as run_module
from wordsight.comparison.advice import crossing, summarised
from wordsight.comparison.material import Material
from wordsight.comparison.report import plots as plots_module
from wordsight.comparison.report import write_report
from wordsight.comparison.report.text import latex, markdown
from wordsight.comparison.results import Curve, Difference, Point
from wordsight.comparison.workbench import Workbench
from wordsight.errors import BadInput
from wordsight.experiment import run_task
from wordsight.registry import load_encoder
from wordsight.testing import ColourEncoder, colour_image

COLOURS = ("red", "green", "blue", "yellow")
SCENARIOS = "gallery,exemplars,clusters,prompts,threshold,labels,unseen,absent,robustness-noise"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders whose pictures are mostly of one colour, some hard to tell under noise."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for colour in COLOURS:
        (root / colour).mkdir()
        for number in range(16):
            pixels = np.asarray(colour_image(colour, "black" if number % 3 else "white", size=32), np.float64)
            noisy = np.clip(pixels + rng.normal(0, 120 if number % 2 else 30, pixels.shape), 0, 255)
            PILImage.fromarray(noisy.astype(np.uint8)).save(root / colour / f"{number}.png")
    (root / "red" / "broken.png").write_bytes(b"no picture")
    return root


def plan(folder: Path, scenarios: str) -> Plan:
    return Plan({"colours": ColourEncoder()}, True, choose(scenarios), scenarios, 0, 2, "wordsight compare", folder)


@pytest.fixture(autouse=True)
def _few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical_module, "DEFAULTS", {"small": "hog,colour", "photo": "hog,colour"})


@pytest.fixture(scope="module")
def material(folder: Path) -> Material:
    return open_material("folder", folder)


@pytest.fixture(scope="module")
def made(material: Material, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical_module, "DEFAULTS", {"small": "hog,colour", "photo": "hog,colour"})
        found = compare(material, plan(folder, SCENARIOS), Store(out))
    write_report(found, out, pictures=material.task.images)
    return found, out


def test_the_material_shares_no_picture_and_counts_what_cannot_be_read(material: Material) -> None:
    assert material.pictures is not None
    assert set(material.keys.values()).isdisjoint(material.pictures.keys)
    assert len(material.keys) + len(material.pictures.items) == 64
    assert list(material.skipped) == ["red/broken.png"]
    assert material.limits == {"gallery": 32, "labels": 4, "unseen": 2, "exemplars": 8}


def test_engines_fusions_and_tests(made: tuple[Comparison, Path]) -> None:
    found, _ = made
    assert [(engine.name, engine.kind) for engine in found.engines] == [
        ("colours", "learned"),
        ("classical", "classical"),
        ("rank fusion", "fusion"),
        ("score fusion", "fusion"),
    ]
    assert len(found.tests) == 12  # six pairs, over queries and over pictures
    assert all(test.p <= test.p_holm <= 1 for test in found.tests)
    for engine in found.engines:
        assert engine.means["mAP"] == pytest.approx(np.mean(list(engine.per_query.values())), abs=1e-5)
        assert np.allclose(np.sum(engine.confusion, axis=1), 1, atol=1e-3)
    cost = found.engine("classical").cost
    assert cost is not None
    assert cost.fit_seconds is not None
    assert cost.index_bytes == 2 * (4 + 3)  # four shares, and three directions that tell four labels apart
    assert cost.seconds_a_picture > 0


def test_the_base_of_a_comparison_is_what_evaluate_measures(made: tuple[Comparison, Path], material: Material) -> None:
    found, out = made
    for name, encoder in (("colours", "colours"), ("classical", str(out / "classical.wsc"))):
        alone = run_task(material.task, load_encoder(encoder)).measures
        for measure in ("mAP", "accuracy", "P@10"):
            assert found.engine(name).means[measure] == pytest.approx(alone[measure], abs=1e-6), (name, measure)


def test_match_estimates_are_judged_as_evaluate_does(made: tuple[Comparison, Path], material: Material) -> None:
    found, _ = made
    trust = found.engine("colours").estimates
    alone = run_task(material.task, load_encoder("colours"), estimates=True).estimates
    assert trust is not None
    assert alone is not None
    assert trust.shown.count == alone.count == 4 * 10
    assert trust.pairs.count == 4 * 32
    assert trust.shown.error == pytest.approx(alone.error, abs=1e-4)
    assert found.engine("classical").estimates is None
    assert "match estimates of colours err by" in " ".join(found.summary)
    assert f"colours {trust.shown.error * 100:.1f} % over these 40 hits" in markdown(found)


def test_scenarios_become_curves(made: tuple[Comparison, Path]) -> None:
    found, _ = made
    curves = {curve.scenario: curve for curve in found.curves}
    assert list(curves) == SCENARIOS.split(",")
    assert [point.at for point in curves["exemplars"].lines["classical"]] == [1, 2, 5, 8]
    assert curves["exemplars"].still == {"colours": found.engine("colours").means["mAP"]}
    assert set(curves["prompts"].lines) == {"colours"}
    whole = curves["gallery"].lines["classical"][-1]
    assert (whole.at, whole.value) == (32, found.engine("classical").means["mAP"])
    assert all(point.value == 0 for point in curves["unseen"].lines["classical"])
    assert all(point.value > 0.5 for point in curves["unseen"].lines["colours"])
    assert all(point.value == 1 for point in curves["absent"].lines["classical"])
    spoiled = curves["robustness-noise"].lines["classical"]
    assert spoiled[0].value == pytest.approx(whole.value)


def test_the_folder_gets_an_engine_and_commands(made: tuple[Comparison, Path], folder: Path) -> None:
    found, _ = made
    assert found.choice is not None
    assert found.choice.engine in ("colours", "classical")
    assert found.choice.picked_on + found.choice.confirmed_on == 32
    assert f"--in {folder}" in found.choice.commands[-1]


class _Page(HTMLParser):
    """Collects what a browser would load and show."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.roles: list[dict[str, str | None]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("src", "href", "xlink:href") if name in given]
        self.ids += [str(given["id"])] if "id" in given else []
        if tag == "img":
            self.images.append(given)
        if given.get("role") == "img":
            self.roles.append(given)


def test_the_page_needs_no_network_and_tells_what_it_shows(made: tuple[Comparison, Path]) -> None:
    _, out = made
    text = (out / "report.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert all(link.startswith(("#", "data:image/jpeg")) for link in page.links)
    assert not re.search(r"url\((?!#)", text)
    assert page.images
    assert all(image["alt"] for image in page.images)
    assert len(page.roles) == 2 + len(SCENARIOS.split(","))
    assert all(re.search(r"\d %|at \d", str(plot["aria-label"])) for plot in page.roles)
    assert len(page.ids) == len(set(page.ids)) > 0
    named = {first or second for first, second in re.findall(r"url\(#([^)]*)\)|href=\"#([^\"]*)\"", text)}
    assert named <= set(page.ids)
    assert "font-family: 'DejaVu" not in text, "a plot has other letters than the page"
    assert "#0000" not in text, "a colour of a plot was not handed to the page"
    assert all("fill: var(--ink)" in style for style in re.findall(r'<text style="([^"]*)"', text)), "not for the dark"


def test_pictures_are_shown_only_where_they_may(made: tuple[Comparison, Path], tmp_path: Path) -> None:
    found, _ = made
    write_report(found, tmp_path)
    assert "<img" not in (tmp_path / "report.html").read_text("utf-8")


def test_without_matplotlib_the_page_has_its_tables(made: tuple[Comparison, Path], tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(plots_module, "find_spec", lambda name: None)
    write_report(made[0], tmp_path)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<svg" not in text
    assert "wordsight[compare]" in text
    assert "Does it get harder with more labels?" in text


def test_json_markdown_and_latex_say_the_same(made: tuple[Comparison, Path]) -> None:
    found, out = made
    content = json.loads((out / "report.json").read_text("utf-8"))
    assert content["engines"][1]["means"] == found.engine("classical").means
    shown = f"{found.engine('classical').means['mAP'] * 100:.1f} %"
    assert shown in (out / "report.md").read_text("utf-8")
    assert shown.replace("%", r"\%") in (out / "report.tex").read_text("utf-8")


def test_latex_and_markdown_escape_what_they_read_as_signs(made: tuple[Comparison, Path], tmp_path: Path) -> None:
    found = made[0]
    odd = dataclasses.replace(found.engines[0], name=r"a_b&c|50%\x")
    changed = dataclasses.replace(found, engines=(odd,), curves=(), tests=(), disagreements=())
    assert r"a\_b\&c|50\%\textbackslash{}x" in latex(changed)
    write_report(changed, tmp_path)
    assert r"a_b&c\|50%\x" in (tmp_path / "report.md").read_text("utf-8")
    assert "a_b&amp;c|50%" in (tmp_path / "report.html").read_text("utf-8")


def test_resuming_does_nothing_again(
    made: tuple[Comparison, Path], material: Material, folder: Path, monkeypatch
) -> None:
    found, out = made

    def refuse(*_: object) -> None:
        raise AssertionError("an experiment was run again")

    monkeypatch.setattr(Workbench, "run", refuse)
    again = compare(material, plan(folder, SCENARIOS), Store(out))
    assert again == dataclasses.replace(found, provenance=again.provenance)
    assert (again.provenance.date, again.provenance.machine) == (found.provenance.date, found.provenance.machine)
    assert again.provenance.seconds == found.provenance.seconds, "only the report was written again"


def command(folder: Path, out: Path, *more: str) -> list[str]:
    words = ["compare", "--task", "folder", "--root", str(folder), "--encoders", "colours,classical"]
    return [sys.executable, "-m", "wordsight", *words, "--scenarios", "gallery,labels", "-o", str(out), *more]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_a_killed_comparison_continues(folder: Path, tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert subprocess.run(command(folder, whole), capture_output=True).returncode == 0
    process = subprocess.Popen(command(folder, torn), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list((torn / "cells").glob("*.json"))) < 5 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    files = [file for file in (torn / "cells").glob("*.json") if '{"seconds"' not in file.read_text()]  # but the clock
    before = {file: file.stat().st_mtime_ns for file in files}
    assert subprocess.run(command(folder, torn, "--resume"), capture_output=True).returncode == 0
    assert all(file.stat().st_mtime_ns == moment for file, moment in before.items())
    first, second = (json.loads((out / "report.json").read_text("utf-8")) for out in (whole, torn))
    assert first["curves"] == second["curves"]
    assert first["tests"] == second["tests"]


def test_an_engine_fitted_on_the_gallery_is_refused(
    made: tuple[Comparison, Path], folder: Path, tmp_path: Path
) -> None:
    everything = tmp_path / "everything.wsc"
    fitted = [sys.executable, "-m", "wordsight", "fit", str(folder), "-o", str(everything), "--features", "colour"]
    assert subprocess.run(fitted, capture_output=True).returncode == 0
    words = [
        *command(folder, tmp_path / "out")[:-4],
        "--encoders",
        f"colours,{everything}",
        "-o",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert "are exemplars too" in done.stderr


def test_a_fitted_file_is_joined_where_scenarios_fit_anew(
    made: tuple[Comparison, Path], material: Material, folder: Path, tmp_path: Path
) -> None:
    file = str(made[1] / "classical.wsc")
    engines = {"colours": ColourEncoder(), file: load_encoder(file)}
    scenarios = choose("exemplars,prompts,labels,unseen")
    with_file = Plan(engines, False, scenarios, "some", 0, 2, "wordsight compare", folder)
    found = compare(material, with_file, Store(tmp_path))
    write_report(found, tmp_path)
    assert [engine.name for engine in found.engines] == ["colours", file, "rank fusion", "score fusion"]
    assert found.engine(file).means == made[0].engine("classical").means
    curves = {curve.scenario: curve for curve in found.curves}
    fresh = {curve.scenario: curve for curve in made[0].curves}
    assert set(curves["exemplars"].lines) == {"classical"}
    assert set(curves["exemplars"].still) == set(curves["prompts"].lines | curves["prompts"].still) == {"colours", file}
    for name in ("labels", "unseen"):  # an engine that knows a label cannot show what happens without it
        assert curves[name].lines == fresh[name].lines
        assert not curves[name].still
    assert (
        f"{file} cannot be fitted anew, as exemplars, labels, unseen ask for: the classical engine" in found.notes[-1]
    )
    assert "exemplars of a label" in " ".join(found.summary) or "or more exemplars" in " ".join(found.summary)
    assert "| fitting | none | done before |" in (tmp_path / "report.md").read_text("utf-8")

    alone = compare(dataclasses.replace(material, exemplars=None, pictures=None), with_file, Store(tmp_path / "alone"))
    assert [curve.scenario for curve in alone.curves] == ["prompts", "labels", "unseen"]
    assert all(file not in curve.lines for curve in alone.curves)
    assert "exemplars was left out: it varies the classical engine, for which there are no exemplars" in alone.notes[-2]
    assert "there are no exemplars here to fit another from" in alone.notes[-1]


class _Tunable(ColourEncoder):
    """An encoder that finds out what runs it fastest."""

    runtime = "abacus"
    tuned = 0

    def tune(self) -> None:
        self.tuned += 1


@pytest.mark.parametrize(("many", "tuned"), [(1, 1), (1_000, 0)])
def test_an_encoder_is_tuned_before_many_pictures(
    material: Material, tmp_path: Path, monkeypatch, many: int, tuned: int
) -> None:
    monkeypatch.setattr(run_module, "MANY", many)
    encoder = _Tunable()
    compare(material, Plan({"colours": encoder}, False, (), "none", 0, 1, ""), Store(tmp_path))
    assert encoder.tuned == tuned


def test_fewer_than_one_engine_is_refused(material: Material, tmp_path: Path) -> None:
    nothing = Plan({}, False, (), "none", 0, 1, "")
    with pytest.raises(BadInput, match="at least one engine"):
        compare(material, nothing, Store(tmp_path))


def curve(*values: float) -> Curve:
    points = tuple(Point(at, value, value, value, 1) for at, value in zip((1, 5, 10, 50), values, strict=True))
    return Curve("exemplars", "", "exemplars", "mAP", {}, True, {"classical": points}, {"colours": 0.5})


def test_captions_are_compared_in_both_directions(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = ["image,caption_id,split,caption"]
    for colour in COLOURS:
        colour_image(colour, size=32).save(tmp_path / "images" / f"{colour}.png")
        rows += [f"{colour}.png,{number},dev,{colour}" for number in range(5)]
    (tmp_path / "captions.csv").write_text("\n".join(rows), "utf-8")
    material = open_material("captions", tmp_path, split="dev")
    asked = Plan({"colours": ColourEncoder()}, False, choose("gallery"), "gallery", 0, 2, "wordsight compare", folder)
    found = compare(material, asked, Store(tmp_path / "report"))
    means = found.engines[0].means
    assert means["MRR"] == 1.0
    assert means["Success@1"] == means["image_to_text Success@1"] == 1.0
    write_report(found, tmp_path / "report")
    assert "image_to_text Success@1" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_the_crossing_is_where_it_stays_above() -> None:
    assert crossing(curve(0.1, 0.6, 0.4, 0.7), 0.5, "classical") == 50
    assert crossing(curve(0.1, 0.6, 0.7, 0.7), 0.5, "classical") == 5
    assert crossing(curve(0.1, 0.2, 0.3, 0.4), 0.5, "classical") is None


def advised(made: Comparison, learned: float, classical: float, p: float, *values: float) -> str:
    """Return the advice for engines with these qualities, whose difference has this corrected p."""
    engines = [
        dataclasses.replace(engine, means={**engine.means, "mAP": value})
        for engine, value in zip(made.engines[:2], (learned, classical), strict=True)
    ]
    test = Difference(
        "mAP",
        "queries",
        4,
        "colours",
        "classical",
        learned - classical,
        -1,
        1,
        p,
        p,
        float(np.sign(learned - classical)),
    )
    changed = dataclasses.replace(made, engines=tuple(engines), tests=(test,), curves=(curve(*values),))
    return summarised(changed)[0]


def test_advice_follows_from_the_numbers(made: tuple[Comparison, Path]) -> None:
    found = made[0]
    better = advised(found, 0.9, 0.4, 0.01, 0.1, 0.2, 0.3, 0.4)
    assert better.startswith("For 4 labels of this kind and up to 50 exemplars of each, use colours")
    turned = advised(found, 0.5, 0.8, 0.01, 0.1, 0.4, 0.6, 0.8)
    assert "under 10 exemplars of each use colours, from 10 on use classical" in turned
    unsure = advised(found, 0.9, 0.4, 0.2, 0.1, 0.2, 0.3, 0.4)
    assert "under 50 exemplars of each use colours; from 50 on colours and classical cannot be told apart" in unsure
    reached = advised(found, 0.3, 0.4, 0.2, 0.1, 0.2, 0.3, 0.4)
    assert "under 10 exemplars of each use colours; from 10 on" in reached


def fused_advice(made: Comparison, fused: float, p: float) -> str:
    """Return what is said about a fusion of this quality beside engines of 0.5 and 0.7; ``p`` is that of the second."""
    qualities = {"classical": 0.5, "colours": 0.7, "score fusion": fused, "rank fusion": 0.1}
    engines = [dataclasses.replace(e, means={**e.means, "mAP": qualities[e.name]}) for e in made.engines]
    tests = [
        Difference("mAP", "queries", 4, "score fusion", other, fused - qualities[other], -1, 1, each, each, 0.5)
        for other, each in (("classical", 0.01), ("colours", p))
    ]
    changed = dataclasses.replace(made, engines=tuple(engines), tests=tuple(tests), curves=())
    return next(sentence for sentence in summarised(changed) if sentence.startswith("Fusing"))


def test_a_fusion_is_tested_against_each_engine(made: tuple[Comparison, Path]) -> None:
    both = fused_advice(made[0], 0.9, 0.02)
    assert both.startswith(
        "Fusing beats each engine alone: score fusion reaches mAP 90.0 %, more than classical (50.0 %, "
    )
    assert "p = 0.010 after correction) and colours (70.0 %, p = 0.020 after correction)" in both
    one = fused_advice(made[0], 0.75, 0.3)
    assert one.startswith("Fusing does not beat each engine alone")
    assert "more than classical (50.0 %, p = 0.010 after correction), not told apart from colours (70.0 %)" in one
    harm = fused_advice(made[0], 0.6, 0.02)
    assert harm.startswith("Fusing does harm here")
    assert "less than colours (70.0 %, p = 0.020" in harm
