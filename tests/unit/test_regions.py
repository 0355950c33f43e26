"""Regions: small things are found by parts of pictures, in a catalogue that gets, keeps and loses them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.errors import CatalogueError
from wordsight.index import ExactIndex, LayeredIndex, RegionIndex
from wordsight.index.graph import GraphIndex
from wordsight.index.regions import MOST_REGIONS, blend
from wordsight.library import Catalogue, Filters, Library, derived, region_table, regions, schema
from wordsight.library.catalogue import DATABASE
from wordsight.testing import COLOURS, ColourEncoder, colour_image
from wordsight.types import Box, Metric

SIDE = 320
GREY = (150, 150, 150)  # nearest to white


class CountingEncoder(ColourEncoder):
    """Counts the pictures that were encoded, parts among them."""

    encoded = 0

    def encode_images(self, images):
        self.encoded += len(images)
        return super().encode_images(images)


class EuclideanColours(ColourEncoder):
    name = "euclidean"
    fingerprint = "euclidean-1"
    metric = Metric.EUCLIDEAN


def spotted(*boxes: tuple[int, int, int, int], colour: str = "red", size: tuple[int, int] = (SIDE, SIDE)):
    image = Image.new("RGB", size, GREY)
    for box in boxes:
        image.paste(COLOURS[colour], box)
    return image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """``corner`` has one red square, ``scattered`` more red in all, but nowhere much; two have none."""
    root = tmp_path / "photos"
    (root / "trip").mkdir(parents=True)
    spotted((260, 260, 320, 320)).save(root / "corner.png")
    dots = [(x, y, x + 20, y + 20) for x in range(0, SIDE, 80) for y in range(0, SIDE, 80)]
    spotted(*dots).save(root / "trip/scattered.png")
    spotted((0, 0, 60, 60), colour="blue").save(root / "trip/blue.png")
    spotted().save(root / "plain.png")
    return root


@pytest.fixture
def library() -> Library:
    return Library(CountingEncoder())


def names(answer) -> list[str]:
    return [hit.path.stem for hit in answer.hits]


def stored(library: Library) -> int:
    return region_table.count(library.catalogue, library.catalogue.encoder_row(library.encoder))


def change(act) -> None:
    with Catalogue.open(create=True) as catalogue, catalogue.writing():
        act(catalogue)


# --- where they lie


@given(st.integers(1, 30_000), st.integers(1, 30_000))
def test_regions_lie_inside_and_are_overlapping_squares(width: int, height: int) -> None:
    boxes = regions.layout(width, height)
    assert boxes.shape[1] == 4
    if min(width, height) < regions.LEAST_SIDE:
        assert len(boxes) == 0
        return
    assert 5 <= len(boxes) <= MOST_REGIONS
    short = min(width, height)
    for left, top, right, bottom, _ in (regions.in_pixels(box, width, height) for box in boxes):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert right - left == pytest.approx(short / 2, abs=2)
        assert bottom - top == pytest.approx(short / 2, abs=2)
    assert np.array_equal(np.sort(regions.layout(height, width)[:, [1, 0, 3, 2]], axis=0), np.sort(boxes, axis=0))


def test_usual_pictures_have_five_and_panoramas_more() -> None:
    assert [tuple(regions.in_pixels(box, 400, 300)[:4]) for box in regions.layout(400, 300)] == [
        (0, 0, 150, 150),
        (0, 150, 150, 300),
        (250, 0, 400, 150),
        (250, 150, 400, 300),
        (125, 75, 275, 225),
    ]
    assert [len(regions.layout(w, h)) for w, h in ((600, 300), (300, 900), (9000, 300))] == [5, 8, 32]


@given(st.lists(st.tuples(*[st.integers(0, 65535)] * 4), max_size=9))
def test_boxes_are_stored_exactly(boxes: list[tuple[int, int, int, int]]) -> None:
    rows = np.asarray(boxes, np.uint16).reshape(-1, 4)
    assert np.array_equal(regions.unpack_boxes(regions.pack_boxes(rows)), rows)
    with pytest.raises(CatalogueError, match="damaged"):
        regions.unpack_boxes(regions.pack_boxes(rows) + b"x")


# --- searching


def test_a_small_square_is_found_only_with_regions(library: Library, photos: Path) -> None:
    library.sync(photos)
    plain = library.search("red", top=4)
    assert names(plain) == ["scattered", "corner", "plain", "blue"]
    assert [hit.region for hit in plain.hits] == [None] * 4
    library.sync(photos, regions=True)
    found = library.search("red", top=4)
    assert names(found) == ["corner", "scattered", "plain", "blue"]
    assert found.hits[0].region == Box(160, 160, 320, 320)
    assert found.hits[2].region is None, "no part of it is closer than the whole"
    assert found.searched == 4
    assert names(library.search("red", top=1)) == ["corner"]
    assert library.search("blue", top=1).hits[0].region == Box(0, 0, 160, 160)
    whole = library.search("red", top=4, regions=False)
    assert [(hit.path, hit.score, hit.region) for hit in whole.hits] == [(h.path, h.score, None) for h in plain.hits]


def test_the_score_is_half_that_of_the_whole_and_half_that_of_the_best_region(library: Library, photos: Path) -> None:
    library.sync(photos, regions=True)
    picture = Image.open(photos / "corner.png")
    whole, best = ColourEncoder().encode_images([picture, picture.crop((160, 160, 320, 320))])[:, 0]
    (hit,) = library.search("red", top=1).hits
    assert hit.score == pytest.approx((whole + best) / 2, abs=1e-3)


def test_distances_are_fused_alike(photos: Path) -> None:
    with Library(EuclideanColours()) as library:
        library.sync(photos, regions=True)
        assert library.search("red", top=1).hits[0].region == Box(160, 160, 320, 320)


def test_filters_and_totals(library: Library, photos: Path) -> None:
    library.sync(photos, regions=True)
    found = library.search("red", top=9, within=[photos / "trip"])
    assert (names(found), found.searched) == (["scattered", "blue"], 2)
    none = library.search("red", filters=Filters(types=("gif",)))
    assert (names(none), none.searched) == ([], 0)


def test_copies_share_regions_and_small_pictures_have_none(library: Library, photos: Path) -> None:
    shutil.copy(photos / "corner.png", photos / "trip/copy.png")
    colour_image("red", size=64).save(photos / "thumbnail.png")
    library.sync(photos, regions=True)
    hits = library.search("red", top=3).hits
    assert [(hit.path.stem, hit.region) for hit in hits] == [
        ("thumbnail", None),
        ("corner", Box(160, 160, 320, 320)),
        ("copy", Box(160, 160, 320, 320)),
    ]
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    encoded = library.encoder.encoded
    library.sync(photos)
    assert library.encoder.encoded == encoded == 4 * 6 + 1


def test_regions_are_told_in_pixels_of_the_upright_picture(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "turned"
    root.mkdir()
    upright = spotted((0, 340, 60, 400), size=(320, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(root / "phone.jpg", exif=exif, quality=95)
    library.sync(root, regions=True)
    (hit,) = library.search("red").hits
    assert (hit.width, hit.height) == (320, 400)
    assert hit.region == Box(0, 240, 160, 400)


def test_minus_and_match_estimates(library: Library, photos: Path) -> None:
    library.sync(photos, regions=True)
    assert names(library.search("red - blue", top=1)) == ["corner"]
    for query in ("red", "red - blue"):
        answer = library.search(query, top=4)
        assert answer.calibrated
        assert all(0 <= hit.match <= 1 for hit in answer.hits if hit.match is not None)


# --- keeping up with the folder


def test_regions_are_added_to_what_is_there_and_nothing_is_done_twice(library: Library, photos: Path) -> None:
    library.sync(photos)
    assert library.encoder.encoded == 4
    assert library.status(photos).is_well
    report = library.sync(photos, regions=True)
    assert (report.encoded, report.added, report.changed, report.unchanged) == (4, 0, 0, 0)
    assert library.encoder.encoded == 4 + 4 * 5, "the wholes were there"
    assert library.sync(photos).unchanged == 4
    (photos / "corner.png").rename(photos / "trip/moved.png")
    shutil.copy(photos / "plain.png", photos / "trip/copied.png")
    spotted((0, 0, 9, 9)).save(photos / "new.png")
    report = library.sync(photos)
    assert (report.moved, report.added, report.encoded) == (1, 2, 1)
    assert library.encoder.encoded == 24 + 6, "it goes on with regions, and known contents are not encoded again"
    assert stored(library) == 5
    assert library.status(photos).is_well


def test_only_files_that_lack_regions_are_read(library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.sync(photos / "trip", regions=True)
    library.sync(photos, regions=True)
    opened = []
    plain_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: opened.append(self.name) or plain_open(self, *a, **k))
    spotted((0, 0, 9, 9)).save(photos / "new.png")
    opened.clear()
    library.sync(photos)
    assert [name for name in opened if name.endswith(".png")] == ["new.png"]


def test_turned_off_and_on_again(library: Library, photos: Path) -> None:
    library.sync(photos, regions=True)
    encoded = library.encoder.encoded
    library.sync(photos, regions=False)
    assert names(library.search("red", top=1)) == ["scattered"]
    assert stored(library) == 0
    assert library.sync(photos).unchanged == 4
    assert library.encoder.encoded == encoded
    assert library.status(photos).is_well
    library.sync(photos, regions=True)
    assert library.encoder.encoded == encoded + 4 * 5
    assert names(library.search("red", top=1)) == ["corner"]


def test_a_folder_that_is_not_yet_done_is_told(library: Library, photos: Path) -> None:
    library.sync(photos / "trip")
    library.sync(photos)  # one root from now on
    library.sync(photos / "trip", regions=True)
    health = library.status(photos)
    assert (health.indexed, health.unencoded, health.is_well) == (2, 2, False)
    assert names(library.search("red", top=2)) == ["scattered", "corner"], "what has none yet keeps its plain score"


def test_an_interrupted_run_continues(library: Library, photos: Path) -> None:
    for i in range(40):
        spotted((i, i, i + 9, i + 9)).save(photos / f"{i}.png")
    library.sync(photos)

    def interrupt(state) -> None:
        if state.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.sync(photos, regions=True, progress=interrupt)
    done = stored(library)
    assert 19 <= done < 44
    report = library.sync(photos)
    assert report.encoded == 44 - done
    assert stored(library) == 44


def test_another_layout_replaces_the_old_one(library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.sync(photos, regions=True)
    encoded = library.encoder.encoded
    monkeypatch.setattr("wordsight.library.sync.LAYOUT", "another")
    assert library.sync(photos).encoded == 4
    assert library.encoder.encoded == encoded + 4 * 5
    assert stored(library) == 4
    assert names(library.search("red", top=1)) == ["corner"]


def test_parts_without_a_finite_vector_are_left_out(photos: Path) -> None:
    class Odd(ColourEncoder):
        def encode_images(self, images):
            rows = super().encode_images(images)
            rows[[image.width < SIDE and row[0] > 0.1 for image, row in zip(images, rows, strict=True)]] = np.nan
            return rows

    with Library(Odd()) as library:
        report = library.sync(photos, regions=True)
        assert (report.encoded, report.skipped) == (4, 0)
        assert names(library.search("red", top=1)) == ["scattered"]


# --- older catalogues


def test_a_catalogue_of_the_version_before_loses_nothing(library: Library, photos: Path, tmp_path: Path) -> None:
    library.sync(photos)
    before = [(hit.path, hit.score) for hit in library.search("red", top=4).hits]
    library.close()
    with closing(sqlite3.connect(tmp_path / "catalogue" / DATABASE, isolation_level=None)) as connection:
        connection.executescript(
            "DROP TRIGGER remember_removed_regions; DROP TABLE regions; DROP TABLE removed_regions;"
            "ALTER TABLE encoders DROP COLUMN regions; PRAGMA user_version = 2;"
        )
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
            schema.migrate(fresh, schema.MIGRATIONS[:2])
            tables = "SELECT name FROM sqlite_master ORDER BY 1"
            assert connection.execute(tables).fetchall() == fresh.execute(tables).fetchall()
    with pytest.raises(CatalogueError, match="`wordsight index` migrates it"):
        library.search("red")
    assert library.sync(photos).unchanged == 4
    assert [(hit.path, hit.score) for hit in library.search("red", top=4).hits] == before
    assert library.encoder.encoded == 4
    library.sync(photos, regions=True)
    assert names(library.search("red", top=1)) == ["corner"]


# --- the index


def made(metric: Metric, pictures: int, seed: int = 0) -> tuple[ExactIndex, ExactIndex]:
    """Rows of ``pictures`` pictures, of which some have no region and none more than six."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(3 * pictures, pictures, replace=False)) + 1
    rows = [i * MOST_REGIONS + number for i in ids.tolist() for number in range(rng.integers(0, 7))]
    whole, parts = (rng.standard_normal((n, 16)).astype(np.float16) for n in (len(ids), len(rows)))
    return ExactIndex(16, metric, ids, whole), ExactIndex(16, metric, np.asarray(rows, np.int64), parts)


def expected(whole, parts, query, allowed=None) -> list[tuple[float, int]]:
    """The ranking by hand: ``(-score, id)``."""
    scores = dict(zip(*(column.tolist() for column in _flat(whole, query)), strict=True))
    best = {}
    for row, score in zip(*(column.tolist() for column in _flat(parts, query)), strict=True):
        best[row // MOST_REGIONS] = max(score, best.get(row // MOST_REGIONS, -np.inf))
    fused = {i: float(blend(np.float32(s), np.float32(best.get(i, -np.inf)))) for i, s in scores.items()}
    return sorted((-score, i) for i, score in fused.items() if allowed is None or i in allowed)


def _flat(index, query):
    found = index.search(query[None], len(index))
    return found.ids[0], found.scores[0]


@pytest.mark.parametrize("metric", Metric)
@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(0, 99))
def test_the_ranking_is_that_by_hand(metric: Metric, pictures: int, seed: int) -> None:
    whole, parts = made(metric, pictures, seed)
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((2, 16)).astype(np.float32)
    gone = rng.choice(whole.ids, pictures // 4, replace=False)
    later = parts.ids // MOST_REGIONS > np.median(whole.ids) if pictures else np.zeros(0, bool)
    layered = LayeredIndex(
        ExactIndex(16, metric, parts.ids[~later], parts.vectors[~later]),
        ExactIndex(16, metric, parts.ids[later], parts.vectors[later]),
    )
    for regions_of in (parts, layered):
        for index_of in (whole, LayeredIndex(whole, None, gone)):
            index = RegionIndex(index_of, regions_of)
            assert len(index) == len(index_of)
            for allowed in (None, whole.ids[::2], whole.ids[:3], np.asarray([10**9])):
                for k in (1, 5, 100):
                    got = index.search(queries, k, allowed)
                    for row, query in enumerate(queries):
                        want = expected(index_of, parts, query, None if allowed is None else set(allowed.tolist()))[:k]
                        assert got.ids[row].tolist() == [i for _, i in want]
                        assert got.scores[row].tolist() == [-score for score, _ in want]
    assert index.search(queries[:0], 3).ids.shape == (0, min(3, len(index_of)))


def test_graphs_propose_and_exact_rows_score() -> None:
    whole, parts = made(Metric.COSINE, 4_000)
    exact = RegionIndex(whole, parts)
    index = RegionIndex(GraphIndex.build(whole), GraphIndex.build(parts), propose=True)
    queries = np.random.default_rng(9).standard_normal((20, 16)).astype(np.float32)
    for allowed in (None, whole.ids[::3], whole.ids[:40]):
        want, got = exact.search(queries, 10, allowed), index.search(queries, 10, allowed)
        assert got.ids.shape == want.ids.shape
        assert np.mean([np.isin(w, g).mean() for w, g in zip(want.ids, got.ids, strict=True)]) > 0.9
        assert (np.diff(got.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("graph_from", [None, 1])
def test_answers_do_not_depend_on_index_files(
    library: Library, tmp_path: Path, graph_from: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regions come, change and go before and after the files are written."""
    root, rng = tmp_path / "many", np.random.default_rng(5)

    def more(count: int, folder: str) -> None:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            x, y, *_ = rng.integers(0, 280, 2).tolist()
            spotted((x, y, x + 40, y + 40), colour=str(rng.choice(sorted(COLOURS)))).save(root / folder / f"{i}.png")

    def answers() -> list[list[tuple[str, float, Box | None]]]:
        asked = [(text, under) for text in ("red", "green + blue", "cyan - red") for under in ((), (root / "b",))]
        return [
            [(str(hit.path), hit.score, hit.region) for hit in library.search(q, top=9, filters=Filters(under=u)).hits]
            for q, u in asked
        ]

    def fold() -> None:
        change(lambda c: derived.fold(c, c.encoder_row(library.encoder), graph_from=graph_from))

    more(30, "a")
    library.sync(root)
    fold()
    more(20, "b")
    library.sync(root, regions=True)
    fold()
    shutil.rmtree(root / "a")
    more(12, "c")
    monkeypatch.setattr("wordsight.library.sync.LAYOUT", "another")  # all are made anew
    library.sync(root)
    mixed = answers()
    fold()
    folded = answers()
    assert {file.name for file in (tmp_path / "catalogue/index/1").glob("*/region_*")} >= {"region_ids"}
    shutil.rmtree(tmp_path / "catalogue/index")
    library.close()
    assert mixed == folded == answers()
    assert any(region is not None for hits in mixed for _, _, region in hits)


def test_damaged_regions_are_told(library: Library, photos: Path) -> None:
    library.sync(photos, regions=True)
    change(lambda c: c.db.execute("UPDATE regions SET vectors = x'00'"))
    with pytest.raises(CatalogueError, match="damaged vectors"):
        library.search("red")
