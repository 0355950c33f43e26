"""Thumbnails that are made before anybody asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web_server import Served, paint

from wordsight.testing import colour_image
from wordsight.web import ahead
from wordsight.web.config import Limits


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for a quiet moment longer than a test likes."""
    monkeypatch.setattr(ahead, "_QUIET", 0.02)
    monkeypatch.setattr(ahead, "_LOOK", 0.02)
    monkeypatch.setattr(ahead, "_AGAIN", 0.1)


def wait(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60  # machines are busy
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def done(served: Served, **members: object) -> bool:
    state = served.service.ahead.state()
    return not state["running"] and all(state[name] == value for name, value in members.items())


def kept(served: Served, side: int = 320) -> set[str]:
    return {file.stem for file in served.service.location.glob(f"thumbnails/{side}/*/*.webp")}


def test_they_are_there_without_being_asked_for(served: Served) -> None:
    wait(lambda: done(served, ready=8))
    told = served.client.get("/api/status")["thumbnails"]
    assert told == {"running": False, "photos": 8, "ready": 8, "failed": 0, "full": False}
    hits = {hit.sha256 for hit in served.client.search_all()}
    assert kept(served) == hits
    assert not kept(served, 640)
    assert f'wordsight_thumbnails_total{{from="ahead"}} {len(hits)}.0'.encode() in served.ask("GET", "/metrics").data
    served.client.thumbnail(next(iter(hits)), side=640)  # a screen that shows larger ones
    wait(lambda: kept(served, 640) == hits)


def test_a_sync_is_followed_and_broken_files_are_survived(served: Served) -> None:
    wait(lambda: done(served, ready=8))
    colour_image("black").save(served.photos / "new.png")
    colour_image("black", "white").save(served.photos / "newer.png")
    (served.photos / "green.png").write_bytes(b"no picture, and not what was indexed")
    served.client.sync()
    wait(lambda: done(served, photos=9, ready=9))  # two came, one is none any more
    (served.photos / "blue.png").unlink()
    for file in served.service.location.glob("thumbnails/320/*/*.webp"):
        file.unlink()
    (served.photos / "trip").rename(served.photos.parent / "away")
    served.service.ahead._sides |= {640}  # looks again
    wait(lambda: done(served, photos=9, ready=5, failed=4))


def test_they_wait_while_somebody_waits_for_an_answer(serve: Callable[..., Served]) -> None:
    served = serve(ahead=False)
    served.service.slow._taken += 1  # a call that runs
    made: list[str] = []
    served.service.ahead.start(lambda sha256, _: made.append(sha256))
    time.sleep(0.3)
    assert not made
    served.service.slow._taken -= 1
    wait(lambda: len(made) == 8)
    assert made == [hit.sha256 for hit in served.client.search_all()]  # in the page's order


def test_they_can_be_left_alone(serve: Callable[..., Served]) -> None:
    served = serve(ahead=False)
    time.sleep(0.3)
    assert not kept(served)
    assert served.client.get("/api/status")["thumbnails"]["ready"] == 0


def test_they_leave_room_for_what_is_looked_at(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve(paint(tmp_path / "photos"), limits=Limits(thumbnails_bytes=400))
    wait(lambda: done(served, full=True))
    files = list(served.service.location.rglob("*.webp"))
    assert 0 < len(files) < 7
    assert sum(file.stat().st_size for file in files) <= 400


def test_the_server_ends_at_once_while_they_are_made(serve: Callable[..., Served]) -> None:
    served = serve(ahead=False)
    began = time.monotonic()
    served.service.ahead.start(lambda *_: time.sleep(0.2))
    wait(lambda: served.service.ahead.state()["running"])
    served.service.ahead.close()
    assert time.monotonic() - began < 5
    assert served.service.ahead.state()["ready"] < 7
