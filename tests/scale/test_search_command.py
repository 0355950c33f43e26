"""``wordsight search --store`` prints what ``wordsight search`` prints of the same photos."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight import cli
from wordsight.testing import colour_image

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary) -> Run:
    monkeypatch.setenv("WORDSIGHT_CATALOG", str(tmp_path / "catalogue"))
    monkeypatch.setenv("WORDSIGHT_ENCODER", "colours")

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["wordsight", *words])
        status = cli.run()
        out, err = capfdbinary.readouterr()
        return status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    return call


def test_the_same_output_whatever_is_asked(photos: Path, tmp_path: Path, run: Run) -> None:
    assert run("index", str(photos))[0] == 0
    assert run("index", str(photos), "--store", str(tmp_path / "s"))[0] == 0
    picture = str(photos / "dated.jpg")
    asked = [
        ["red", "--json"],
        ["red", "-t", "3"],
        ["red + blue - green", "--csv"],
        ["red", "--trec", "--since", "2021"],
        ["red", "--paths", "--under", str(photos / "trip")],
        ["red", "--json", "--camera", "pixel", "--type", "jpg", "--min-side", "60", "--max-size", "1MB"],
        ["red", "--json", "--matches-only"],
        ["red", "--json", "--min-score", "0.5"],
        ["red", "--json", "--like", picture, "--dislike", str(photos / "a copy.png")],
        ["red", "--json", "--prompt", "a photo of {}"],
        ["2:red", "+", picture, "--json"],
        ["red", "--since", "2030"],
    ]
    for words in asked:
        plain = run("search", *words, "--in", str(photos))
        assert run("search", *words, "--in", str(photos), "--store", str(tmp_path / "s")) == plain, words
        assert plain[1] or plain[0] == 1, words


def test_sheets_and_boxes_of_pictures_wherever_they_lie(tmp_path: Path, run: Run) -> None:
    import fsspec

    data = io.BytesIO()
    colour_image("red", size=64).save(data, "PNG")
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        about = tarfile.TarInfo("deep/red.png")
        about.size = len(data.getvalue())
        tar.addfile(about, io.BytesIO(data.getvalue()))
    other = io.BytesIO()
    colour_image("red", "blue", size=64).save(other, "PNG")
    memory = fsspec.filesystem("memory")
    memory.pipe("/sheets/red blue.png", other.getvalue())
    store, sheet = str(tmp_path / "s"), tmp_path / "sheet.html"
    assert run("index", str(tmp_path / "0.tar"), "memory://sheets", "--store", store)[0] == 0
    words = ["search", "red", "--store", store, "--all", "--html", str(sheet)]
    assert run(*words)[0] == 0
    assert sheet.read_text().count('src="data:image') == 2
    status, out, _ = run("search", "red", "--store", store, "--json", "--explain")
    assert status == 0
    assert out.count('"boxes"') == 2
    memory.pipe("/sheets/red blue.png", data.getvalue())
    status, _, err = run(*words)
    assert status == 0
    assert "memory://sheets/red blue.png': it is not what was indexed any more" in err
    assert sheet.read_text().count('src="data:image') == 1
    memory.rm("/sheets", recursive=True)
