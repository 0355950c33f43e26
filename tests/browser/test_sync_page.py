"""A sync, watched on the library page. It adds photos to the folder all tests share: it comes last, by its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from browser import Page, Photos

pytestmark = pytest.mark.xdist_group("browser")


def test_a_sync_is_watched_as_it_goes(page: Page, photos: Photos, request: pytest.FixtureRequest) -> None:
    added = _more_photos(request, photos.folder / "added")
    page.open("/library")
    page.see(".tally", "new")
    page.run(
        "window.told = []; new MutationObserver(() => told.push(document.querySelector('.progress p b')?.textContent))"
        ".observe(document.querySelector('main'), {subtree: true, childList: true, characterData: true})"
    )
    page.click(".lead button", "Sync now")
    page.see(".progress", "Bringing the catalogue")
    page.shoot("sync")
    page.see(".progress h2", "The sync has ended")
    page.see(".folder .tally", f"{photos.count + added}")
    between = {int(text) for text in page.run("return told") if text} - {0}
    assert len(between) > 1, "progress was seen as it went on"
    page.shoot("synced")
    page.open()
    page.settled()
    page.see(".told", f"{photos.count + added} photos")


def _more_photos(request: pytest.FixtureRequest, folder: Path) -> int:
    folder.mkdir()
    try:
        source = request.getfixturevalue("data") / "imagenet_samples"
        files = sorted(source.glob("*.jpg"))[::20]
    except pytest.skip.Exception:
        files = []
    for file in files:
        shutil.copy(file, folder)
    if not files:
        for file in sorted(folder.parent.glob("*.jpg")):
            if file.name != "broken.jpg":
                with Image.open(file) as image:
                    for turns in range(8):
                        ImageOps.expand(image.convert("RGB").resize((300, 200)), turns + 1, "red").save(
                            folder / f"{turns}-{file.name}"
                        )
    return len(list(folder.iterdir()))
