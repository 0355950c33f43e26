"""A real Chromium before a real server over real photographs (those of scikit-image and scikit-learn)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("fastapi", reason="the extra web is not installed")
pytest.importorskip("skimage", reason="the extra demo is not installed")
pytest.importorskip("sklearn", reason="the extra demo is not installed")

from browser import Page, Photos, chromium
from wordsight.library import Library
from wordsight.registry import load_encoder
from wordsight.web.app import create_app
from wordsight.web.config import Config
from wordsight.web.server import bound, server

SHOTS = Path(__file__).parent / "screenshots"
ROOT = Path(__file__).resolve().parent.parent.parent
HOSTILE = "<img src=x onerror=alert(1)> &amp; 'brick'.png"
"""A file name that must stay a name."""


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Photographs in two folders: one has a copy, one a hostile name, two have date and camera; a file is broken."""
    folder = tmp_path_factory.mktemp("browser") / "photos"
    code = (
        f"import sys; sys.path.insert(0, 'examples'); import demo, pathlib; demo.collect(pathlib.Path({str(folder)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    cats = folder / "cats & dogs"
    cats.mkdir()
    (folder / "chelsea.png").rename(cats / "chelsea.png")
    shutil.copy(cats / "chelsea.png", folder / "the same cat.png")
    (folder / "brick.png").rename(folder / HOSTILE)
    for name, taken in (("china.jpg", b"2019:05:06 10:00:00"), ("flower.jpg", b"2021:07:08 09:00:00")):
        _date(folder / name, taken)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return Photos(folder, len(list(folder.rglob("*.*"))) - 1)


def _date(file: Path, taken: bytes) -> None:
    import piexif

    piexif.insert(
        piexif.dump({"0th": {piexif.ImageIFD.Model: b"Pixel 5"}, "Exif": {piexif.ExifIFD.DateTimeOriginal: taken}}),
        str(file),
    )


@pytest.fixture(scope="session")
def address(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with two engines, the shipped model and one that knows colours."""
    catalogue, reports = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("reports")
    (reports / "first.html").write_text("<!doctype html><title>Classical against learned</title><h1 id=top>Report</h1>")
    for name in ("mini", "colours"):
        with Library(load_encoder(name), catalogue) as library:
            library.sync(photos.folder, beside=True)
    app = create_app(Config((photos.folder,), catalogue, ("mini", "colours"), reports))
    listener = bound("127.0.0.1", 0)
    runner = server(app)
    runner.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not runner.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    runner.end()
    thread.join(15)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One Chromium for all tests."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        missing = "Chromium is not installed: apt-get install chromium chromium-driver"
        if os.environ.get("WORDSIGHT_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    running = chromium(tmp_path_factory.mktemp("profile"))
    yield running
    running.quit()


@pytest.fixture
def page(driver, address: str) -> Iterator[Page]:
    """The page, wide and light; a test fails when the browser complained of anything it did not expect."""
    SHOTS.mkdir(exist_ok=True)
    page = Page(driver, address, SHOTS)
    page.window(1280, 860)
    yield page
    complaints = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    unexpected = [message for message in complaints if not any(one in message for one in page.expected)]
    assert not unexpected
