"""Fixtures and switches shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No deadline: how long an example takes says how busy the machine is. Continuous integration draws the same examples on
# every run, so that it judges the change; new examples are drawn wherever else the tests run.
settings.register_profile("wordsight", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("wordsight")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")
    parser.addoption("--update", action="store_true", help="write the golden files instead of comparing with them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of development data; tests that ask for it are skipped where it is absent."""
    folder = Path(os.environ.get("WORDSIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"development data not found at {folder} (set WORDSIGHT_DATA)")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """What compares bytes with a file of tests/golden; with --update, it writes the file first."""

    def check(name: str, got: bytes) -> None:
        file = ROOT / "tests" / "golden" / name
        if request.config.getoption("--update"):
            file.write_bytes(got)
        assert got == file.read_bytes()

    return check


@pytest.fixture(autouse=True)
def _own_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's own catalogue, and from runtimes that only some machines have."""
    monkeypatch.setenv("WORDSIGHT_CATALOG", str(tmp_path / "catalogue"))
    monkeypatch.setenv("WORDSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORDSIGHT_MODELS", str(tmp_path / "added-models"))
    monkeypatch.setenv("WORDSIGHT_RUNTIME", "onnxruntime")
