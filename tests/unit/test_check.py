"""``wordsight models check``: what gives no error but bad hits is found by known answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from wordsight.encoders.check import ANSWERS, check
from wordsight.registry import MODELS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "mini", tmp_path / "mini"))


def verdicts(folder: Path) -> dict[str, bool | None]:
    return {finding.what: finding.passed for finding in check(folder)}


def rewrite(folder: Path, side: str, **changes: object) -> None:
    describe = json.loads((folder / "model.json").read_text())
    describe[side] |= changes
    (folder / "model.json").write_text(json.dumps(describe))


def test_the_shipped_model_gives_its_recorded_answers(folder: Path) -> None:
    assert verdicts(folder) == dict.fromkeys(("layout", "files", "texts", "pictures", "answers"), True)


def test_another_preprocessing_is_found(folder: Path) -> None:
    given = json.loads((folder / "model.json").read_text())["image"]["preprocess"]
    mode = "crop" if given["mode"] == "squash" else "squash"
    rewrite(folder, "image", preprocess=given | {"mode": mode})
    assert verdicts(folder)["answers"] is False


def test_another_reading_of_texts_is_found(folder: Path) -> None:
    rewrite(folder, "text", max_tokens=3)
    assert verdicts(folder)["answers"] is False


def test_damaged_files_end_the_check(folder: Path) -> None:
    (folder / "image.weights").write_bytes(b"short")
    (layout, files) = check(folder)
    assert (layout.passed, files.passed) == (True, False)
    assert "expected" in files.said


def test_without_answers_it_says_that_it_cannot_know(folder: Path) -> None:
    (folder / ANSWERS).unlink()
    assert verdicts(folder)["answers"] is None
    (folder / ANSWERS).write_text("{")
    assert verdicts(folder)["answers"] is False
    (folder / ANSWERS).write_text('{"images": [[1, 2]], "texts": []}')
    assert verdicts(folder)["answers"] is False


def test_what_is_no_model(tmp_path: Path) -> None:
    (finding,) = check(tmp_path)
    assert (finding.what, finding.passed) == ("layout", False)
