"""What the papers say does not change the features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from wordsight.features import Whitening, parse, parse_local


def textured(seed: int, side: int = 64, highest: int = 120) -> Image.Image:
    """Return smooth random colours, with an outline that is not symmetric, levels up to ``highest``."""
    noise = np.random.default_rng(seed).integers(0, highest, (8, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).polygon([(5, 8), (side - 9, 14), (side // 2, side - 6)], fill=(highest, highest, 90))
    return Image.fromarray(np.minimum(np.asarray(picture), highest).astype(np.uint8))


def mapped(image: Image.Image, table: np.ndarray) -> Image.Image:
    return Image.fromarray(table.astype(np.uint8)[np.asarray(image)])


@pytest.mark.parametrize("soft", ["true", "false"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_hog_does_not_see_contrast_and_brightness(soft, seed):
    (hog,) = parse(f"hog(side=64,cell=8,soft={soft},colour=true)")
    image = textured(seed)
    changed = mapped(image, np.arange(256) * 2 % 256 + 10)
    np.testing.assert_allclose(hog([changed]), hog([image]), atol=1e-4)


@given(seed=st.integers(0, 1000), gamma=st.floats(0.5, 1.0))
@settings(max_examples=10, deadline=None)
def test_lbp_does_not_see_monotone_changes_of_grey(seed, gamma):
    (lbp,) = parse("lbp(side=64,points=4,kind=plain,colour=true)")  # 4 points: no interpolation, so it holds exactly
    image = textured(seed, highest=60)
    rising = np.maximum.accumulate(np.round(np.arange(256) * 1.5 + 20 * (np.arange(256) / 60) ** gamma))
    assert (np.diff(rising[:60]) > 0).all()
    np.testing.assert_array_equal(lbp([mapped(image, np.minimum(rising, 255))]), lbp([image]))


@pytest.mark.parametrize("points", [8, 16])
def test_lbp_does_not_see_added_brightness(points):
    (lbp,) = parse(f"lbp(side=64,points={points},radius=2,colour=true)")
    image = textured(3)
    np.testing.assert_array_equal(lbp([mapped(image, np.minimum(np.arange(256) + 100, 255))]), lbp([image]))


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
@pytest.mark.parametrize("name", ["hu(side=64)", "zernike", "lbp(side=64,kind=rotation,grid=1)", "correlogram"])
def test_quarter_turns_do_not_count(name, turn):
    (feature,) = parse(name)
    image = textured(5)
    np.testing.assert_allclose(feature([image.transpose(turn)]), feature([image]), atol=2e-3 if "hu" in name else 1e-6)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180])
def test_contours_do_not_see_turn_place_and_size(turn):
    pytest.importorskip("cv2")
    (contour,) = parse("contour")
    image = Image.new("RGB", (128, 128))
    ImageDraw.Draw(image).polygon([(20, 30), (90, 40), (60, 60), (100, 110)], fill=(255, 255, 255))
    smaller = Image.new("RGB", (128, 128))
    smaller.paste(image.resize((96, 96)), (30, 5))
    found = contour([image, image.transpose(turn), smaller])
    np.testing.assert_allclose(found[1], found[0], atol=0.01)
    np.testing.assert_allclose(found[2], found[0], atol=0.05)
    assert found[0].max() > 0.5


def test_hu_does_not_see_place_and_zernike_not_brightness():
    (hu,), (zernike,) = parse("hu"), parse("zernike")
    image, moved = Image.new("L", (128, 128)), Image.new("L", (128, 128))
    image.paste(textured(1, 40).convert("L"), (10, 20))
    moved.paste(textured(1, 40).convert("L"), (70, 60))
    np.testing.assert_allclose(hu([moved.convert("RGB")]), hu([image.convert("RGB")]), atol=1e-3)
    brighter = mapped(image.convert("RGB"), np.arange(256) * 2 % 256)
    np.testing.assert_allclose(zernike([brighter]), zernike([image.convert("RGB")]), atol=1e-3)  # levels are rounded


@pytest.mark.parametrize("name", ["sift(contrast=0.01)", "dense-sift"])
def test_root_sift_is_of_unit_length_and_not_negative(name):
    pytest.importorskip("cv2")
    (local,) = parse_local(name)
    values = local([textured(2, 128)])[0].values
    there = values[values.any(axis=1)]
    assert len(there)
    np.testing.assert_allclose(np.linalg.norm(there, axis=1), 1, atol=1e-5)
    assert values.min() >= 0


def test_root_sift_is_the_root_of_sift():
    pytest.importorskip("cv2")
    (plain,), (root,) = parse_local("sift(root=false)"), parse_local("sift")
    image = textured(2, 128)
    values = plain([image])[0].values
    np.testing.assert_allclose(root([image])[0].values ** 2, values / values.sum(axis=1, keepdims=True), atol=1e-6)


def test_patches_do_not_see_brightness_and_hardly_contrast():
    (patches,) = parse_local("patches(side=64)")
    image = textured(4)
    brighter = mapped(image, np.minimum(np.arange(256) + 100, 255))
    np.testing.assert_allclose(patches([brighter])[0].values, patches([image])[0].values, atol=1e-3)


def test_whitened_patches_are_uncorrelated():
    (patches,) = parse_local("patches(side=32,size=3,colour=false)")
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    values = np.concatenate([d.values for d in patches([Image.fromarray(n).convert("RGB") for n in noise])])
    white = Whitening.fit(values, epsilon=1e-6)(values)
    assert white.dtype == np.float32
    spread = np.linalg.eigvalsh(np.cov(white, rowvar=False))
    np.testing.assert_allclose(spread[1:], 1, atol=1e-2)  # one direction is gone: patches have no mean
    assert spread[0] < 1e-2
