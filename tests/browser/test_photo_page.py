"""One photo, large: why it was found, where it lies, a closer look."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Page, Photos

pytestmark = pytest.mark.xdist_group("browser")


def test_why_shows_heat_and_boxes(page: Page) -> None:
    page.open(q="a cup of coffee on a table")
    assert page.settled()[0] == "coffee.png"
    page.run("document.querySelector('.tile a').focus()")
    page.keys("w")
    page.see(".why .hint", "box")
    assert page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".boxes .first"))
    painted = _painted(page)
    assert painted > 0
    page.shoot("why")
    _slide(page, "Threshold", "0.8")
    page.wait(lambda: 0 < _painted(page) < painted)
    page.wait(lambda: page.state().get("threshold") == ["0.8"])
    _slide(page, "Opacity", "0.3")
    page.wait(lambda: page.run("return document.querySelector('canvas').style.opacity") == "0.3")
    texts = page.all(".texts input")
    texts[1].send_keys("a spoon", Keys.ENTER)
    page.wait(lambda: page.state()["why"] == ["a cup of coffee on a table", "a spoon"])
    page.wait(lambda: len(page.all(".why .hint")) == 2)
    page.shoot("why-two-texts")
    page.run(
        "const s = document.querySelector('.why select'); s.value = 'eigencam'; s.dispatchEvent(new Event('change'))"
    )
    page.wait(lambda: page.state().get("method") == ["eigencam"])
    page.gone(".why .busy")
    page.keys(Keys.ESCAPE)
    page.gone("dialog.viewer")
    assert page.state() == {"q": ["a cup of coffee on a table"]}


def _painted(page: Page) -> int:
    return page.run(
        "const c = document.querySelector('canvas'); if (!c.width) return 0;"
        "const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 3; i < data.length; i += 4) n += data[i] > 0; return n"
    )


def _slide(page: Page, label: str, value: str) -> None:
    slider = page.see(".why .field", label).find_element(By.CSS_SELECTOR, "input")
    page.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", slider, value)


def test_the_viewer_tells_where_a_photo_lies_and_comes_closer(page: Page, photos: Photos) -> None:
    page.open()  # a photo of the library that was also sent stays one of the library
    page.driver.find_element(By.CSS_SELECTOR, ".tool input[type=file]").send_keys(str(photos.folder / "coffee.png"))
    page.wait(lambda: "q" in page.state())
    page.open(q="a cup of coffee on a table")
    assert page.settled()[0] == "coffee.png"
    page.click(".tile a")
    page.wait(lambda: page.read(".facts .path") == "coffee.png")  # within the photo folder
    assert page.see(".facts .path").get_attribute("title") == str(photos.folder / "coffee.png")
    closer = "return new DOMMatrix(getComputedStyle(document.querySelector('.frame')).transform).a"
    page.keys("z")
    page.wait(lambda: page.run(closer) == 2.5)
    page.shoot("closer")
    page.run(
        "const box = document.querySelector('.frame').getBoundingClientRect();"
        "document.querySelector('.frame').dispatchEvent(new WheelEvent('wheel', {deltaY: 300, bubbles: true, "
        "cancelable: true, clientX: box.x + 9, clientY: box.y + 9}))"
    )
    page.wait(lambda: 1 < page.run(closer) < 2.5)
    page.keys("z")
    page.wait(lambda: page.run(closer) == 1)
    page.keys("z")
    page.keys(Keys.ARROW_RIGHT)
    page.wait(lambda: page.read(".viewer h2") != "coffee.png")
    assert page.run(closer) == 1  # each photo begins whole
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardSanitizedWrite"]})
    page.click(".viewer .actions button", "Copy path")
    page.see("dialog .toast", "copied")  # above the dialog, and read aloud
    page.keys(Keys.ESCAPE)
    page.gone("dialog.viewer")


def test_the_readmes_pictures(page: Page, request: pytest.FixtureRequest) -> None:
    from PIL import Image

    page.window(1180, 700)
    page.open(q="a cup of coffee on a table")
    page.settled()
    page.run("document.querySelector('.tile a').focus()")
    page.keys("w")
    page.see(".why .hint", "box")
    page.wait(lambda: _painted(page) > 0)
    shot = page.shoot("readme")
    with Image.open(shot) as image:
        assert image.size == (1180, 700)
        if request.config.getoption("--update"):
            file = Path(__file__).resolve().parents[2] / "docs" / "images" / "page.webp"
            image.convert("RGB").save(file, quality=82, method=6)
            assert file.stat().st_size < 300_000
