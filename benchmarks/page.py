"""The page in a real headless Chromium: how soon it can be used, how soon results are seen, how far it scrolls.

"Seen" is what the browser says it painted (Element Timing) of the first photo, after the last byte of the answer.
Photos have 12 megapixels. Their thumbnails are there, since the server has had the time to make them ahead, or still to
be made: another server, told to make none ahead, whose cache is emptied before each query. A third one has a large
catalogue that is scrolled to tens of thousands of hits; thumbnails of its rows are laid into the cache.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from benchmarks import photos, realistic, synthetic
from benchmarks.process import wordsight
from benchmarks.report import Bar, Result
from benchmarks.served import Running, running
from benchmarks.settings import Settings
from wordsight.registry import load_encoder

_PHOTOS = 120
_SIZE = (4000, 3000)
_SEEN_MS, _INTERACTIVE_MS = 100, 1_000
_LONGEST = 300  # seconds
_UNDISTURBED = 0.4  # seconds in which the page is not asked whether it is done: that takes time from what is measured
_FAR = 30_000  # hits
_MOST_TILES = 250
_SEEDS = 40  # different thumbnails of the large catalogue
_QUERIES = ("a dog", "a red car", "a house by a lake", "food on a table", "people in a street", "a bird", "a flower")
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync", "--window-size=1280,860", "--enable-precise-memory-info"),
)
_WATCH = """
window.painted = new Map();
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!painted.has(one.url)) painted.set(one.url, one.renderTime);
}).observe({ type: "element", buffered: true });
window.blocked = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) blocked += one.duration - 50; })
  .observe({ type: "longtask", buffered: true });
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes)
    for (const image of node.querySelectorAll?.(".tile img") ?? []) image.setAttribute("elementtiming", "photo");
}).observe(document, { childList: true, subtree: true });
"""
_SEEN = """
const since = arguments[0];
const answer = performance.getEntriesByType("resource").filter((one) =>
  one.name.includes("/api/search") && one.startTime >= since && one.responseEnd > 0).at(-1);
const images = new Set([...document.querySelectorAll(".tile img")].map((image) => image.src));
const after = ([url, at]) => images.has(url) && answer && at >= answer.responseEnd;
const times = [...painted].filter(after).map(([, at]) => at);
return times.length ? [Math.min(...times) - answer.responseEnd, Math.min(...times) - answer.startTime] : null;
"""
_SCREEN = """
const since = arguments[0];
const answer = performance.getEntriesByType("resource").filter((one) =>
  one.name.includes("/api/search") && one.startTime >= since && one.responseEnd > 0).at(-1);
const within = ({ top, bottom }) => bottom > 0 && top < innerHeight;
const images = [...document.querySelectorAll(".tile img")].filter((one) => within(one.getBoundingClientRect()));
const times = images.map((image) => painted.get(image.src));
const isWhole = answer && images.length > 1 && document.querySelector("photo-grid").ariaBusy !== "true";
return isWhole && times.every(Boolean) ? Math.max(...times) - answer.responseEnd : null;
"""
_INTERACTIVE = "return performance.getEntriesByName('interactive')[0]?.startTime ?? null"
_FRAMES = """
const done = arguments[0];
const times = [];
let last = 0;
requestAnimationFrame(function step(now) {
  if (last) times.push(now - last);
  last = now;
  scrollBy(0, -120);
  if (times.length < 240) requestAnimationFrame(step); else done(times);
});
"""


def run(settings: Settings) -> Result:
    """Measure the page over photos, then over a large catalogue."""
    result = Result("page", "The page in a browser")
    rows = settings.rows[0]
    encoder = load_encoder(settings.encoder)
    result.setting = {"photos": _PHOTOS, "size": _SIZE, "scrolled": rows, "encoder": settings.encoder_name}
    location, folder = settings.work / "catalogue-page", settings.work / "photos-page"
    photos.make(folder, _PHOTOS, _SIZE, pictures=24)
    index = wordsight("index", str(folder), "--catalog", str(location), "--encoder", settings.encoder)
    subprocess.run(index, check=True, capture_output=True)
    with running(location, settings.encoder) as server, _browser() as browser:
        result.add("thumbnails of 120 photos made ahead in", _made_ahead(server), "s")
        _interactive(result, browser, server, settings.repeats)
        _first_results(result, browser, server, settings.repeats)
    with running(location, settings.encoder, "--no-thumbnails") as server, _browser() as browser:
        _first_results(result, browser, server, settings.repeats, emptied=location / "thumbnails")
    space = realistic.space(encoder, settings.work)
    large = settings.work / f"catalogue-{rows}-exact"
    synthetic.make(large, encoder, rows, draw=space.draw(), label=space.label)
    _seed(large, location, rows)
    with running(large, settings.encoder) as server, _browser() as browser:
        _scroll(result, browser, server, min(_FAR, rows))
    return result


@contextmanager
def _browser() -> Iterator[webdriver.Chrome]:
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        driver.set_script_timeout(300)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        try:
            yield driver
        finally:
            driver.quit()


def _interactive(result: Result, browser: webdriver.Chrome, server: Running, repeats: int) -> None:
    """From the start of loading to the page's own mark: the box takes words and all keys work."""
    for name, clear in (("first visit", True), ("again", False)):
        times, blocked = [], []
        for _ in range(max(repeats, 2) * 3):
            _fresh(browser, clear=clear)
            browser.get(f"{server.address}/")
            times.append(_until(browser, _INTERACTIVE))
            _until(browser, _SEEN, 0)
            blocked.append(browser.execute_script("return blocked"))
        result.raw[f"interactive_ms, {name}"] = times
        result.add(f"time to interactive, {name}: median", statistics.median(times), "ms", Bar("<", _INTERACTIVE_MS))
        result.add(f"time to interactive, {name}: slowest", max(times), "ms", Bar("<", _INTERACTIVE_MS))
        result.add(f"blocked by long tasks, {name}", statistics.median(blocked), "ms")


def _made_ahead(server: Running) -> float:
    """Return the seconds until the server has made the thumbnails of all photos, while nobody asks it anything else."""
    started = time.perf_counter()
    while (state := server.ask("/api/status")["thumbnails"])["ready"] < _PHOTOS:
        if state["failed"] or time.perf_counter() - started > _LONGEST:
            raise RuntimeError(f"thumbnails are not made ahead: {state}")
        time.sleep(2)  # each question is a pause to the maker
    return time.perf_counter() - started


def _first_results(
    result: Result, browser: webdriver.Chrome, server: Running, repeats: int, emptied: Path | None = None
) -> None:
    """Queries on a page that is open; thumbnails that are to be made are removed before each."""
    name = "thumbnails there" if emptied is None else "thumbnails still to be made"
    seen, asked, screen = [], [], []
    for _ in range(repeats):
        for query in _QUERIES:
            _fresh(browser, clear=True)
            browser.get(f"{server.address}/reports")  # a page without photos
            _until(browser, _INTERACTIVE)
            if emptied is not None:
                shutil.rmtree(emptied, ignore_errors=True)
            since = browser.execute_script(
                "const now = performance.now(); history.pushState({}, '', '/?all=1&q=' + arguments[0]);"
                "dispatchEvent(new Event('navigate')); return now",
                quote(f"{query}, number {len(seen)}"),  # each is new to the service
            )
            time.sleep(_UNDISTURBED)
            after, took = _until(browser, _SEEN, since)
            seen.append(after)
            asked.append(took)
            screen.append(_until(browser, _SCREEN, since))
    result.raw[f"seen_ms, {name}"] = seen
    result.raw[f"screen_ms, {name}"] = screen
    result.add(f"first photo seen after the answer, {name}: median", statistics.median(seen), "ms", _bar())
    quantile = statistics.quantiles(seen, n=20)[-1]
    result.add(f"first photo seen after the answer, {name}: 95th percentile", quantile, "ms", _bar())
    result.add(f"first photo seen after asking, {name}: median", statistics.median(asked), "ms")
    result.add(f"all photos of the screen seen after the answer, {name}: median", statistics.median(screen), "ms")


def _bar() -> Bar:
    return Bar("<=", _SEEN_MS)


def _scroll(result: Result, browser: webdriver.Chrome, server: Running, far: int) -> None:
    """Scroll to the end of what is loaded until so many hits are there; then look how it moves."""
    browser.get(f"{server.address}/?q=a%20dog&all=1")
    _until(browser, _SEEN, 0)
    started, tiles = time.perf_counter(), 0
    count = "return [document.querySelector('photo-grid').count, document.querySelectorAll('.tile').length]"
    loaded = 0
    while loaded < far:
        browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
        loaded, shown = browser.execute_script(count)
        tiles = max(tiles, shown)
    result.add(f"hits that were scrolled through: {far:,} wanted", loaded, "", Bar(">=", far))
    result.add("time to scroll there, page after page", time.perf_counter() - started, "s")
    result.add("photos in the document at once, most", tiles, "", Bar("<=", _MOST_TILES))
    heap = browser.execute_script("return performance.memory.usedJSHeapSize")
    result.add("memory of the page's scripts", heap / 2**20, "MiB")
    frames = browser.execute_async_script(_FRAMES)
    result.raw["frames_ms"] = frames
    result.add("frames while scrolling, median", statistics.median(frames), "ms")
    result.add("frames while scrolling, 95th percentile", statistics.quantiles(frames, n=20)[-1], "ms")
    browser.execute_script("window.since = performance.now(); scrollTo(0, document.documentElement.scrollHeight / 2)")
    loads = (
        "const images = [...document.querySelectorAll('.tile img')].filter((image) => { const box = image."
        "getBoundingClientRect(); return box.bottom > 0 && box.top < innerHeight; });"
        "return images.length && images.every((image) => image.complete && image.naturalWidth) ? "
        "performance.now() - since : null"
    )
    result.add("a jump to the middle, all photos of the screen there", _until(browser, loads), "ms")


def _fresh(browser: webdriver.Chrome, *, clear: bool) -> None:
    browser.get("about:blank")
    if clear:
        browser.execute_cdp_cmd("Network.clearBrowserCache", {})


def _until(browser: webdriver.Chrome, script: str, *given: object) -> Any:
    """Return what a script returns once that is not nothing."""
    end = time.monotonic() + 60
    while (value := browser.execute_script(script, *given)) is None:
        if time.monotonic() > end:
            raise TimeoutError(script)
        time.sleep(0.01)
    return value


def _seed(large: Path, small: Path, rows: int) -> None:
    """Lay thumbnails of photos under the names of the large catalogue's rows, which have no files."""
    made = [file.read_bytes() for file in sorted((small / "thumbnails" / "320").rglob("*.webp"))[:_SEEDS]]
    folder = large / "thumbnails" / "320"
    if len(list(folder.rglob("*.webp"))) >= rows:
        return
    shutil.rmtree(folder, ignore_errors=True)
    originals = large / "thumbnails-of-others"
    originals.mkdir(exist_ok=True)
    for place, sealed in enumerate(made):
        data = sealed[:-4]
        (originals / str(place)).write_bytes(data + zlib.crc32(data).to_bytes(4, "big"))
    for row in range(1, rows + 1):
        name = row.to_bytes(32, "big").hex()
        file = folder / name[:2] / f"{name}.webp"
        file.parent.mkdir(parents=True, exist_ok=True)
        os.link(originals / str(row % len(made)), file)
