from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.library import Catalogue, Library, background, calibration
from wordsight.library.calibration import FEATURES, Calibration, learn, pack_payload, unpack_payload
from wordsight.testing import ColourEncoder, colour_image
from wordsight.types import Embeddings, Metric


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        for number in range(6):
            add(folder, f"{name}-{number}", name, size=32 + number)
    return folder


def add(folder: Path, stem: str, *colours: str, size: int = 32) -> None:
    colour_image(*colours, size=size).save(folder / f"{stem}.png")


def indexed(folder: Path, encoder: ColourEncoder | None = None) -> Library:
    library = Library(encoder or ColourEncoder())
    library.sync(folder)
    return library


def stored(library: Library) -> Calibration | None:
    return calibration.load(library.catalogue, library.catalogue.encoder_row(library.encoder))


def made_at(library: Library) -> int:
    return int(library.catalogue.db.execute("SELECT images FROM calibrations").fetchone()[0])


def a_calibration(images: int = 50, dim: int = 8, seed: int = 0) -> Calibration:
    rng = np.random.default_rng(seed)
    bank = rng.standard_normal((len(background.THINGS) + len(background.NONSENSE), dim))
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    rows = rng.standard_normal((images, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return learn(rows.mean(axis=0), np.cov(rows.T, bias=True), bank.astype(np.float32), images=images)


def test_a_colour_that_is_there_matches_its_pictures_only(photos: Path) -> None:
    with indexed(photos) as library:
        answer = library.search("red", top=18)
    assert answer.calibrated
    assert {hit.path.stem[:3] for hit in answer.hits if hit.match is not None and hit.match >= 0.5} == {"red"}
    assert answer.likely == 6


@pytest.mark.parametrize("text", ["magenta", "asdf", "a thing without a colour"])
def test_what_is_not_there_matches_nothing(photos: Path, text: str) -> None:
    with indexed(photos) as library:
        answer = library.search(text)
        assert answer.nothing_matches
        assert len(answer.hits) == 10
        assert library.search(text, matches_only=True).hits == ()


def test_in_a_folder_of_one_colour_that_colour_matches_all(tmp_path: Path) -> None:
    folder = tmp_path / "red"
    folder.mkdir()
    for number in range(8):
        add(folder, str(number), "red", size=32 + number)
    with indexed(folder) as library:
        assert library.search("red").likely == 8
        assert library.search("blue").nothing_matches
        assert library.search("asdf").nothing_matches


@pytest.mark.parametrize("count", [1, 2, 4])
def test_tiny_catalogues_are_calibrated(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("red", "green", "blue", "white")[:count]:
        add(folder, name, name)
    with indexed(folder) as library:
        assert library.search("red").likely == 1
        assert library.search("yellow").nothing_matches


def test_an_empty_catalogue_has_no_calibration(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with indexed(tmp_path / "none") as library:
        assert stored(library) is None


def test_it_is_made_anew_when_the_catalogue_changed_much(photos: Path) -> None:
    with indexed(photos) as library:
        assert made_at(library) == 18
        add(photos, "one more", "white")
        library.sync(photos)
        assert made_at(library) == 18  # an eighteenth more
        for number in range(4):
            add(photos, f"more {number}", "white", size=50 + number)
        library.sync(photos)
        assert made_at(library) == 23


def test_replaced_photos_count_as_a_change(photos: Path) -> None:
    with indexed(photos) as library:
        before = stored(library)
        for number in range(6):
            (photos / f"red-{number}.png").unlink()
            add(photos, f"yellow-{number}", "yellow", size=32 + number)
        library.sync(photos)
        after = stored(library)
        assert before is not None
        assert after is not None
        assert after.images == before.images
        assert not np.array_equal(after.mean, before.mean)
        assert library.search("red").nothing_matches


def test_the_bank_is_encoded_once(photos: Path) -> None:
    class Counting(ColourEncoder):
        texts = 0

        def encode_texts(self, texts: Sequence[str]) -> Embeddings:
            self.texts += len(texts)
            return super().encode_texts(texts)

    encoder = Counting()
    with indexed(photos, encoder) as library:
        bank = encoder.texts
        assert bank == len(background.THINGS) + len(background.NONSENSE)
        for number in range(8):
            add(photos, f"more {number}", "white", size=50 + number)
        library.sync(photos)
        assert made_at(library) == 26
        assert encoder.texts == bank


@pytest.mark.parametrize("change", [{"vocabulary": ("red", "green")}, {"metric": Metric.EUCLIDEAN}])
def test_closed_and_euclidean_encoders_have_none(photos: Path, change: dict[str, object]) -> None:
    encoder = type("Other", (ColourEncoder,), change)()
    with indexed(photos, encoder) as library:
        assert stored(library) is None
        answer = library.search("red", matches_only=True)
        assert not answer.calibrated
        assert answer.hits
        assert any("no match estimate" in notice for notice in answer.notices)


def test_a_damaged_payload_counts_as_absent(photos: Path) -> None:
    with indexed(photos) as library:
        whole = library.catalogue.db.execute("SELECT payload FROM calibrations").fetchone()[0]
    with Catalogue.open(create=True) as catalogue:
        catalogue.db.execute("UPDATE calibrations SET payload = ?", [whole[:-1]])
    with Library(ColourEncoder()) as library:
        assert stored(library) is None
        assert library.search("red").hits[0].match is None
        library.sync(photos)
        assert library.search("red").likely == 6


def test_a_payload_comes_back_whole() -> None:
    before = a_calibration()
    after = unpack_payload(pack_payload(before))
    assert after is not None
    query, scores = before.bank[3].astype(np.float32), np.linspace(-1, 1, 7, dtype=np.float32)
    np.testing.assert_array_equal(after.match(query, scores), before.match(query, scores))
    assert pack_payload(after) == pack_payload(before)


@given(st.data())
def test_no_damage_gets_through(data: st.DataObject) -> None:
    payload = bytearray(pack_payload(a_calibration(dim=4)))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    assert unpack_payload(bytes(payload)) is None
    assert unpack_payload(bytes(payload[:place])) is None


def test_another_bank_of_background_queries_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = pack_payload(a_calibration())
    monkeypatch.setattr(background, "VERSION", background.VERSION + 1)
    assert unpack_payload(payload) is None


@given(st.integers(1, 100_000_000), st.integers(0, 5))
def test_the_estimate_is_a_probability_that_never_falls_with_the_score(images: int, seed: int) -> None:
    learned = a_calibration(seed=seed)
    learned = Calibration(**{**vars(learned), "images": images})
    scores = np.linspace(-1, 1, 200, dtype=np.float32)
    estimates = learned.match(learned.bank[seed].astype(np.float32), scores)
    assert estimates.shape == (200,)
    assert estimates.dtype == np.float32
    assert np.isfinite(estimates).all()
    assert estimates.min() >= 0
    assert estimates.max() <= 1
    assert (np.diff(estimates) >= 0).all()


def test_no_scores_no_estimates() -> None:
    assert a_calibration().match(np.ones(8, np.float32), np.empty(0, np.float32)).shape == (0,)


def test_the_features_are_those_of_all_scores() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((40, 8)) * np.arange(1, 9)
    bank = rng.standard_normal((len(background.THINGS) + len(background.NONSENSE), 8)).astype(np.float32)
    learned = learn(rows.mean(axis=0), np.cov(rows.T, bias=True), bank, images=len(rows))
    every = rows @ bank.T
    assert learned.bank_mean == pytest.approx(every.mean(), abs=1e-3)
    assert learned.bank_scale == pytest.approx(every.std(), rel=1e-3)
    scores = (rows @ bank[0]).astype(np.float32)
    features = dict(zip(FEATURES, learned.features(bank[0], scores).T, strict=True))
    np.testing.assert_allclose(features["score"], (scores - every.mean()) / every.std(), rtol=1e-2, atol=1e-2)
    assert features["mean"][0] == pytest.approx((scores.mean() - every.mean()) / every.std(), abs=1e-2)


def test_an_encoder_to_which_all_texts_are_one_matches_nothing_by_chance() -> None:
    bank = np.tile(np.eye(1, 8, dtype=np.float32), (len(background.THINGS) + len(background.NONSENSE), 1))
    learned = learn(np.eye(1, 8)[0] * 0.3, np.zeros((8, 8)), bank, images=10)
    assert learned.match(bank[0], np.full(3, 0.3, np.float32)).max() < 0.5


def test_the_bank_has_no_doubles() -> None:
    texts = (*background.THINGS, *background.NONSENSE)
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_a_minus_is_judged_by_what_is_wanted(tmp_path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for i, name in enumerate(["red", "green", "blue", "yellow", "cyan", "white"] * 3):
        colour_image(name, size=20 + i).save(root / f"{name} {i}.png")
    library = Library(ColourEncoder())
    library.sync(root)
    plain = {hit.path: hit.match for hit in library.search("red", top=18).hits}
    minus = {hit.path: hit.match for hit in library.search("red - blue", top=18).hits}
    assert plain == minus
    assert None not in plain.values()


def test_by_region_it_takes_more_to_match() -> None:
    known = replace(a_calibration(), region_mean=0.1, region_scale=0.2, bank_mean=0.1, bank_scale=0.2)
    query, scores = np.eye(8, dtype=np.float32)[0], np.linspace(-0.5, 1, 20, dtype=np.float32)
    whole, by_region = (known.match(query, scores, by_region=by_region) for by_region in (False, True))
    assert (by_region < whole).all()
    wider = replace(known, region_scale=0.4)
    assert (wider.match(query, scores[-1:], by_region=True) < by_region[-1:]).all(), "in the deviations of regions"
