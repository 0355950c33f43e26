"""``wordsight fit`` and what can be done with the encoder it writes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wordsight.cli.app import build
from wordsight.cli.fit import task_of
from wordsight.cli.fit_search import _likely, _numbers
from wordsight.errors import WordsightError
from wordsight.library import Answer, Library, PhotoHit
from wordsight.registry import load_encoder
from wordsight.testing import ColourEncoder, colour_image
from wordsight.types import Query

COLOURS = ("red", "green", "blue")
app = build()


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for colour in COLOURS:
        (tmp_path / "classes" / colour).mkdir(parents=True)
        for number in range(4):
            colour_image(colour, size=24 + number).save(tmp_path / "classes" / colour / f"{number}.png")
    return tmp_path / "classes"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for colour in COLOURS:
        for number in range(5):
            colour_image(colour, size=40 + number).save(tmp_path / "photos" / f"{colour}{number}.png")
    return tmp_path / "photos"


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["fit", *map(str, arguments)], input=typed)


def message(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, WordsightError), result.output
    return str(result.exception)


def test_class_folders_then_index_then_search(classes: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.wsc"
    result = run(classes, "--features", "colour", "-n", 3, "-o", output)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "  green: 3 exemplars, 1 cluster\n" in result.stderr
    assert f"{output}: 3 labels from 9 pictures; weights: colour 1.00\n" in result.stderr
    with Library(load_encoder(str(output))) as library:
        library.sync(photos)
        answer = library.search("green", top=5)
        like = library.search(f"./{(photos / 'blue1.png')}".replace(".//", "/"), top=5)
    assert {hit.path.name[:-5] for hit in answer.hits} == {"green"}
    assert {hit.path.name[:-5] for hit in like.hits} == {"blue"}


def test_class_folders_are_evaluated_on_the_pictures_that_were_not_fitted_on(classes: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.wsc"
    run(classes, "--features", "colour", "-n", 3, "-o", output)
    words = ["evaluate", "--task", "folder", "--root", str(classes), "--encoder", str(output), "--json"]
    outcome = CliRunner().invoke(app, words, catch_exceptions=False)
    found = json.loads(outcome.stdout)
    assert (found["n_images"], found["skipped"], found["refused"]) == (3, 9, 9)
    assert found["measures"]["accuracy"] == 1.0
    assert "9 of 12 pictures are refused as gallery (" in outcome.stderr
    run(classes, "--features", "colour", "-o", output)
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, WordsightError)
    assert "was fitted on every picture of folder" in str(error)


def test_of_a_large_folder_a_part_is_taken(classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wordsight.cli.fit._MOST_UNASKED", 6)
    result = run(classes, "--features", "colour", "-o", tmp_path / "mine.wsc")
    assert "taking 2 of 12 pictures for each label; -n takes more\n" in result.stderr
    assert "3 labels from 6 pictures" in result.stderr


def test_the_same_seed_writes_the_same_file(classes: Path, tmp_path: Path) -> None:
    for name in ("a.wsc", "b.wsc"):
        run(classes, "--features", "colour,patches(words=5)", "--clusters", "auto", "-o", tmp_path / name)
    assert (tmp_path / "a.wsc").read_bytes() == (tmp_path / "b.wsc").read_bytes()


def test_unsupervised_clusters_are_shown_and_named(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "clusters.wsc"
    result = run(photos, "--unsupervised", 3, "--features", "colour", "-o", output)
    assert result.exit_code == 0, result.output
    assert "  cluster 3: 5 exemplars, 1 cluster\n" in result.stderr
    sheet = (tmp_path / "clusters.html").read_text()
    assert sheet.count("<section") == 3
    assert sheet.count("<figure>") == 15
    named = run(output, "--name", "1=first", "--name", "cluster 3=last", "-o", tmp_path / "named.wsc", "-q")
    assert named.exit_code == 0, named.output
    old, new = load_encoder(str(output)), load_encoder(str(tmp_path / "named.wsc"))
    assert new.vocabulary == ("first", "cluster 2", "last")
    assert new.fingerprint == old.fingerprint  # nothing needs to be indexed again


def from_search(photos: Path, tmp_path: Path, *more: object, typed: str | None = None) -> Result:
    with Library(ColourEncoder()) as library:
        library.sync(photos)
    return run(
        "--from-search", photos, "--labels", "red, blue", "--encoder", "colours", "-n", 5, "--features", "colour",
        "-o", tmp_path / "home.wsc", *more, typed=typed,
    )  # fmt: skip


def test_exemplars_from_search(photos: Path, tmp_path: Path) -> None:
    result = from_search(photos, tmp_path, "--yes")
    assert result.exit_code == 0, result.output
    assert "  red: 5 exemplars" in result.stderr
    assert load_encoder(str(tmp_path / "home.wsc")).vocabulary == ("red", "blue")
    assert (tmp_path / "home.html").read_text().count("<section") == 2


def test_the_user_may_leave_some_out_or_stop(photos: Path, tmp_path: Path) -> None:
    result = from_search(photos, tmp_path, typed="99\n1, 2\n")
    assert result.exit_code == 0, result.output
    assert "expected numbers from 1 to 10, got '99'" in result.stderr
    assert "  red: 3 exemplars" in result.stderr
    assert from_search(photos, tmp_path, typed="q\n").exit_code == 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", set()),
        ("3, 5-7", {3, 5, 6, 7}),
        ("10", {10}),
        ("9-11", None),
        ("8-5", None),
        ("0", None),
        ("a", None),
        ("-3", None),
    ],
)
def test_numbers_to_leave_out(text: str, numbers: set[int] | None) -> None:
    assert _numbers(text, 10) == numbers


def test_of_photos_that_are_not_likely_ten_are_shown_to_confirm_and_none_taken_unasked() -> None:
    hits = tuple(
        PhotoHit(rank, Path(f"{rank}.jpg"), 1 / rank, 0.9 / rank, 1, 1, 0, str(rank), "") for rank in range(1, 13)
    )
    answer = Answer(Query.of("dog"), hits, 12, calibrated=True)
    assert [hit.rank for hit in _likely(answer, 0).hits] == [1]
    assert [hit.rank for hit in _likely(answer, 10).hits] == list(range(1, 11))
    assert _likely(replace(answer, calibrated=False), 0).hits == hits


def test_a_label_that_is_left_without_photos(photos: Path, tmp_path: Path) -> None:
    result = from_search(photos, tmp_path, typed="1 2 3 4 5\n")
    assert str(result.exception) == "no exemplar is left of red"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "expected a source: a data set, a folder of class folders, photos, or --from-search with --labels"),
        (["x", "-o", "x.bin"], "expected a file that ends in .wsc in a folder that exists, got 'x.bin'"),
        (["x", "--clusters", "many"], "expected a number of clusters or \"auto\", got 'many'"),
        (["--from-search", "x"], '--from-search takes --labels "dog,beach" and no other source'),
        (["--from-search", "x", "--labels", "dog"], "expected at least two different labels, got dog"),
        (["nowhere"], "expected a folder of class folders, but there is none at nowhere"),
        (["x", "--task", "imagenet"], "no task with exemplars is called 'imagenet'"),
    ],
)
def test_golden_error_messages(
    arguments: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message(*arguments).startswith(expected)


def test_wrong_names_and_too_few_pictures(classes: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.wsc"
    assert message(classes, "--features", "colour", "--name", "beach", "-o", output) == (
        "expected a cluster and its name such as 3=beach, got 'beach'"
    )
    assert message(photos, "--unsupervised", 99, "-o", output) == "15 pictures cannot make 99 clusters: ask for fewer"
    assert not output.exists()


def test_data_sets_are_told_by_their_files(classes: Path, tmp_path: Path) -> None:
    assert task_of(classes) == "folder"
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert task_of(tmp_path) == "cifar10"
    (tmp_path / "101_ObjectCategories").mkdir()
    assert task_of(tmp_path / "101_ObjectCategories") == "caltech101"
    (classes / "labels.json").write_text("{}")
    assert task_of(classes) == "voc2007"


def test_a_gallery_that_shares_pictures_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for colour in COLOURS:
            (tmp_path / split / colour).mkdir(parents=True)
            colour_image(colour, size=32).save(tmp_path / split / colour / "1.png")
    said = message(tmp_path, "--task", "cifar10", "--features", "colour", "-o", tmp_path / "x.wsc")
    assert said.startswith("3 of the 3 pictures of the gallery cifar10 (test) are exemplars too")
    assert not (tmp_path / "x.wsc").exists()
