"""Tasks through an encoder that understands colours: every figure is known beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from wordsight.cli.evaluate import TaskName, evaluate
from wordsight.datasets import LOADERS, RetrievalTask, TaskImage, TaskKind, TaskQuery, load_task
from wordsight.datasets.exemplars import content_key
from wordsight.errors import BadInput, ImageError, UnknownQuery
from wordsight.evaluation import parse, read_qrels, read_run
from wordsight.experiment import fuse_results, run_task
from wordsight.testing import ColourEncoder, colour_image
from wordsight.types import Metric, Qrels


def loader(*colours: str):
    def load(side):
        if not colours:
            raise ImageError("not a picture")
        return colour_image(*colours)

    return load


def task_of(kind: TaskKind, queries: dict[str, str], images: dict[str, str], relevant: dict[str, str]) -> RetrievalTask:
    """``images``: id -> colours (none: unreadable); ``relevant``: query -> ids."""
    return RetrievalTask(
        "toy",
        kind,
        "test",
        tuple(TaskQuery(query_id, (text,)) for query_id, text in queries.items()),
        tuple(TaskImage(image_id, loader(*colours.split())) for image_id, colours in images.items()),
        Qrels({query: dict.fromkeys(names.split(), 1) for query, names in relevant.items()}, {}),
    )


class ClosedEncoder(ColourEncoder):
    """Knows two labels, measures distances."""

    name = "closed"
    metric = Metric.EUCLIDEAN
    vocabulary = ("red", "blue")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_texts(self, texts):
        self.asked += texts
        for text in texts:
            if text not in self.vocabulary:
                raise UnknownQuery(text, ())
        return super().encode_texts(texts)


class ListeningEncoder(ColourEncoder):
    label_prompts = ("a {} thing", "a photo of {{}} {}")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_texts(self, texts):
        self.asked += texts
        return super().encode_texts(texts)


SINGLE = task_of(
    TaskKind.SINGLE_LABEL,
    {"red": "red", "blue": "blue"},
    {"1": "red", "2": "red", "3": "blue", "4": "red", "5": "red blue blue blue"},
    {"red": "1 2 3", "blue": "4 5"},  # 3 and 4 are labelled wrongly, on purpose
)


def test_labels_and_their_exact_figures():
    result = run_task(SINGLE, ColourEncoder())
    measures = result.measures
    assert (measures["accuracy"], measures["mean_per_class"]) == (3 / 5, pytest.approx((2 / 3 + 1 / 2) / 2))
    # red: 1, 2, 4 (tied, by id), then 5, 3; blue: 3, 5, then 1, 2, 4.
    assert result.evaluation.per_query()["AP"] == pytest.approx(
        {"red": (1 + 1 + 3 / 5) / 3, "blue": (1 / 2 + 2 / 5) / 2}
    )
    assert measures["P@1"] == 1 / 2
    assert measures["P@10"] == pytest.approx((3 + 2) / 2 / 10)
    assert result.scores.shape == (2, 5)
    assert result.scores[0].tolist() == pytest.approx([1, 1, 0, 1, 0.25 / 0.625**0.5], abs=1e-6)
    assert [hit.image_id for hit in result.run().rankings["red"]] == ["1", "2", "4", "5", "3"]


def test_closed_encoders_get_bare_labels_and_distances():
    encoder = ClosedEncoder()
    result = run_task(SINGLE, encoder, prompts=["never {}"])
    assert encoder.asked == ["red", "blue"]
    assert result.scores[0, :3].tolist() == pytest.approx([0, 0, -(2**0.5)])
    assert result.settings["score"] == "minus Euclidean distance, raw (no softmax over the queries)"
    assert result.settings["prompts"] == ["{}"]


def test_closed_encoders_may_know_a_label_by_its_id():
    task = task_of(TaskKind.MULTI_LABEL, {"red": "crimson red", "blue": "blue"}, {"1": "red"}, {"red": "1", "blue": ""})
    encoder = ClosedEncoder()
    assert run_task(task, encoder).measures["mAP"] == 1
    assert encoder.asked == ["red", "blue"]
    unknown = task_of(TaskKind.MULTI_LABEL, {"green": "green"}, {"1": "red"}, {"green": "1"})
    with pytest.raises(UnknownQuery, match="'green'"):
        run_task(unknown, encoder)


def test_prompts_are_the_encoders_unless_told():
    encoder = ListeningEncoder()
    result = run_task(SINGLE, encoder)
    assert encoder.asked == ["a red thing", "a photo of {red} red", "a blue thing", "a photo of {blue} blue"]
    assert result.settings["prompts"] == list(encoder.label_prompts)
    encoder.asked.clear()
    run_task(SINGLE, encoder, prompts=["only {}"])
    assert encoder.asked == ["only red", "only blue"]
    for wrong in ([], ["no place"]):
        with pytest.raises(BadInput, match="where the label goes"):
            run_task(SINGLE, encoder, prompts=wrong)


def test_ensembles_are_averaged_and_of_unit_length_again():
    result = run_task(SINGLE, ColourEncoder(), prompts=["{}", "{} and blue"])
    red = np.array([1 + 0.5**0.5, 0.5**0.5])  # the mean of (1, 0) and (1, 1) / sqrt 2, times two
    assert result.scores[0, 0] == pytest.approx(red[0] / np.linalg.norm(red))
    assert result.scores[0, 2] == pytest.approx(red[1] / np.linalg.norm(red))
    assert result.scores[1, 2] == pytest.approx(1)


CAPTIONS = task_of(
    TaskKind.CAPTION,
    {"a#0": "a red one", "a#1": "green", "b#0": "blue", "b#1": "red", "c#0": "white"},
    {"a": "red", "b": "blue", "c": ""},
    {"a#0": "a", "a#1": "a", "b#0": "b", "b#1": "b", "c#0": "c"},
)


def test_captions_in_both_directions_without_the_unreadable():
    encoder = ListeningEncoder()
    result = run_task(CAPTIONS, encoder)
    assert encoder.asked == ["a red one", "green", "blue", "red", "white"]
    assert result.skipped == {"c": "not a picture"}
    # "green" is as far from both, so the ids decide for a; "red" is wrong.
    assert result.evaluation.per_query()["Success@1"] == {"a#0": 1.0, "a#1": 1.0, "b#0": 1.0, "b#1": 0.0}
    # For a, "a red one" and "red" tie; for b, "blue" wins.
    assert result.measures == {
        "Success@1": 3 / 4,
        "Success@5": 1.0,
        "Success@10": 1.0,
        "MRR": (1 + 1 + 1 + 1 / 2) / 4,
        "image_to_text Success@1": 1.0,
        "image_to_text Success@5": 1.0,
        "image_to_text Success@10": 1.0,
    }
    content = result.as_json(per_query=True)
    assert (content["n_queries"], content["n_images"], content["skipped"], content["left_out"]) == (4, 2, 1, 0)
    json.dumps(content, allow_nan=False)


def test_nothing_readable_is_an_error():
    task = task_of(TaskKind.MULTI_LABEL, {"red": "red"}, {"1": "", "2": ""}, {"red": "1"})
    with pytest.raises(BadInput, match="none of 2 pictures could be read; the first: 1: not a picture"):
        run_task(task, ColourEncoder())


def test_pictures_are_read_in_batches_in_order_and_few_at_a_time():
    lock, alive, most = threading.Lock(), 0, 0
    total, names = 1000, ("red", "blue", "green")

    class Counting(ColourEncoder):
        def encode_images(self, images):
            nonlocal alive
            rows = super().encode_images(images)
            with lock:
                alive -= len(images)
            return rows

    def load(colour):
        def inner(side):
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            return colour_image(colour, size=4)

        return inner

    images = tuple(TaskImage(f"{i:04d}", load(names[i % 3])) for i in range(total))
    grades = {name: {image.image_id: 1 for image in images[i::3]} for i, name in enumerate(names)}
    queries = tuple(TaskQuery(name, (name,)) for name in names)
    told: list[tuple[int, int]] = []
    task = RetrievalTask("toy", TaskKind.SINGLE_LABEL, "test", queries, images, Qrels(grades, {}))
    result = run_task(task, Counting(), progress=lambda done, of: told.append((done, of)), threads=2)
    assert result.measures["accuracy"] == result.measures["mAP"] == 1
    assert most <= 64
    assert told[0] == (32, total)
    assert told[-1] == (total, total)


def test_an_encoder_that_fails_ends_the_run():
    class Broken(ColourEncoder):
        def encode_images(self, images):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run_task(SINGLE, Broken())


def test_measures_can_be_chosen():
    assert list(run_task(SINGLE, ColourEncoder(), measures=[parse("nDCG@10")]).measures) == ["nDCG@10"]


def test_labels_that_a_closed_encoder_does_not_know_may_have_no_answer():
    task = task_of(
        TaskKind.SINGLE_LABEL, {"red": "red", "green": "green"}, {"1": "red", "2": "green"}, {"red": "1", "green": "2"}
    )
    result = run_task(task, ClosedEncoder(), abstain=True)
    assert result.evaluation.missing == ("green",)
    assert result.evaluation.per_query()["AP"] == {"red": 1.0, "green": 0.0}
    assert result.measures["accuracy"] == 0.5
    assert np.isnan(result.scores[1]).all()
    assert result.as_json()["missing"] == 1


def test_scores_may_go_through_a_softmax_over_the_labels():
    pictures = {"1": "red blue blue", "2": "red white white white"}
    task = task_of(TaskKind.SINGLE_LABEL, {"red": "red", "blue": "blue"}, pictures, {"red": "2", "blue": "1"})
    raw, soft = run_task(task, ColourEncoder()), run_task(task, ColourEncoder(), softmax=100)
    expected = np.exp(100 * raw.scores.astype(np.float64))
    assert np.exp(soft.scores) == pytest.approx(expected / expected.sum(axis=0), abs=1e-5)
    assert soft.settings["score"] == "log softmax over the labels of 100 x cosine"
    assert soft.measures["accuracy"] == raw.measures["accuracy"]
    with pytest.raises(BadInput, match="not captions"):
        run_task(CAPTIONS, ColourEncoder(), softmax=100)
    with pytest.raises(BadInput, match="positive"):
        run_task(task, ColourEncoder(), softmax=0)


class FittedColours(ColourEncoder):
    """Was fitted on red pictures and nothing else."""

    exemplars = frozenset({content_key(colour_image("red"))})


def test_pictures_that_an_encoder_was_fitted_on_are_left_out():
    result = run_task(SINGLE, FittedColours())
    assert result.image_ids == ("3", "5")
    assert result.skipped == dict.fromkeys("124", "it is an exemplar of this encoder")
    assert result.refused == ("1", "2", "4")
    assert result.as_json(per_query=True)["skipped_images"] == result.skipped
    only_red = task_of(TaskKind.SINGLE_LABEL, {"red": "red"}, {"1": "red"}, {"red": "1"})
    with pytest.raises(BadInput, match="fitted on every picture of toy"):
        run_task(only_red, FittedColours())


# --- Fusion -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rrf", "zscore", "minmax"])
def test_results_are_fused_on_the_pictures_that_all_could_use(how):
    one, two = run_task(SINGLE, ColourEncoder()), run_task(SINGLE, FittedColours())
    fused = fuse_results([one, two], how)
    assert fused.image_ids == ("3", "5")
    assert fused.encoder == f"{one.encoder} + {two.encoder} ({how})"
    assert list(fused.measures) == list(one.measures)
    # Both rank alike, so together they do as well.
    assert fused.evaluation.per_query()["AP"] == two.evaluation.per_query()["AP"]
    assert fused.settings["parts"] == [one.settings, two.settings]
    json.dumps(fused.as_json(), allow_nan=False)


def test_a_closed_encoder_that_abstains_leaves_a_query_to_the_other():
    task = task_of(
        TaskKind.SINGLE_LABEL, {"red": "red", "green": "green"}, {"1": "red", "2": "green"}, {"red": "1", "green": "2"}
    )
    fused = fuse_results([run_task(task, ClosedEncoder(), abstain=True), run_task(task, ColourEncoder())])
    assert fused.measures["mAP"] == 1
    assert fused.evaluation.missing == ()


def test_captions_are_fused_without_those_of_skipped_pictures():
    class Half(ColourEncoder):
        exemplars = frozenset({content_key(colour_image("blue"))})

    fused = fuse_results([run_task(CAPTIONS, ColourEncoder()), run_task(CAPTIONS, Half())])
    assert fused.query_ids == ("a#0", "a#1")


def test_results_of_different_tasks_are_not_fused():
    other = task_of(TaskKind.SINGLE_LABEL, {"red": "red"}, {"1": "red"}, {"red": "1"})
    with pytest.raises(BadInput, match="only results for the same queries"):
        fuse_results([run_task(SINGLE, ColourEncoder()), run_task(other, ColourEncoder())])
    with pytest.raises(BadInput, match="only results on one task can be fused, got toy, other"):
        fuse_results([run_task(SINGLE, ColourEncoder()), run_task(replace(other, name="other"), ColourEncoder())])


# --- The command ------------------------------------------------------------------------------------------------------


UNREAD = "1 of 6 pictures could not be read (blue/9.png); the figures are those of the other 5\n"


@pytest.fixture
def cli(monkeypatch):
    monkeypatch.setattr("wordsight.registry.load_encoder", lambda name: {"colours": ColourEncoder()}[name])
    app = typer.Typer()
    app.command()(evaluate)

    def run(*arguments: object) -> str:
        outcome = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        assert outcome.stderr in ("", UNREAD)
        return outcome.stdout

    return run


@pytest.fixture
def folders(tmp_path) -> Path:
    for label, colours in {"red": ("red", "red", "blue"), "blue": ("blue", "blue")}.items():
        folder = tmp_path / "data" / "test" / label
        folder.mkdir(parents=True)
        for number, colour in enumerate(colours):
            colour_image(colour).save(folder / f"{number}.png")
    (folder / "9.png").write_bytes(b"broken")
    return tmp_path / "data"


def test_the_json_object(cli, folders):
    out = cli("--task", "cifar10", "--root", folders, "--encoder", "colours", "--json")
    assert out.count("\n") == 1
    content = json.loads(out)
    assert content.pop("seconds") > 0
    intervals = content.pop("intervals")
    assert intervals.keys() == content["measures"].keys()
    assert intervals["accuracy"][0] < 0.8 < intervals["accuracy"][1]
    assert content.pop("measures") == {
        "accuracy": 0.8,
        "mean_per_class": pytest.approx((2 / 3 + 1) / 2),
        "mAP": pytest.approx(((1 + 1 + 3 / 5) / 3 + 1) / 2),
        "mAP11": pytest.approx(((7 * 1 + 4 * 3 / 5) / 11 + 1) / 2),
        "P@1": 1.0,
        "P@10": 0.25,
        "P@100": 0.025,
        "Rprec": pytest.approx((2 / 3 + 1) / 2),
    }
    assert content == {
        "task": "cifar10",
        "encoder": "colours",
        "n_queries": 2,
        "n_images": 5,
        "skipped": 1,
        "refused": 0,
        "left_out": 0,
        "missing": 0,
        "settings": {
            "split": "test",
            "prompts": ["{}"],
            "score": "cosine, raw (no softmax over the queries)",
            "remarks": [],
        },
    }


def test_the_run_written_scores_the_same(cli, folders, tmp_path):
    files = tmp_path / "run.txt", tmp_path / "qrels.txt"
    arguments = ("--task", "cifar10", "--root", folders, "--encoder", "colours", "--json", "--per-query")
    direct = json.loads(cli(*arguments, "--measure", "AP", "--write-run", files[0], "--write-qrels", files[1]))
    assert read_run(files[0]).name == "colours"
    assert len(read_qrels(files[1]).grades["red"]) == 3
    scored = json.loads(
        cli("--run", files[0], "--qrels", files[1], "--measure", "AP", "--measure", "P@1", "--json", "--per-query")
    )
    assert scored["per_query"]["AP"] == direct["per_query"]["AP"]
    assert scored["measures"] == direct["measures"] | {"P@1": 1.0}
    assert (scored["run"], scored["n_queries"], scored["n_images"]) == ("colours", 2, 5)
    assert (scored["missing"], scored["left_out"]) == (0, 0)


def test_decisions_and_the_original_protocol_beside_the_measures(cli, folders):
    arguments = ("--task", "cifar10", "--root", folders, "--encoder", "colours", "--original", "--per-query")
    content = json.loads(cli(*arguments, "--rule", "assigned", "--json"))
    # Of red, 2 of 3 were found, and of blue both, but 1 of the 3 that were found is red.
    assert content["decision"]["per_query"] == {
        "precision": {"red": 1.0, "blue": pytest.approx(2 / 3)},
        "recall": {"red": pytest.approx(2 / 3), "blue": 1.0},
        "F1": {"red": 0.8, "blue": 0.8},
    }
    assert content["decision"]["rule"] == content["original"]["rule"] == "assigned"
    assert content["decision"]["measures"]["F1"] == 0.8
    # Five pictures are one gallery: macro over shows it (F1 4/5) and does not (F1 4/5).
    assert content["original"]["measures"]["F1"] == pytest.approx(0.8)
    assert (content["original"]["galleries"], content["original"]["candidates"]) == (300, 100)
    smaller = json.loads(cli(*arguments, "--candidates", 4, "--json"))["original"]
    assert (smaller["candidates"], smaller["measures"]["F1"] != content["original"]["measures"]["F1"]) == (4, True)
    out = cli(*arguments, "--rule", "top:1")
    assert "rule: top:1" in out
    assert out.count("precision") == 3  # decision, its queries, original


def test_estimates_are_compared_with_what_is_right(cli, folders):
    arguments = ("--task", "cifar10", "--root", folders, "--encoder", "colours", "--estimates")
    found = json.loads(cli(*arguments, "--json"))["estimates"]
    assert found["count"] == 10  # two queries, five pictures
    assert sum(each["count"] for each in found["bins"]) == 10
    assert 0 <= found["error"] <= found["worst"] <= 1
    assert "brier" in cli(*arguments)


def test_estimates_need_an_encoder_that_has_them():
    with pytest.raises(BadInput, match="closed has no match estimates"):
        run_task(SINGLE, ClosedEncoder(), estimates=True)


def test_ignored_pictures_are_no_evidence_about_estimates():
    qrels = Qrels(SINGLE.qrels.grades, {"red": frozenset({"1", "5"})})
    assert run_task(replace(SINGLE, qrels=qrels), ColourEncoder(), estimates=True).estimates.count == 8


def test_the_table(cli, folders):
    arguments = ("--task", "cifar10", "--root", folders, "--encoder", "colours", "--limit", 2, "--prompt", "[b]{}")
    out = cli(*arguments, "--per-query")
    assert "n_images: 2" in out
    assert "accuracy" in out
    assert "1.0000" in out
    assert "[b]{}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--task", "cifar10"),
        ("--root", "x"),
        ("--qrels", "q"),
        ("--run", "r"),
        ("--run", "r", "--qrels", "q", "--task", "cifar10"),
        ("--task", "cifar10", "--root", "x", "--run", "r"),
        ("--task", "cifar10", "--root", "x", "--measure", "MAP"),
        ("--task", "cifar10", "--root", ".", "--write-run", "no/such/folder/run.txt"),
    ],
)
def test_arguments_that_do_not_fit(cli, arguments):
    with pytest.raises(BadInput):
        cli(*arguments)


def test_the_choices_are_the_tasks_there_are():
    assert {task.value for task in TaskName} == set(LOADERS)


def test_the_command_imports_nothing_heavy():
    code = "import wordsight.cli.evaluate, sys; sys.exit('numpy' in sys.modules or 'PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.data
def test_colours_on_real_pictures(data):
    """The toy encoder knows next to nothing of the development data, but goes through them; 100 pictures each."""
    for name, folder in (("cifar10", "cifar10"), ("voc2007", "voc2007"), ("captions", "flickr8k")):
        result = run_task(load_task(name, data / folder).sample(100), ColourEncoder())
        assert (len(result.image_ids), len(result.skipped)) == (100, 0)
        assert all(0 <= value <= 1 for value in result.measures.values())
    assert result.measures["Success@10"] > 0.1  # chance; captions do name colours
