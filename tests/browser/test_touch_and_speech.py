"""The page for fingers, and for those who hear it: Chromium's touch events and its accessibility tree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from browser import Page

pytestmark = pytest.mark.xdist_group("browser")


class Spoken:
    """What a screen reader gets from the browser: nodes with a role, a name and properties."""

    def __init__(self, page: Page) -> None:
        nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        self.nodes = [_node(node) for node in nodes if not node["ignored"]]

    def one(self, role: str, name: str) -> dict[str, Any]:
        """The only node of a role with a name."""
        (found,) = [node for node in self.nodes if (node["role"], node["name"]) == (role, name)]
        return found

    def names(self, role: str) -> list[str]:
        """The names of all nodes of a role, in the order of reading."""
        return [node["name"] for node in self.nodes if node["role"] == role]

    def nameless(self) -> list[dict[str, Any]]:
        """What takes the keyboard but says not what it is."""
        return [node for node in self.nodes if node.get("focusable") and not node["name"] and node["role"] != "main"]


def _node(told: dict[str, Any]) -> dict[str, Any]:
    properties = {one["name"]: one["value"].get("value") for one in told.get("properties", ())}
    named = {member: told.get(member, {}).get("value", "") for member in ("role", "name", "value")}
    return properties | named


def told(page: Page, text: str) -> None:
    """Wait until the live region says something."""
    page.wait(lambda: text in page.run("return document.getElementById('live').textContent"), f"{text!r} is not told")
    regions = [node for node in Spoken(page).nodes if node["role"] == "status"]
    assert "polite" in {node.get("live") for node in regions}


def open_viewer(page: Page) -> Any:
    """Search, tap the first photo, and return what the address says of it."""
    page.open(q="a cat")
    page.settled()
    tap(page, ".tile a")
    page.see("#viewer h2")
    return page.state()["photo"]


def test_what_a_screen_reader_gets_of_a_search(page: Page) -> None:
    page.open()
    page.search("a cat")
    page.wait(lambda: page.state() == {"q": ["a cat"]})
    told(page, "probably match")
    names = page.settled()
    spoken = Spoken(page)
    assert not spoken.nameless()
    assert spoken.one("combobox", "Describe a photo")["value"] == "a cat"
    assert not spoken.one("combobox", "Describe a photo")["expanded"]
    assert {"search", "navigation", "main"} <= {node["role"] for node in spoken.nodes}
    spoken.one("list", "Photos found")
    links = [name for name in spoken.names("link") if ", place " in name]
    assert [name.split(", place ")[0] for name in links] == names  # the order of reading is that of ranks
    assert [int(name.split(", place ")[1].split(",")[0]) for name in links] == list(range(1, len(names) + 1))
    assert all("match" in name for name in links)
    page.run("document.querySelector('.tile a').focus()")
    page.keys("/")
    page.see("[role=option]", "a cat")
    spoken = Spoken(page)
    assert spoken.one("combobox", "Describe a photo")["expanded"]
    assert any(spoken.names("option"))


def test_photos_are_read_in_their_order_however_one_scrolled(page: Page) -> None:
    page.window(360, 400)
    page.open(q="a cat", all=1)
    page.settled()
    order = "return [...document.querySelector('photo-grid').children].map((one) => Number(one.dataset.place))"
    for place in ("document.documentElement.scrollHeight", "0", "500", "0"):
        page.run(f"scrollTo(0, {place})")
        page.settled()
        places = page.run(order)
        assert places == sorted(places)
        assert len(places) > 3


def test_what_a_screen_reader_gets_of_a_photo(page: Page) -> None:
    page.open(q="a cat")
    first = page.settled()[0]
    page.run("document.querySelector('.tile a').focus()")
    page.keys("w")
    told(page, "a cat: score")  # when the map is there
    spoken = Spoken(page)
    assert spoken.one("dialog", "Photo")["modal"]
    assert spoken.one("heading", first)["focused"]
    assert spoken.names("image") == [first]
    assert {"Opacity", "Threshold"} <= set(spoken.names("slider"))
    sliders = "return [...document.querySelectorAll('#viewer [type=range]')].map((one) => one.ariaValueText)"
    assert page.run(sliders)[0].startswith("70")  # as it is seen: per cent
    assert not spoken.nameless()
    assert {"Close", "Next photo", "More like this", "Why this photo?"} <= set(spoken.names("button"))
    assert spoken.one("button", "Why this photo?")["pressed"] == "true"
    assert not any(", place " in name for name in spoken.names("link"))  # what lies behind is not read


@pytest.mark.parametrize(
    ("path", "asked"), [("/", {"q": "a cat", "view": "compare"}), ("/library", {}), ("/reports", {})]
)
def test_everything_has_a_name_on_the_other_pages(page: Page, path: str, asked: dict[str, str]) -> None:
    page.open(path, **asked)
    page.see("h1, h2")
    page.wait(lambda: not page.all(".busy"))
    spoken = Spoken(page)
    assert not spoken.nameless()
    assert spoken.names("heading")


@pytest.fixture
def fingers(page: Page) -> Iterator[Page]:
    """The page on a telephone."""
    page.window(360, 740)
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    yield page
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def send(page: Page, kind: str, *points: tuple[float, float]) -> None:
    """Send an event of fingers that are at these points now."""
    given = {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", given)


def touch(page: Page, *way: tuple[float, float]) -> None:
    """Put a finger down, move it along, and lift it."""
    send(page, "touchStart", way[0])
    for point in way[1:]:
        send(page, "touchMove", point)
    send(page, "touchEnd")


def pinch(page: Page, x: float, y: float, apart: float, until: float) -> None:
    """Put two fingers down around a point and move them until they are so far apart; lift one, then the other."""
    ways = [apart + (until - apart) * step / 8 for step in range(9)]
    both = [((x - way / 2, y), (x + way / 2, y)) for way in ways]
    send(page, "touchStart", both[0][0])
    send(page, "touchStart", *both[0])
    for points in both[1:]:
        send(page, "touchMove", *points)
    left = both[-1][0]
    send(page, "touchEnd", left)
    send(page, "touchMove", (left[0] + 5, left[1]))
    send(page, "touchEnd")


def tap(page: Page, selector: str) -> None:
    """Tap an element when it no longer moves and nothing covers it."""

    def rests() -> bool:
        before = middle(page, selector)
        time.sleep(0.15)
        on_top = "return document.elementFromPoint(arguments[0], arguments[1])?.closest(arguments[2]) != null"
        return middle(page, selector) == before and page.run(on_top, *before, selector)

    page.wait(rests, f"{selector} does not come to rest")
    touch(page, middle(page, selector))


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.run(
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [box.left + box.width / 2, box.top + box.height / 2]",
        selector,
    )
    return box[0], box[1]


def swipe(page: Page, dx: float, dy: float = 0.0) -> None:
    x, y = middle(page, "#viewer .stage")
    touch(page, *[(x - dx / 2 + dx * step / 8, y - dy / 2 + dy * step / 8) for step in range(9)])


def test_fingers_open_turn_enlarge_and_close(fingers: Page) -> None:
    page = fingers
    page.open(q="a cat")
    names = page.settled()
    assert not page.all(".tile .thumbs")  # they would lie under the finger; the viewer has them
    tap(page, ".tile a")
    page.see("#viewer h2", names[0])
    page.shoot("touch-360")
    shown = page.state()["photo"]
    swipe(page, -180)
    page.wait(lambda: page.state()["photo"] != shown, "a swipe to the left shows the next photo")
    swipe(page, 180)
    page.wait(lambda: page.state()["photo"] == shown, "and one to the right the photo before")
    swipe(page, 20, -150)  # scrolls
    swipe(page, 30)  # too short
    assert page.state()["photo"] == shown
    tap(page, "#viewer .up")
    page.wait(lambda: page.state().get("liked") == shown, "the thumb is given")
    tap(page, "#viewer [aria-label=Close]")
    page.gone("#viewer")
    assert page.state() == {"q": ["a cat"], "liked": shown}  # what was said of the photo stays said


def test_fingers_move_what_is_enlarged(fingers: Page) -> None:
    page = fingers
    shown = open_viewer(page)
    page.keys("z")
    transform = "return document.querySelector('#viewer .frame').style.transform"
    before = page.wait(lambda: page.run(transform))
    swipe(page, -100)
    page.wait(lambda: page.run(transform) != before, "dragging moves the photo")
    assert page.state()["photo"] == shown


def test_two_fingers_enlarge_the_photo_and_not_the_page(fingers: Page) -> None:
    page = fingers
    shown = open_viewer(page)
    x, y = middle(page, "#viewer .stage")
    x, y = x + 40, y - 20
    under = (
        "const box = document.querySelector('#viewer .frame').getBoundingClientRect();"
        "return [(arguments[0] - box.left) / box.width, (arguments[1] - box.top) / box.height, box.width]"
    )
    before = page.run(under, x, y)
    pinch(page, x, y, 40, 220)
    page.wait(lambda: page.run(under, x, y)[2] > before[2] * 4.5, "fingers that part enlarge the photo")
    after = page.run(under, x, y)
    assert after[2] < before[2] * 6  # as far as they were parted: 5.5
    assert after[0] == pytest.approx(before[0], abs=0.02)  # what was between the fingers still is
    assert after[1] == pytest.approx(before[1], abs=0.02)
    sharp = "return document.querySelector('#viewer .frame img:nth-child(2)').src.includes('side=2560')"
    page.wait(lambda: page.run(sharp), "what is seen so large is asked for in all its sharpness")
    page.shoot("touch-close")
    pinch(page, x, y, 220, 30)
    page.wait(
        lambda: page.run(under, x, y)[2] == pytest.approx(before[2]), "and fingers that close make it whole again"
    )
    assert page.run("return visualViewport.scale") == 1
    assert page.state()["photo"] == shown  # no swipe
    swipe(page, -180)
    page.wait(lambda: page.state()["photo"] != shown, "one finger swipes afterwards")
