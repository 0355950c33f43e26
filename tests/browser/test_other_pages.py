"""The library, the reports, narrow screens, and whether everybody can use the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Page, Photos

pytestmark = pytest.mark.xdist_group("browser")

AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
STATES = {
    "home": ("/", {}),
    "hits": ("/", {"q": "a cat", "all": "1"}),
    "terms": ("/", {"q": "a cat + flower - grass", "all": "1", "type": "jpeg"}),
    "nothing": ("/", {"q": "a plate of sushi"}),
    "compare": ("/", {"q": "red", "view": "compare"}),
    "library": ("/library", {}),
    "reports": ("/reports", {}),
}


def test_the_library_tells_how_it_is(page: Page, photos: Photos) -> None:
    page.open("/library")
    page.see(".folder .tally", "indexed")
    page.see(".folder .tally", f"{photos.count}")
    page.see(".scroll td", "broken.jpg")  # skipped, with the reason
    page.see(".scroll td", "mini")
    page.see(".group", "2 copies")
    page.see(".cluster")
    page.shoot("library")
    page.see(".cluster input").send_keys("first group", Keys.ENTER)
    page.click(".cluster a b", "@first group")
    page.wait(lambda: page.state() == {"q": ["@first group"]})
    assert page.hits()


def test_reports_open_in_a_frame(page: Page) -> None:
    page.open("/reports")
    page.see(".reports a", "Classical against learned")
    page.driver.switch_to.frame(page.see("iframe"))
    assert page.read("#top") == "Report"
    page.driver.switch_to.default_content()
    page.shoot("reports")


@pytest.mark.parametrize("state", [*STATES, "viewer"])
def test_everybody_can_use_it_on_any_screen(page: Page, state: str) -> None:
    _show(page, "hits" if state == "viewer" else state)
    if state == "viewer":
        page.click(".tile a")
        page.click(".why button")
        page.see(".why .hint", "score")
    page.run(AXE)
    page.shoot(f"{state}-light")
    assert not _faults(page, "{}")
    page.window(1280, 860, dark=True)
    page.shoot(f"{state}-dark")
    assert not _faults(page, "{runOnly: ['color-contrast']}")
    page.window(360, 740)
    page.wait(lambda: page.run("return innerWidth") == 360)
    assert page.run("return document.documentElement.scrollWidth") == 360
    page.shoot(f"{state}-narrow")


def _faults(page: Page, options: str) -> dict[str, list[str]]:
    """Return what axe finds serious, with the elements; it must have found something to check."""
    script = f"return axe.run(document, {{iframes: false, ...{options}}})"
    found, checked = page.run(script + ".then((told) => [told.violations, told.passes.length])")
    assert checked
    return {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in found
        if one["impact"] in ("serious", "critical")
    }


def _show(page: Page, state: str) -> None:
    path, params = STATES[state]
    page.open(path, **params)
    ready = {"nothing": ".message", "compare": ".column li", "library": ".cluster", "reports": "iframe"}
    page.see(ready.get(state, ".tile.loaded"))
    page.gone(".busy")
    page.run("return Promise.all(document.getAnimations().map((one) => one.finished))")


def test_motion_is_reduced_for_who_wants_it(page: Page) -> None:
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    page.open()
    page.see(".tile")
    assert page.run("return getComputedStyle(document.querySelector('.tile .caption')).transitionDuration") in (
        "0s",
        "0.00001s",
    )
