"""The search page, as people use it."""

from __future__ import annotations

import base64

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Page, Photos

pytestmark = pytest.mark.xdist_group("browser")

HOSTILE = "<img src=x onerror=alert(1)> &amp; 'brick'.png"


def test_words_find_photos_and_the_address_says_so(page: Page) -> None:
    page.open()
    page.search("a cat")
    names = page.settled()
    assert {"chelsea.png", "the same cat.png"} & set(names[:2])
    assert page.state() == {"q": ["a cat"]}
    page.see(".told", "probably match")
    page.see(".told", "ms")
    page.run("document.querySelector('.tile a').focus()")
    caption = page.read(".tile .caption")
    assert "%" in caption  # the match estimate
    assert "0." in caption  # the score
    page.shoot("search")


def test_the_line_between_likely_and_not_agrees_with_the_count(page: Page) -> None:
    for q in ("a cat", "an animal - cat", "flower + cup"):  # with a sum, estimates need not fall with the score
        page.open(q=q, all=1)
        page.settled()
        script = """
            const { hits } = document.querySelector("photo-grid").results;
            const line = document.querySelector(".divide")?.getBoundingClientRect().top ?? Infinity;
            const top = (tile) => tile.getBoundingClientRect().top;
            const above = [...document.querySelectorAll(".tile")].filter((tile) => top(tile) < line);
            const last = hits.findLastIndex((hit) => hit.match >= 0.5);
            return [above.length, last + 1, document.querySelector(".divide")?.textContent ?? ""];
        """
        above, likely, line = page.run(script)
        assert line, q
        assert above == likely, q
        assert ("probably none" in line) == (likely == 0)


def test_a_query_for_what_is_not_there_is_told_so(page: Page) -> None:
    page.open(q="a plate of sushi")
    page.see(".message", "Nothing here matches “a plate of sushi”")
    page.shoot("nothing-matches")
    page.click("a.button", "Show the nearest")
    assert len(page.hits()) > 5
    page.see(".told", "None of")
    page.driver.back()
    page.see(".message", "Nothing here matches")


def test_what_cannot_be_asked_is_explained(page: Page) -> None:
    page.expected.append("status of 400")
    page.open(q="cat +")
    page.see(".message", "must follow the sign")
    page.shoot("error")


def test_filters_narrow_and_are_taken_away(page: Page, photos: Photos) -> None:
    page.open()
    everything = len(page.settled())
    assert everything == photos.count
    page.click(".filter summary", "Type")
    page.click(".panel label", "jpeg")
    page.see(".filter .on", "jpeg")
    page.wait(lambda: all(name.endswith(".jpg") for name in page.hits()))
    assert page.state() == {"type": ["jpeg"]}
    page.shoot("filters")
    page.click(".off", "")
    page.wait(lambda: len(page.hits()) == everything)
    page.click(".filter summary", "Folder")
    page.click(".panel label", "cats & dogs")
    page.wait(lambda: page.hits() == ["chelsea.png"])
    page.open(since="2021", until="2021")
    assert page.hits() == ["flower.jpg"]
    page.open(camera="pixel", sort="date", q="something red", all=1)
    assert page.hits() == ["flower.jpg", "china.jpg"]  # the newest first
    page.open(since="2030")
    page.see(".message", "No photos here")


def test_words_and_pictures_combine_with_signs_and_weights(page: Page) -> None:
    page.open(q="a cat + flower", all=1)
    page.settled()
    page.wait(lambda: page.see(".term", "flower").find_element(By.CSS_SELECTOR, ".sign").click() is None)
    page.wait(lambda: page.state()["q"] == ["a cat - flower"])
    page.see(".term.minus", "flower")
    page.run("const s = document.querySelector('.term select'); s.value = 2; s.dispatchEvent(new Event('change'))")
    page.wait(lambda: page.state()["q"] == ["2:a cat - flower"])
    page.settled()
    adder = page.see(".adder input")
    adder.send_keys("2 + 2", Keys.ENTER)  # not two terms: what is typed here is one
    page.wait(lambda: page.state()["q"] == ['2:a cat - flower + "2 + 2"'])
    page.see(".term", "2 + 2")
    page.shoot("terms")
    page.wait(lambda: page.see(".term", "flower").find_element(By.CSS_SELECTOR, ".off").click() is None)
    page.wait(lambda: page.state()["q"] == ['2:a cat + "2 + 2"'])


def test_suggestions_are_what_was_asked_and_saved(page: Page) -> None:
    page.open()
    page.search("a pagoda by a lake")
    page.settled()
    page.open()
    page.settled()
    page.keys("/")
    page.keys("a pag")
    page.see("[role=option]", "a pagoda by a lake")
    page.shoot("suggestions")
    page.keys(Keys.ARROW_DOWN)
    page.keys(Keys.ENTER)
    page.wait(lambda: page.state() == {"q": ["a pagoda by a lake"]})
    assert page.settled()[0] == "china.jpg"


def test_a_picture_is_searched_by(page: Page, photos: Photos) -> None:
    page.open()
    page.driver.find_element(By.CSS_SELECTOR, ".tool input[type=file]").send_keys(str(photos.folder / "coffee.png"))
    page.wait(lambda: page.state().get("q", [""])[0].startswith("picture:"))
    assert page.settled()[0] == "coffee.png"
    page.see(".term img")
    page.shoot("upload")
    data = base64.b64encode((photos.folder / "rocket.jpg").read_bytes()).decode()
    hand_over = """
        const bytes = Uint8Array.from(atob(arguments[1]), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "x.jpg", { type: "image/jpeg" }));
        const options = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
        const make = arguments[0] === "paste" ? ClipboardEvent : DragEvent;
        document.querySelector(arguments[2]).dispatchEvent(new make(arguments[0], options));
    """
    page.open(q="a cat")
    page.settled()
    page.run(hand_over, "dragenter", data, "main")
    page.shoot("drop")
    page.run(hand_over, "drop", data, ".zone[data-sign='-']")
    page.wait(lambda: page.state()["q"][0].startswith("a cat - picture:"))
    page.open()
    page.settled()
    page.run(hand_over, "paste", data, "main")
    page.wait(lambda: page.state().get("q", [""])[0].startswith("picture:"))
    assert page.settled()[0] == "rocket.jpg"


def test_engines_side_by_side(page: Page) -> None:
    page.open(q="red", all=1)
    page.settled()
    page.click(".chip", "Side by side")
    page.see(".column h2", "mini")
    page.see(".column h2", "colours")
    page.see(".column h2", "together")
    assert all("ms" in row.text for row in page.all(".costs tbody tr"))
    first = page.all(".column:nth-of-type(2) li")[0]
    assert "retina.jpg" in first.text  # the reddest photo, for the engine that knows only colours
    page.run("arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", first)
    page.wait(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, ".column li.same")) >= 2)
    page.shoot("side-by-side")
    page.keys(Keys.ESCAPE)
    page.gone(".columns")


def test_thumbs_refine_are_saved_and_exported(page: Page) -> None:
    page.open(q="an animal", all=1)
    before = page.settled()
    wanted = before.index("rocket.jpg")
    page.run("document.querySelector(`.tile[data-place='${arguments[0]}'] a`).focus()", wanted)
    page.keys("u")
    page.see(".feedback")
    page.wait(lambda: page.hits() != before)
    after = page.settled()
    assert after.index("rocket.jpg") < wanted
    page.keys(Keys.END, "d")
    page.wait(lambda: "disliked" in page.state())
    page.settled()
    page.shoot("feedback")
    page.see(".save input").send_keys("my rockets", Keys.ENTER)
    page.see(".toast", "@my rockets")
    judged = page.run("return fetch('/api/marks/qrels').then((answer) => answer.text())")
    assert "rocket.jpg 1" in judged
    assert len(judged.splitlines()) == 2
    refined = page.settled()
    page.open(q="@my rockets")
    assert page.settled() == refined
    page.driver.back()
    page.driver.back()
    page.click(".feedback button.button", "Clear")
    page.gone(".feedback")
    assert page.settled() == before


def test_deep_links_and_back(page: Page) -> None:
    page.open(q="a cat", all=1)
    page.settled()
    page.click(".tile a")
    page.see(".viewer h2")
    link = page.driver.current_url
    page.driver.back()
    page.gone("dialog.viewer")
    page.search("a man with a camera")
    page.settled()
    page.driver.back()
    page.wait(lambda: page.see("#q").get_attribute("value") == "a cat")
    page.driver.forward()
    page.wait(lambda: page.state()["q"] == ["a man with a camera"])
    page.driver.get("about:blank")
    page.driver.get(link)
    page.wait(lambda: any(word in page.read(".viewer h2") for word in ("cat", "chelsea")))
    page.keys(Keys.ESCAPE)
    page.gone("dialog.viewer")
    assert page.state() == {"q": ["a cat"], "all": ["1"]}
    page.window(1280, 300)
    page.open()
    page.settled()
    page.run("scrollTo(0, 500)")
    page.click("nav a", "Library")
    page.see("h1", "Library")
    page.driver.back()
    page.settled()
    page.wait(lambda: page.run("return scrollY") == 500)


def test_the_keyboard_alone_suffices(page: Page) -> None:
    page.open()
    page.settled()
    page.keys("/")
    page.keys("a cat", Keys.ENTER)
    page.wait(lambda: page.state().get("q") == ["a cat"])
    page.settled()
    page.keys(Keys.ESCAPE)
    assert _focused(page) == "0"
    page.keys(Keys.ARROW_RIGHT)
    assert _focused(page) == "1"
    page.keys(Keys.END)
    last = int(_focused(page))
    page.keys(Keys.ARROW_UP)
    assert 0 < int(_focused(page)) < last
    page.keys(Keys.HOME, Keys.ENTER)
    first = page.read(".viewer h2")
    page.keys(Keys.ARROW_RIGHT)
    page.wait(lambda: page.read(".viewer h2") != first)
    page.keys("w")
    page.see(".why .hint", "score")
    page.keys(Keys.ESCAPE)
    page.gone("dialog.viewer")
    assert _focused(page) == "2"  # the photo that was looked at last: the second is a copy of the first
    page.keys("?")
    page.see("#help h2", "Keys")
    page.shoot("help")
    page.keys(Keys.ESCAPE)
    page.gone("#help")


def _focused(page: Page) -> str:
    return page.wait(lambda: page.run("return document.activeElement.closest('.tile')?.dataset.place"))


def test_file_names_stay_names(page: Page) -> None:
    page.open(q="bricks", all=1)
    names = page.settled()
    assert HOSTILE in names
    page.click(f".tile[data-place='{names.index(HOSTILE)}'] a")
    page.wait(lambda: page.read(".viewer h2") == HOSTILE)
    assert not page.driver.find_elements(By.CSS_SELECTOR, "img[src=x]")


_WATCHED = """
    const later = setTimeout;
    window.setTimeout = (call, ms, ...given) => later(call, ms * 200, ...given); // nothing comes because time is up
    window.frames_ = 0;
    requestAnimationFrame(function next() { frames_++; requestAnimationFrame(next); });
    const tiles = () => document.querySelectorAll(".tile").length;
    document.addEventListener("load", (event) => {
      if (!event.target.closest(".tile")) return;
      window.first ??= { tiles: tiles(), frame: frames_ };
    }, true);
    new MutationObserver(() => tiles() > 1 && (window.row ??= { tiles: tiles(), frame: frames_ }))
      .observe(document.getElementById("main"), { childList: true, subtree: true });
    history.pushState({}, "", "/?all=1&q=a+cat");
    dispatchEvent(new Event("navigate"));
"""


def test_the_first_photo_is_painted_before_others_are_asked_for(page: Page) -> None:
    page.open("/reports")
    page.see("h1, h2")
    page.run(_WATCHED)
    first, row = page.wait(lambda: page.run("return window.row && [first, row]"), "no photo but the first")
    assert first["tiles"] == 1
    assert 1 < row["tiles"] < 10  # the first row alone
    assert row["frame"] >= first["frame"] + 2
    page.wait(lambda: page.run("return document.querySelectorAll('.tile').length") > row["tiles"], "no further rows")


def test_a_first_photo_that_cannot_be_shown_does_not_hold_up_the_others(page: Page) -> None:
    page.expected = ["thumbnail"]
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/thumbnail?*"]})
    try:
        page.open(q="a cat", all=1)
        assert len(page.hits()) > 5
        page.wait(lambda: len(page.all(".tile.broken")) > 1)
    finally:
        page.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        page.driver.execute_cdp_cmd("Network.disable", {})


def test_fifty_thousand_hits_need_few_elements(page: Page) -> None:
    page.open()
    page.settled()
    script = """
        const one = document.querySelector("photo-grid");
        const sha256 = document.querySelector(".tile a").search.match(/[0-9a-f]{64}/)[0];
        const hits = Array.from({ length: 50000 }, (_, at) => ({ sha256, path: `/${at}.jpg`, rank: at + 1, score: 0,
          match: null, query: "", width: 300 + (at * 7919) % 500, height: 300, captured_at: null }));
        const fake = Object.assign(new EventTarget(), { hits, done: true, answer: {}, scroll: 0, more() {} });
        one.results = fake;
        scrollTo(0, document.body.scrollHeight / 2);
    """
    page.run(script)
    tiles, first = page.wait(
        lambda: page.run("""
            if (document.querySelector("photo-grid").ariaBusy === "true") return null;
            const places = [...document.querySelectorAll(".tile")].map((tile) => Number(tile.dataset.place));
            return [places.length, Math.min(...places)];
        """),
        "the grid stays busy",
    )
    assert 5 < tiles < 150
    assert 20_000 < first < 30_000
    rows = page.run("""return import("/static/layout.js").then(({ Rows }) => {
        const rows = new Rows(1000, 200, 6);
        const ratios = Array.from({ length: 5000 }, (_, at) => 0.1 + ((at * 7919) % 997) / 200);
        for (let at = 0; at < 5000; at += 37) rows.append(ratios.slice(at, at + 37));
        const whole = new Rows(1000, 200, 6);
        whole.append(ratios);
        const placed = ({ boxes }) => boxes.map(({ x, y, width }) => [x, y, width]);
        return [rows.rows, placed(rows), placed(whole)];
    })""")
    rows, boxes, whole = rows
    assert len(boxes) == 5000
    assert boxes == whole  # page by page or at once
    for row in rows[:-1]:
        x, _, width = boxes[row["end"] - 1]
        assert x + width == pytest.approx(1000)
        assert 90 < row["height"] <= 400
