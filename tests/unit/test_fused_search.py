"""Searching with several encoders at once."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from wordsight.cli.app import build
from wordsight.cli.output import write
from wordsight.cli.search import FuseBy, _weighted
from wordsight.cli.table import show
from wordsight.errors import BadInput, EncoderMismatch, UnknownQuery
from wordsight.fusion import Fusion
from wordsight.library import Library, calibration
from wordsight.library.fused import search_fused
from wordsight.testing import ColourEncoder, colour_image


class Contrary(ColourEncoder):
    """Is sure that what is asked for is anything but that, and knows red and blue only."""

    name = "contrary"
    fingerprint = "contrary-1"
    vocabulary = ("red", "blue")

    def encode_texts(self, texts):
        for text in texts:
            if text not in self.vocabulary:
                raise UnknownQuery(text, ())
        return -super().encode_texts(texts)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("red", "red blue", "red blue green", "blue", "white"):
        colour_image(*name.split(), size=36).save(root / f"{name}.png")
    return root


@pytest.fixture
def libraries(photos: Path) -> list[Library]:
    both = [Library(ColourEncoder()), Library(Contrary())]
    both[0].sync(photos)
    both[1].sync(photos, beside=True)
    return both


def test_reciprocal_ranks_by_hand(libraries: list[Library]) -> None:
    answer = search_fused(libraries, "red")
    assert answer.encoders == ("colours", "contrary")
    # "red" is first here and last there, and so on; equal scores share a rank for the score, photos have one each.
    assert {hit.path.stem: dict(hit.ranks) for hit in answer.hits} == {
        "red": {"colours": 1, "contrary": 5},
        "red blue": {"colours": 2, "contrary": 4},
        "red blue green": {"colours": 3, "contrary": 3},
        "blue": {"colours": 4, "contrary": 1},
        "white": {"colours": 5, "contrary": 2},
    }
    scores = {hit.path.stem: hit.score for hit in answer.hits}
    assert scores["red"] == pytest.approx(1 / 61 + 1 / 65)
    assert scores["blue"] == scores["white"] == pytest.approx(1 / 64 + 1 / 61)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5]
    assert [hit.score for hit in answer.hits] == sorted(scores.values(), reverse=True)
    assert [hit.path.stem for hit in answer.hits][:2] == ["blue", "white"]  # as good as one another: by their paths


@pytest.mark.parametrize("how", ["zscore", "minmax"])
def test_sums_of_scores_cancel_where_two_encoders_are_contrary(libraries: list[Library], how: str) -> None:
    scores = [hit.score for hit in search_fused(libraries, "red", how=how).hits]
    assert scores == pytest.approx([scores[0]] * 5)


def test_what_lies_beyond_the_depth_of_an_encoder_comes_behind_its_last(libraries: list[Library], monkeypatch) -> None:
    monkeypatch.setattr("wordsight.library.fused._depth", lambda top: top)
    answer = search_fused(libraries, "red", top=2)
    # One found "red" and "red blue", the other "blue" and "white": each is third where it was not found.
    assert {hit.path.stem: dict(hit.ranks) for hit in answer.hits} == {
        "blue": {"colours": None, "contrary": 1},
        "red": {"colours": 1, "contrary": None},
    }
    assert [hit.score for hit in answer.hits] == pytest.approx([1 / 61 + 1 / 63] * 2)


def test_an_encoder_that_does_not_know_the_query_abstains(libraries: list[Library]) -> None:
    answer = search_fused(libraries, "white")
    assert answer.encoders == ("colours",)
    assert "contrary does not know this query: ranked without it" in answer.notices
    assert [hit.path.stem for hit in answer.hits] == [hit.path.stem for hit in libraries[0].search("white").hits]
    with pytest.raises(UnknownQuery):
        search_fused(libraries[1:], "white")


def test_the_match_estimate_is_that_of_the_encoder_that_has_one(libraries: list[Library], monkeypatch) -> None:
    class Estimate:
        def match(self, query, scores, *, by_region):
            return np.clip(scores, 0, 1)

    def load(catalogue, stored):
        return Estimate() if stored.name == "colours" else None

    monkeypatch.setattr(calibration, "load", load)
    answer = search_fused(libraries, "red")
    alone = {hit.path: hit.match for hit in libraries[0].search("red").hits}
    assert {hit.path: hit.match for hit in answer.hits} == alone
    assert not answer.calibrated  # the other one cannot tell whether nothing matches
    likely = search_fused(libraries, "red", matches_only=True).hits
    assert {hit.path.stem for hit in likely} == {path.stem for path, match in alone.items() if match >= 0.5}
    assert [hit.rank for hit in likely] == list(range(1, len(likely) + 1))


def test_encoders_have_to_differ_and_to_be_indexed(libraries: list[Library], photos: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="different encoders to fuse, got colours, colours"):
        search_fused([libraries[0]] * 2, "red")
    elsewhere = tmp_path / "elsewhere"
    with Library(ColourEncoder(), elsewhere) as alone:
        alone.sync(photos)
    with pytest.raises(EncoderMismatch, match="--beside"):
        search_fused([Library(ColourEncoder(), elsewhere), Library(Contrary(), elsewhere)], "red")


def test_programs_and_people_get_both_ranks(libraries: list[Library]) -> None:
    answer = search_fused(libraries, "red", top=2)
    out = io.BytesIO()
    write(answer, "json", out)
    assert json.loads(out.getvalue().splitlines()[0])["ranks"] == {"colours": 4, "contrary": 1}
    out = io.BytesIO()
    write(answer, "csv", out)
    assert next(csv.DictReader(io.StringIO(out.getvalue().decode())))["ranks"] == "colours:4 contrary:1"
    console = Console(file=io.StringIO(), width=120)
    show(answer, console)
    header, _, first, *_ = console.file.getvalue().splitlines()
    assert header.split()[:4] == ["#", "score", "colours", "contrary"]
    assert first.split()[2:4] == ["4", "1"]


def test_one_encoder_gives_no_ranks(libraries: list[Library]) -> None:
    out = io.BytesIO()
    write(libraries[0].search("red"), "json", out)
    assert b"ranks" not in out.getvalue()


def test_the_command(libraries: list[Library], monkeypatch) -> None:
    encoders = {"colours": ColourEncoder, "contrary": Contrary}
    monkeypatch.setattr("wordsight.registry.load_encoder", lambda name: encoders[name]())
    words = ["search", "red", "--encoder", "colours", "--fuse", "contrary", "--fuse-by", "rrf", "--json", "-v"]
    outcome = CliRunner().invoke(build(words), words, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout.splitlines()[0])["path"].endswith("blue.png")
    assert "5 pictures searched with colours and contrary" in outcome.stderr


def test_weights_decide_who_counts(libraries: list[Library]) -> None:
    alone = [hit.path for hit in libraries[1].search("red").hits]
    assert [hit.path for hit in search_fused(libraries, "red", weights=(0.0, 1.0)).hits] == alone
    with pytest.raises(BadInput, match="weight of at least 0"):
        search_fused(libraries, "red", weights=(1.0, -1.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("holidays.wsc", (1.0, "holidays.wsc")),
        ("0.25:holidays.wsc", (0.25, "holidays.wsc")),
        ("2:mini", (2.0, "mini")),
        ("C:/models/a", (1.0, "C:/models/a")),
        ("hf-hub:org/name", (1.0, "hf-hub:org/name")),
    ],
)
def test_weights_are_written_before_the_name(text: str, expected: tuple[float, str]) -> None:
    assert _weighted(text) == expected


def test_the_choices_are_the_ways_there_are() -> None:
    assert {way.value for way in FuseBy} == {way.value for way in Fusion}
