"""What every feature promises: shape, finiteness, independence of the batch, names and descriptions."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.errors import BadInput, MissingExtra
from wordsight.features import (
    FEATURES,
    LOCAL_FEATURES,
    Feature,
    LocalFeature,
    Whitening,
    from_description,
    local_from_description,
    parse,
    parse_local,
    pixels,
)

OPENCV = ("contour", "sift", "orb")
VARIANTS = [
    "lbp(colour=true,side=40)",
    "hog(side=70,cell=9,soft=false)",
    "hog(colour=true)",
    "colour(space=oklab,levels=1)",
]
SIZES = [(1, 1), (3, 500), (500, 3), (7, 9), (32, 32), (101, 67)]


def named(name: str, preset: str = "photo") -> Feature:
    if name in OPENCV:
        pytest.importorskip("cv2")
    return parse(name, preset)[0]


def local_named(name: str, preset: str = "photo") -> LocalFeature:
    if name in OPENCV:
        pytest.importorskip("cv2")
    return parse_local(name, preset)[0]


def pictures(seed: int = 0) -> list[Image.Image]:
    """Return noise, flat colour, and black of each size."""
    random = np.random.default_rng(seed)
    noise = [Image.fromarray(random.integers(0, 256, (h, w, 3)).astype(np.uint8)) for w, h in SIZES]
    return noise + [Image.new("RGB", size, colour) for size in SIZES for colour in ("black", "teal", "white")]


@pytest.mark.parametrize("preset", ["small", "photo"])
@pytest.mark.parametrize("name", [*FEATURES, *VARIANTS])
def test_any_picture_has_a_finite_row_that_does_not_depend_on_the_batch(name, preset):
    feature = named(name, preset)
    batch = pictures() * 3
    rows = feature(batch)
    assert rows.shape == (len(batch), feature.dim)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, np.concatenate([feature([picture]) for picture in batch]))
    assert feature([]).shape == (0, feature.dim)
    assert feature([]).dtype == np.float32


@pytest.mark.parametrize("name", [*FEATURES, *VARIANTS])
def test_rows_do_not_depend_on_how_many_pictures_are_worked_on_at_once(name, monkeypatch):
    feature = named(name, "small")
    batch = pictures()
    whole = feature(batch)
    for at_once in (1, 3, 9):
        monkeypatch.setattr(pixels, "PIXELS_AT_ONCE", at_once * 32 * 32)
        np.testing.assert_array_equal(feature(batch), whole)


@pytest.mark.parametrize("preset", ["small", "photo"])
@pytest.mark.parametrize("name", LOCAL_FEATURES)
def test_any_picture_has_finite_descriptors_at_places_inside(name, preset):
    local = local_named(name, preset)
    batch = pictures()
    found = local(batch)
    assert len(found) == len(batch)
    for picture, (positions, values) in zip(batch, found, strict=True):
        assert positions.shape == (len(values), 2)
        assert values.shape == (len(positions), local.dim)
        assert positions.dtype == values.dtype == np.float32
        assert np.isfinite(values).all()
        assert ((positions >= 0) & (positions <= 1)).all()
        np.testing.assert_array_equal(local([picture])[0].values, values)
    assert local([]) == []


@pytest.mark.parametrize("name", [*FEATURES, *LOCAL_FEATURES])
def test_threads_see_the_same(name):
    feature = named(name) if name in FEATURES else local_named(name)
    batch = pictures()[:6]

    def rows(_: int) -> list[np.ndarray]:
        return [d.values for d in feature(batch)] if name in LOCAL_FEATURES else list(feature(batch))

    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(rows, range(8)):
            for one, two in zip(rows(0), other, strict=True):
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("preset", ["small", "photo"])
def test_descriptions_are_json_and_lead_back(preset):
    for name in FEATURES:
        (feature,) = parse(name, preset)
        assert isinstance(feature, Feature)
        assert from_description(json.loads(json.dumps(feature.describe()))) == feature
    for name in LOCAL_FEATURES:
        (local,) = parse_local(name, preset)
        assert isinstance(local, LocalFeature)
        assert local_from_description(json.loads(json.dumps(local.describe()))) == local


def test_a_list_with_parameters():
    hog, colour, lbp = parse(" hog(cell=4, bins=12,soft=False),colour ,lbp(radius=2)", "small")
    sizes = {"side": 32, "cell": 4, "block": 2, "bins": 12}
    assert hog.describe() == {"feature": "hog", **sizes, "signed": False, "soft": False, "colour": False}
    assert (colour.name, colour.describe()["side"]) == ("colour", 32)
    assert lbp.describe()["radius"] == 2.0
    assert from_description({"feature": "lbp", "radius": 2}).describe()["radius"] == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "known: hog, lbp"),
        ("hog,,lbp", "known: hog, lbp"),
        ("hog lbp", "known: hog, lbp"),
        ("hog(cell=4", "known: hog, lbp"),
        ("hug", "'hug'; known: hog"),
        ("sift", "codebook"),
        ("hog(size=3)", "expected side=..., cell="),
        ("hog(3)", "expected side=..., cell="),
        ("hog(cell=big)", "number, got 'big'"),
        ("hog(cell=4.5)", "number, got '4.5'"),
        ("hog(soft=1)", "soft=true or soft=false"),
        ("hog(cell=0)", "at least 1"),
        ("hog(side=8,cell=8)", "side of at least"),
        ("lbp(kind=odd)", "plain, uniform, rotation"),
        ("lbp(points=40)", "4 to 16"),
        ("lbp(radius=nan)", "radius"),
        ("colour(space=lab)", "hsv, oklab"),
        ("colour(first=1000,second=1000)", "at most"),
        ("moments(grid=3)", "multiple"),
        ("correlogram(bins=9)", "1 to 6"),
        ("zernike(degree=99)", "0 to 24"),
        ("edges(threshold=0)", "above 0"),
        ("contour(harmonics=0)", "harmonics"),
        ("hu(side=0)", "at least 1"),
    ],
)
def test_what_cannot_be_read_says_what_can(text, said):
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "sift(side=1)",
        "orb(most=0)",
        "dense-sift(cell=40)",
        "dense-sift(step=0)",
        "patches(size=99)",
        "patches(contrast=0)",
    ],
)
def test_local_sizes_that_do_not_fit(text):
    with pytest.raises(BadInput, match="expected"):
        parse_local(text)


def test_other_bad_input():
    with pytest.raises(BadInput, match="known: sift"):
        parse_local("hog")
    with pytest.raises(BadInput, match="preset"):
        parse("hog", "large")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="known"):
        from_description({"side": 3})
    with pytest.raises(BadInput, match="cell"):
        from_description({"feature": "hog", "cell": "4"})
    with pytest.raises(BadInput, match="cell"):
        from_description({"feature": "hog", "cell": True})
    with pytest.raises(BadInput, match="at least 2"):
        Whitening.fit(np.zeros((1, 3), np.float32))


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(BadInput):
        assert parse(text)


@given(
    st.dictionaries(st.sampled_from(["side", "cell", "block", "bins", "signed"]), st.integers(-5, 200) | st.booleans())
)
@settings(deadline=None)
def test_any_parameters_make_a_feature_that_works_or_are_refused(parameters):
    try:
        feature = from_description({"feature": "hog", **parameters})
    except BadInput:
        return
    assert feature(pictures()[:1]).shape == (1, feature.dim)


@pytest.mark.parametrize("name", OPENCV)
def test_without_opencv_the_message_carries_the_command(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    feature = (parse if name in FEATURES else parse_local)(name)[0]
    with pytest.raises(MissingExtra, match=r"wordsight\[classical\]"):
        feature([Image.new("RGB", (32, 32))])


def test_features_are_values():
    (hog,) = parse("hog")
    assert hog == parse("hog")[0]
    assert hash(hog) == hash(parse("hog")[0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        hog.side = 3  # type: ignore[misc]


def test_patch_grids_are_the_patches_of_a_batch():
    (patches,) = parse_local("patches", "small")
    batch = pictures()[:5]
    grid = patches.grid(batch)
    assert grid.shape == (5, 27, 27, 108)
    for rows, found in zip(grid, patches(batch), strict=True):
        np.testing.assert_array_equal(rows.reshape(-1, 108), found.values)
    assert patches.grid([]).shape == (0, 27, 27, 108)
    levels = np.asarray(batch[4], np.float64)[4:10, 5:11]
    expected = (levels - levels.mean()) / np.sqrt(levels.var() + 10)
    np.testing.assert_allclose(grid[4, 4, 5], expected.ravel(), atol=1e-5)
