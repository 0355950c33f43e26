"""``wordsight compare`` at the command line, and the threshold that it recommends to ``wordsight search``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from wordsight.cli.app import build
from wordsight.errors import BadInput, WordsightError
from wordsight.library import Library
from wordsight.testing import ColourEncoder, colour_image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for colour in ("red", "blue"):
        (root / colour).mkdir(parents=True)
        for number in range(4):
            colour_image(colour, *["black"] * number, size=40).save(root / colour / f"{number}.png")
    return root


def run(*words: str) -> Result:
    return CliRunner().invoke(build(words), list(words), catch_exceptions=False)


def test_a_learned_engine_alone(photos: Path, tmp_path: Path) -> None:
    words = ("compare", "--task", "folder", "--root", str(photos), "--encoders", "colours", "--scenarios", "exemplars")
    outcome = run(*words, "-o", str(tmp_path / "out"))
    assert outcome.exit_code == 0
    assert "For these 2 labels use colours" in outcome.stdout
    assert "it varies the classical engine, which is not compared" in outcome.stderr
    made = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [engine["name"] for engine in made["engines"]] == ["colours"]
    assert made["provenance"]["command"].endswith("--encoders colours --scenarios exemplars --seed 0")
    assert made["choice"]["commands"][-1].startswith("wordsight search blue --in")


def test_mistakes_are_told_before_the_work(photos: Path, tmp_path: Path) -> None:
    words = ("compare", "--task", "folder", "--root", str(photos), "-o", str(tmp_path / "out"))
    with pytest.raises(BadInput, match="no scenario is called 'speed'"):
        run(*words, "--encoders", "colours", "--scenarios", "speed")
    with pytest.raises(BadInput, match="no encoder is called 'nothing'"):
        run(*words, "--encoders", "nothing")
    with pytest.raises(BadInput, match="--encoders names no engine"):
        run(*words, "--encoders", ",")
    assert not (tmp_path / "out").exists()


def test_a_mistake_costs_no_results(photos: Path, tmp_path: Path) -> None:
    words = ("compare", "--task", "folder", "--encoders", "colours", "--scenarios", "none", "-o", str(tmp_path / "out"))
    assert run(*words, "--root", str(photos)).exit_code == 0
    kept = sorted((tmp_path / "out" / "cells").glob("*.json"))
    with pytest.raises(WordsightError):
        run(*words, "--root", str(tmp_path / "nowhere"))
    assert kept
    assert sorted((tmp_path / "out" / "cells").glob("*.json")) == kept


def test_search_leaves_out_what_scores_less(photos: Path) -> None:
    with Library(ColourEncoder()) as library:
        library.sync(photos)
    found = run("search", "red", "--encoder", "colours", "--json", "--min-score", "0.6")
    scores = [json.loads(line)["score"] for line in found.stdout.splitlines()]
    assert len(scores) == 2  # all red, and half of it; a third of red and two of black lie at 0.45
    assert min(scores) >= 0.6
    assert run("search", "red", "--encoder", "colours", "--json", "--min-score", "1.1").exit_code == 1
