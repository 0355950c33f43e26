"""What the README shows runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from wordsight.testing import colour_image

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with a few pictures in it; the catalogue goes to where a user's would."""
    home = tmp_path_factory.mktemp("home")
    (home / "Photos").mkdir()
    for i, name in enumerate(("red", "green", "blue", "yellow")):
        colour_image(name, "white", size=200 + i).save(home / "Photos" / f"{name}.jpg")
    colour_image("cyan", size=300).save(home / "like-this.jpg")
    for label, colour in (("dog", "red"), ("beach", "yellow")):
        (home / "Labelled" / label).mkdir(parents=True)
        for i in range(4):
            colour_image(colour, "black", size=70 + i).save(home / "Labelled" / label / f"{i}.png")
    return home


def environment(home: Path) -> dict[str, str]:
    dropped = {"WORDSIGHT_CATALOG", "XDG_DATA_HOME", "XDG_CACHE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"HOME": str(home)}


def run(words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=home, env=environment(home), capture_output=True, text=True, timeout=120)


def shell_commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("wordsight ")]


def test_the_readme_shows_the_main_commands() -> None:
    shown = {shlex.split(line)[1] for line in shell_commands()}
    assert {"index", "search", "status"} <= shown


def test_its_commands_run(home: Path) -> None:
    for line in shell_commands():
        words = shlex.split(line, comments=True)
        if any("shared/data" in word for word in words):
            continue  # those are measurements on development data, checked by tests marked `data`
        words = [str(home / word[2:]) if word.startswith("~/") else word for word in words[1:]]
        done = run([sys.executable, "-m", "wordsight", *words], home)
        assert done.returncode in (0, 1), f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"
    assert (home / ".local/share/wordsight/catalogue.sqlite3").is_file() or sys.platform != "linux"
    assert sorted(path.name for path in (home / "Photos").iterdir()) == [
        "blue.jpg",
        "green.jpg",
        "red.jpg",
        "yellow.jpg",
    ]


def test_its_python_runs(home: Path) -> None:
    for block in blocks("python"):
        done = run([sys.executable, "-W", "error", "-c", block], home)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 4


def test_its_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_command_reference_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/make_cli_reference.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("writer", ["readme", "classical_doc"])
def test_figures_come_from_the_results_files(writer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{writer}", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"the page is stale: run `python -m benchmarks.{writer}`"
