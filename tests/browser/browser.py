"""What the browser tests share: a Chromium, and a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 40.0  # seconds: machines are busy
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)


class Photos(NamedTuple):
    """The folder that is served, and how many photos it holds."""

    folder: Path
    count: int


def chromium(profile: Path) -> webdriver.Chrome:
    """Start a Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = shutil.which("chromium") or ""
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))  # named: selenium looks for none elsewhere


class Page:
    """wordsight's page: what a user does and sees. ``expected``: parts of complaints the browser may make."""

    def __init__(self, driver: webdriver.Chrome, address: str, shots: Path) -> None:
        self.driver = driver
        self.address = address
        self.expected: list[str] = []
        self._shots = shots

    def open(self, path: str = "/", **params: Any) -> None:
        """Go to an address as if it was typed."""
        query = urlencode(params, doseq=True)
        self.driver.get("about:blank")  # a page that is left stops what it loads
        self.driver.get(self.address + path + (f"?{query}" if query else ""))

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set what the page sees of its window and of the user's wishes."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def run(self, script: str, *given: Any) -> Any:
        """Run JavaScript; promises are waited for."""
        return self.driver.execute_script(script, *given)

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until something holds, and return it; what is drawn anew meanwhile is looked at again."""
        waiting = WebDriverWait(self.driver, PATIENCE, 0.05, (StaleElementReferenceException,))
        return waiting.until(lambda _: condition(), what)

    def all(self, selector: str) -> list[WebElement]:
        """Return what is there and seen."""
        return [one for one in self.driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    def see(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that holds ``text``, letter case aside."""

        def found() -> WebElement | None:
            script = (
                "return [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility() "
                "&& (e.textContent + (e.ariaLabel ?? '')).toLowerCase().includes(arguments[1].toLowerCase()))"
            )
            return self.run(script, selector, text)

        return self.wait(found, f"{selector} {text!r} is not seen")

    def gone(self, selector: str) -> None:
        """Wait until no such element is seen."""
        self.wait(lambda: not self.all(selector), f"{selector} is still there")

    def click(self, selector: str, text: str = "") -> None:
        """Click an element when it is there and nothing covers it."""

        def clicked() -> bool:
            try:
                self.see(selector, text).click()
            except (ElementNotInteractableException, ElementClickInterceptedException):
                return False
            return True

        self.wait(clicked, f"{selector} {text!r} cannot be clicked")

    def read(self, selector: str) -> str:
        """Wait for an element that shows some text, and return it."""
        return self.wait(lambda: self.see(selector).text, f"{selector} shows no text")

    def keys(self, *keys: str) -> None:
        """Press keys wherever the keyboard is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def search(self, text: str) -> None:
        """Type into the box and press Enter."""
        box = self.see("#q")
        box.clear()
        box.send_keys(text, Keys.ENTER)

    def hits(self) -> list[str]:
        """Return the names of the photos of the grid, in order, once they are there: its first row comes first."""
        script = (
            "return document.querySelector('photo-grid')?.ariaBusy === 'true' ? [] : "
            "[...document.querySelectorAll('.tile')].sort((a, b) => a.dataset.place - b.dataset.place)"
            ".map(tile => tile.querySelector('.name').textContent)"
        )
        return self.wait(lambda: self.run(script), "no hits")

    def settled(self) -> list[str]:
        """Return the hits when all pictures on the screen are loaded."""
        script = (
            "return !document.querySelector('.busy, [aria-busy=true]')"
            " && [...document.querySelectorAll('.tile img')].every((image) => image.complete)"
        )
        self.wait(lambda: self.hits() and self.run(script), "pictures still load")
        return self.hits()

    def state(self) -> dict[str, list[str]]:
        """Return what the address says."""
        return parse_qs(urlsplit(self.driver.current_url).query)

    def shoot(self, name: str) -> Path:
        """Keep a picture of what is seen."""
        file = self._shots / f"{name}.png"
        self.driver.save_screenshot(str(file))
        return file
