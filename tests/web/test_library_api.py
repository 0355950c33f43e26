"""The library page: a sync beside searches, its live progress, duplicates, clusters, reports."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from web_server import Served, paint

from wordsight.testing import COLOURS, ColourEncoder, colour_image


def events(served: Served) -> Iterator[tuple[str, dict]]:
    """Yield the events of the sync as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", "/api/sync/events")
    response = connection.getresponse()
    assert response.getheader("content-type").startswith("text/event-stream")
    name = ""
    while line := response.readline().decode().rstrip("\n"):
        yield_now = line.startswith("data: ")
        if line.startswith("event: "):
            name = line[7:]
        if yield_now:
            yield name, json.loads(line[6:])
            response.readline()  # the blank line
    connection.close()


def many(root: Path, count: int) -> Path:
    """Save different pictures of noise."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number:04d}.png")
    return root


def test_a_first_sync_is_watched(serve, tmp_path: Path) -> None:
    photos = many(tmp_path / "photos", 150)
    (photos / "broken.jpg").write_bytes(b"no picture")
    served = serve(photos, index=False)
    assert served.client.sync()["running"] is True
    seen = list(events(served))
    assert [name for name, _ in seen][-1] == "done"
    assert {name for name, _ in seen[:-1]} == {"progress"}
    done = [state["done"] for _, state in seen]
    assert done == sorted(done)
    last = seen[-1][1]
    assert (last["running"], last["done"], last["encoded"], last["skipped"], last["error"]) == (
        False,
        151,
        150,
        1,
        None,
    )
    assert last["latest"] == [{"path": str(photos / "broken.jpg"), "reason": last["latest"][0]["reason"]}]
    assert last["report"]["added"] == 150
    assert len(list(served.client.search_all("red"))) == 150  # found at once
    health = served.client.get("/api/library")
    assert health["folders"][0]["well"] is True
    assert health["folders"][0]["skips"][0]["path"].endswith("broken.jpg")
    assert health["encoders"] == [{"name": "colours", "fingerprint": "colours-1", "vectors": 150, "served": True}]


def test_one_sync_at_a_time_and_cancelled(serve, tmp_path: Path, monkeypatch) -> None:
    served = serve(many(tmp_path / "photos", 40), index=False)
    encoder = served.service.encoder()
    plain = encoder.encode_images
    monkeypatch.setattr(encoder, "encode_images", lambda images: time.sleep(0.1) or plain(images))
    served.client.sync()
    assert served.ask("POST", "/api/sync", {}).status == 409
    served.ask("DELETE", "/api/sync")
    name, state = list(events(served))[-1]
    assert (name, state["running"]) == ("done", False)
    assert "cancelled" in state["error"]
    monkeypatch.undo()
    served.client.sync()  # goes on where it ended
    _, state = list(events(served))[-1]
    assert state["report"]["unchanged"] + state["report"]["added"] == 40


def test_nothing_is_lost_while_a_sync_runs(serve, tmp_path: Path) -> None:
    photos = paint(tmp_path / "photos")
    served = serve(photos)
    many(photos / "new", 120)

    def asks(number: int) -> int:
        from wordsight.client import Client

        with Client(f"http://127.0.0.1:{served.port}") as client:
            for _ in range(25):
                page = client.search("red", limit=8)
                assert page.hits[0].path.endswith("red.png")
                assert page.searched >= 7  # what was there stays there
                client.mark("red", page.hits[number % 8].sha256, 1)
        return number

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(asks, number) for number in range(4)]
        served.client.sync()
        assert [one.result() for one in asked] == [0, 1, 2, 3]
    assert list(events(served))[-1][1]["error"] is None
    assert len(list(served.client.search_all("red"))) == 128
    assert len(served.client.get("/api/marks")["marks"]) >= 2


def test_only_served_folders_are_synced(served: Served) -> None:
    assert served.ask("POST", "/api/sync", {"folder": "/etc"}).status == 400
    assert served.ask("POST", "/api/sync", {"folder": str(served.photos)}).status == 202


def test_duplicates(serve, tmp_path: Path) -> None:
    photos = paint(tmp_path / "photos")
    colour_image("red", size=64).save(photos / "larger red.png")
    served = serve(photos)
    found = served.client.get("/api/library/duplicates")
    (exact,) = found["exact"]
    assert sorted(Path(path).parent.name for path in exact["paths"]) == ["copies", "photos"]
    (near,) = found["near"]
    assert {Path(photo["path"]).stem for photo in near["photos"]} == {"red", "larger red"}
    assert near["similarity"] > 0.999
    wide = served.client.get("/api/library/duplicates", threshold=0.8)
    assert len(wide["near"]) == 1
    assert served.ask("GET", "/api/library/duplicates?threshold=0").status == 422


def test_clusters_get_names(serve, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour, count in (("red", 6), ("blue", 4), ("green", 3)):
        for number in range(count):
            pixels = np.clip(np.asarray(COLOURS[colour]) + rng.integers(-30, 30, (32, 32, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(photos / f"{colour} {number}.png")
    served = serve(photos)
    found = served.client.get("/api/library/clusters", k=3)
    assert [one["count"] for one in found["clusters"]] == [6, 4, 3]
    assert served.ask("PUT", "/api/library/clusters/1?k=3", {"name": "sea"}).status == 204
    assert [one["name"] for one in served.client.get("/api/library/clusters", k=3)["clusters"]] == [None, "sea", None]
    hits = served.client.search("@sea", limit=4).hits
    assert {Path(hit.path).stem.split()[0] for hit in hits} == {"blue"}
    assert served.ask("PUT", "/api/library/clusters/9?k=3", {"name": "sea"}).status == 400
    assert len(served.client.get("/api/library/clusters", k=100)["clusters"]) <= 13


def test_reports_run_in_a_sandbox(serve, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    (reports / "nested").mkdir(parents=True)
    (reports / "one.html").write_text("<title>One &amp; two</title><script>1</script>")
    (reports / "nested" / "report.html").write_text("<p>inner")
    (reports / "notes.txt").write_text("no report")
    (tmp_path / "secret.html").write_text("secret")
    (reports / "link.html").symlink_to(tmp_path / "secret.html")
    os.utime(reports / "one.html", (2e9, 2e9))
    served = serve(reports=reports)
    listed = served.client.get("/api/reports")["reports"]
    assert [(one["name"], one["title"]) for one in listed] == [("one.html", "One & two"), ("nested", "nested")]
    answer = served.ask("GET", "/reports/one.html")
    assert answer.data.startswith(b"<title>One")
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for name in ("notes.txt", "link.html", "secret.html", "..%2fsecret.html", "."):
        assert served.ask("GET", f"/reports/{name}").status == 404


def test_metrics_count_routes_not_photos(served: Served) -> None:
    for name in ("/red.png", "/blue.png"):
        served.client.thumbnail(served.sha(name))
    served.ask("GET", "/secret/path")
    text = served.ask("GET", "/metrics").data.decode()
    assert 'wordsight_requests_total{method="GET",route="/api/pictures/{sha256}/thumbnail",status="200"} 2.0' in text
    assert "secret" not in text
    assert 'wordsight_search_seconds_count{encoder="default",step="search"}' in text
    assert 'wordsight_thumbnails_total{from="made"} 2.0' in text
    assert "wordsight_photos 8.0" in text


def test_counts_are_kept_until_the_catalogue_changes(served: Served, monkeypatch) -> None:
    from wordsight.library import facets

    asked: list[object] = []
    plain = facets.facets
    monkeypatch.setattr(facets, "facets", lambda *given: asked.append(given[1]) or plain(*given))
    for _ in range(6):  # two threads
        assert served.client.get("/api/facets")["photos"] == 8
    assert 1 <= len(asked) <= 2
    paint(served.photos, ("black",))
    served.client.sync()
    while served.client.get("/api/sync")["running"]:
        time.sleep(0.02)
    for _ in range(4):
        assert served.client.get("/api/facets")["photos"] == 9
    assert served.client.get("/api/status")["photos"] == 9
    assert served.client.get("/api/facets", type=["jpg"])["photos"] == 0


def test_encoders_are_opened_before_the_first_query(serve, monkeypatch) -> None:
    asked: list[list[str]] = []
    plain = ColourEncoder.encode_texts
    monkeypatch.setattr(ColourEncoder, "encode_texts", lambda self, texts: asked.append([*texts]) or plain(self, texts))
    serve().service._warming.join(20)
    assert asked[-1] == ["a photo"]
