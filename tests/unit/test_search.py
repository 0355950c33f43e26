"""Searching a catalogue: queries of several terms, filters, copies, ties, and a catalogue that changes meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.errors import BadInput, QuerySyntaxError
from wordsight.library import Catalogue, Filters, Library, calibration, derived
from wordsight.library.query_vectors import query_vector
from wordsight.library.search import Searcher
from wordsight.testing import COLOURS, ColourEncoder, colour_image
from wordsight.types import Metric, Query, Term


class EuclideanColours(ColourEncoder):
    """The same space, read by distance."""

    name = "euclidean"
    fingerprint = "euclidean-1"
    metric = Metric.EUCLIDEAN


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("red", "green", "trip/blue", "trip/red blue", "trip/far/white"):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        colour_image(*file.stem.split()).save(file)
    return root


@pytest.fixture
def library(photos: Path) -> Library:
    library = Library(ColourEncoder())
    library.sync(photos)
    return library


def change(act) -> None:
    """Write to the catalogue from beside, as another process does."""
    with Catalogue.open(create=True) as catalogue, catalogue.writing():
        act(catalogue)


def names(answer) -> list[str]:
    return [hit.path.stem for hit in answer.hits]


# --- query vectors


def test_prompts_are_filled_with_short_terms_and_averaged() -> None:
    encoder, query = ColourEncoder(), Query((Term("a red"),), "a red")
    bare, both = (encoder.encode_texts([text])[0] for text in ("red", "red and blue"))
    found, _ = query_vector(encoder, query, prompts=["{}", "{} and blue"])
    mean = bare + both
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)
    sentence = Query((Term("a red thing on a green thing"),), "")
    as_it_is, _ = query_vector(encoder, sentence)
    np.testing.assert_array_equal(query_vector(encoder, sentence, prompts=["blue {}"])[0], as_it_is)


def test_a_search_with_prompts(library: Library) -> None:
    assert names(library.search("red", top=1)) == ["red"]
    assert names(library.search("red", top=1, prompts=["{} and blue"])) == ["red blue"]


def vector(*terms: Term, encoder=None) -> list[float]:
    found, _ = query_vector(encoder or ColourEncoder(), Query(terms, "the query"))
    assert found.dtype == np.float32
    assert found.shape == (8,)
    return [round(float(x), 4) for x in found[:3]]  # red, green, blue


def test_weights_and_minus() -> None:
    red, blue = Term(text="red"), Term(text="blue")
    assert vector(red) == [1, 0, 0]
    assert vector(red, blue) == [0.7071, 0, 0.7071]
    assert vector(Term(text="red", weight=3), Term(text="blue", weight=4)) == [0.6, 0, 0.8]
    assert vector(red, Term(text="blue", weight=-1)) == [0.7071, 0, -0.7071]
    assert vector(Term(text="red", weight=-2)) == [-1, 0, 0]
    assert vector(Term(text="red", weight=1e-3)) == [1, 0, 0]  # small is not nothing


def test_pictures_in_queries(photos: Path, library: Library) -> None:
    picture = Term(image=photos / "trip/red blue.png")
    assert vector(picture) == [0.7071, 0, 0.7071]
    assert vector(picture, Term(text="blue", weight=-0.70710678)) == [1, 0, 0]
    answer = library.search(Query((picture,)), top=3)
    assert names(answer)[0] == "red blue"
    assert [round(hit.score, 2) for hit in answer.hits] == [1.0, 0.71, 0.71]


def test_terms_that_cancel_are_an_error() -> None:
    for weights in ((1, -1), (0.5, -0.5)):
        terms = tuple(Term(text="red", weight=w) for w in weights)
        with pytest.raises(QuerySyntaxError, match="cancel each other out"):
            vector(*terms)
    with pytest.raises(QuerySyntaxError, match="cancel"):
        vector(Term(text="red"), Term(text="blue", weight=-1), encoder=EuclideanColours())


def test_euclidean_queries_are_points() -> None:
    by_distance = EuclideanColours()
    red, blue = Term(text="red", weight=3), Term(text="blue", weight=1)
    assert vector(red, blue, encoder=by_distance) == [0.75, 0, 0.25]
    assert vector(red, Term(text="blue", weight=-1), encoder=by_distance) == [1.5, 0, -0.5]
    with pytest.raises(QuerySyntaxError, match="outweighs"):  # scaled to one, it would look for red
        vector(Term(text="red", weight=-1), encoder=by_distance)


def test_euclidean_scores_are_negative_distances(photos: Path) -> None:
    with Library(EuclideanColours()) as library:
        library.sync(photos)
        answer = library.search("red", top=9)
    assert names(answer) == ["red", "red blue", "green", "blue", "white"]  # ties in path order
    assert [round(hit.score, 2) for hit in answer.hits] == [0, -0.77, -1.41, -1.41, -1.41]


def test_remarks_are_handed_on(library: Library) -> None:
    assert library.search("a dog").notices == ("'a dog' names no colour",)


# --- hits


def test_ties_are_in_path_order_also_at_the_cut(library: Library, photos: Path) -> None:
    """All but one score 0: which of them come first must not depend on the order in which they were indexed."""
    colour_image("black").save(photos / "a.png")
    library.sync(photos)
    everything = names(library.search("red", top=99))
    assert everything == ["red", "red blue", "a", "green", "blue", "white"]
    for top in range(1, 7):
        assert names(library.search("red", top=top)) == everything[:top]


def test_copies_are_hits_of_their_own_and_filters_apply_to_each(library: Library, photos: Path) -> None:
    shutil.copy(photos / "red.png", photos / "trip/copy.png")
    library.sync(photos)
    assert names(library.search("red", top=2)) == ["red", "copy"]
    assert names(library.search("red", top=1)) == ["red"]
    within = library.search("red", top=9, within=[photos / "trip"])
    assert names(within) == ["copy", "red blue", "blue", "white"]
    assert within.searched == 4


@pytest.mark.parametrize("graph_from", [None, 1])
def test_filters_are_exact_in_every_layer(tmp_path: Path, graph_from: int | None) -> None:
    root = tmp_path / "many"
    rng = np.random.default_rng(3)
    colours = sorted(COLOURS)
    library = Library(ColourEncoder())

    def more(folder: str, count: int) -> None:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image = Image.new("RGB", (32, 32))
            for x in range(0, 32, 4):
                image.paste(COLOURS[colours[rng.integers(8)]], (x, 0, x + 4, 32))
            image.putpixel((31, 31), (int(i), 0, len(folder)))
            image.save(root / folder / f"{i:03}.{'png' if i % 2 else 'bmp'}")

    def answers() -> list[list[tuple[str, float]]]:
        asked = [
            (text, Filters(under=under, types=types))
            for text in ("red", "blue + white", "green - red")
            for under in ((), (root / "a",), (root / "b",))
            for types in ((), ("png",))
        ]
        return [[(str(h.path), h.score) for h in library.search(q, top=12, filters=f).hits] for q, f in asked]

    more("a", 60)
    library.sync(root)
    change(lambda c: derived.fold(c, c.encoder_row(library.encoder), graph_from=graph_from))
    more("b", 60)
    shutil.rmtree(root / "a", ignore_errors=False)
    more("a", 30)
    library.sync(root)
    mixed = answers()
    change(lambda c: derived.fold(c, c.encoder_row(library.encoder), graph_from=graph_from))
    folded = answers()
    shutil.rmtree(tmp_path / "catalogue/index")
    library.close()
    plain = answers()
    assert mixed == folded == plain
    assert all(str(root / "a") in path for path, _ in plain[2])
    assert all(path.endswith("png") for path, _ in plain[1])
    assert [len(hits) for hits in plain] == [12] * len(plain)


def test_limits_of_sqlite_do_not_limit_a_search(library: Library, photos: Path) -> None:
    many = tuple(photos / f"folder {i}" for i in range(300))
    answer = library.search("red", top=10**6, filters=Filters(under=(*many, photos / "trip")))
    assert len(answer.hits) == 3
    with pytest.raises(BadInput, match="at least 1"):
        library.search("red", top=0)


# --- a catalogue that changes under an open library


def test_an_open_library_sees_what_another_process_indexed(library: Library, photos: Path) -> None:
    assert names(library.search("cyan", top=1)) != ["cyan"]
    colour_image("cyan").save(photos / "cyan.png")
    (photos / "red.png").unlink()
    Library(ColourEncoder()).sync(photos)
    assert names(library.search("cyan", top=1)) == ["cyan"]
    assert "red" not in names(library.search("red", top=99))
    assert library.search("red").searched == 5


def test_an_answer_is_full_while_pictures_lose_their_files(library: Library, photos: Path) -> None:
    """A sync that is under way, or was killed, has recorded a changed file; the old picture has no file any more."""
    change(lambda c: c.db.execute("DELETE FROM files WHERE name = 'red.png'"))
    assert names(library.search("red", top=2)) == ["red blue", "green"]
    assert names(library.search("red", top=4)) == ["red blue", "green", "blue", "white"]


def test_a_searcher_on_the_writers_own_connection(photos: Path) -> None:
    encoder = ColourEncoder()
    Library(encoder).sync(photos)
    with Catalogue.open(create=True) as catalogue, catalogue.writing():
        searcher = Searcher(catalogue, encoder)
        assert len(searcher) == 5
        catalogue.forget(photos)
        assert searcher.search(Query.of("red")).hits == ()


def test_match_estimates_belong_to_their_hits(library: Library, photos: Path, monkeypatch) -> None:
    class Estimate:
        def match(self, query, scores, *, by_region):
            assert not by_region
            assert scores.dtype == np.float32
            return np.clip(scores, 0, 1)

    monkeypatch.setattr(calibration, "load", lambda *_: Estimate())
    answer = library.search("red", top=3)
    assert [round(hit.match or 0, 2) for hit in answer.hits] == [1.0, 0.71, 0.0]
    assert answer.calibrated
    few = library.search("red", top=3, matches_only=True)
    assert [(hit.rank, hit.path.stem) for hit in few.hits] == [(1, "red"), (2, "red blue")]
    pictures = library.search(Query((Term(image=photos / "red.png"),)), matches_only=True)
    assert not pictures.calibrated
    assert "has no effect" in pictures.notices[0]
