"""Features equal the reference implementations where the definition is the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wordsight.features import parse, parse_local
from wordsight.features.colourspace import to_hsv, to_oklab
from wordsight.features.gradients import bins_and_lengths, gradient_codes, magnitudes, orientation_bins
from wordsight.features.lbp import patterns
from wordsight.features.shape import hu_moments

data = pytest.importorskip("skimage.data")
skimage_feature = pytest.importorskip("skimage.feature")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(data.astronaut()).resize((160, 160))


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize(("cell", "block", "bins"), [(8, 2, 9), (16, 3, 12), (7, 1, 8)])
def test_hog_is_that_of_scikit_image(photo, cell, block, bins):
    (hog,) = parse(f"hog(side=160,cell={cell},block={block},bins={bins},soft=false)")
    expected = skimage_feature.hog(grey(photo), bins, (cell, cell), (block, block), block_norm="L2-Hys")
    assert hog.dim == len(expected)
    np.testing.assert_allclose(hog([photo])[0], expected, atol=1e-6)


def test_colour_hog_is_that_of_scikit_image(photo):
    (hog,) = parse("hog(side=160,cell=8,soft=false,colour=true)")
    expected = skimage_feature.hog(np.asarray(photo), 9, (8, 8), (2, 2), channel_axis=-1)
    np.testing.assert_allclose(hog([photo])[0], expected, atol=1e-6)


def lbp_codes(levels: np.ndarray, points: int, radius: float, method: str) -> np.ndarray:
    """Return scikit-image's codes of a picture whose edge goes on outside (it takes black itself)."""
    margin = int(np.ceil(radius)) + 1
    padded = np.pad(levels, margin, mode="edge")
    codes = skimage_feature.local_binary_pattern(padded, points, radius, method)
    return codes[margin:-margin, margin:-margin].astype(int)


@pytest.mark.parametrize(
    ("kind", "method"), [("plain", "default"), ("uniform", "nri_uniform"), ("rotation", "uniform")]
)
@pytest.mark.parametrize("points", [4, 8, 12])
def test_lbp_is_that_of_scikit_image(photo, kind, method, points):
    (lbp,) = parse(f"lbp(side=160,kind={kind},points={points},grid=1)")
    codes = lbp_codes(grey(photo), points, 1, method)
    expected = np.bincount(codes.ravel(), minlength=lbp.dim) / codes.size
    np.testing.assert_allclose(lbp([photo])[0], expected, atol=1e-7)


def test_lbp_of_each_cell_and_channel(photo):
    (lbp,) = parse("lbp(side=160,grid=2,colour=true)")
    found = lbp([photo])[0].reshape(3, 2, 2, 59)
    for channel in range(3):
        codes = lbp_codes(np.asarray(photo)[..., channel], 8, 1, "nri_uniform")
        for row, column in np.ndindex(2, 2):
            cell = codes[80 * row : 80 * row + 80, 80 * column : 80 * column + 80]
            np.testing.assert_allclose(
                found[channel, row, column], np.bincount(cell.ravel(), minlength=59) / 6400, 1e-6
            )


@pytest.mark.parametrize(("points", "radius"), [(16, 2), (8, 2), (8, 1.5), (6, 2.5), (12, 0.5), (16, 3.25)])
def test_other_circles_differ_only_where_doubles_round_ties(photo, points, radius):
    ours, theirs = patterns(grey(photo)[None], points, radius)[0], lbp_codes(grey(photo), points, radius, "default")
    assert (ours != theirs).mean() < 0.01


@pytest.mark.parametrize(("name", "function", "ours"), [("hsv", "rgb2hsv", to_hsv)])
def test_colour_space_is_that_of_scikit_image(photo, name, function, ours):
    colour = pytest.importorskip("skimage.color")
    np.testing.assert_allclose(ours(np.asarray(photo)), getattr(colour, function)(np.asarray(photo)), atol=1e-5)


def test_oklab_of_its_author_s_primaries():
    colours = np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]], np.uint8)
    expected = [
        [1.0, 0.0, 0.0],
        [0.627955, 0.224863, 0.125846],
        [0.866440, -0.233888, 0.179498],
        [0.452014, -0.032457, -0.311528],
        [0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(to_oklab(colours), expected, atol=2e-4)


def test_hu_moments_are_those_of_scikit_image(photo):
    measure = pytest.importorskip("skimage.measure")
    central = measure.moments_central(grey(photo) / 255)
    expected = measure.moments_hu(measure.moments_normalized(central))
    # scikit-image's axes are the other way round, which mirrors the picture: the last moment changes its sign
    np.testing.assert_allclose(hu_moments(grey(photo)[None])[0], expected * [1, 1, 1, 1, 1, 1, -1], rtol=1e-6)


def test_zernike_moments_are_those_of_mahotas(photo):
    mahotas = pytest.importorskip("mahotas")
    small = photo.resize((64, 64))
    (zernike,) = parse("zernike(side=64,degree=10)")
    expected = mahotas.features.zernike_moments(grey(small).astype(float), 32, degree=10, cm=(31.5, 31.5))
    np.testing.assert_allclose(zernike([small])[0], expected, atol=1e-6)


def test_dense_sift_is_close_to_opencv_s(photo):
    cv2 = pytest.importorskip("cv2")
    (dense,) = parse_local("dense-sift(side=160,cell=6,step=12,scales=1,root=false)")
    positions, values = dense([photo])[0]
    width = 6 / 1.5  # a cell of OpenCV's is one and a half times the size of its keypoint
    points = [cv2.KeyPoint(float(x) * 160 - 0.5, float(y) * 160 - 0.5, width, 0) for x, y in positions]
    _, theirs = cv2.SIFT_create().compute(grey(photo), points)
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    upwards = values.reshape(-1, 16, 8)[..., -np.arange(8) % 8].reshape(-1, 128)  # its y axis points up
    there = values.any(axis=1)
    assert np.median((upwards * theirs).sum(axis=1)[there]) > 0.9


def test_colour_histogram_by_hand():
    picture = Image.new("RGB", (8, 8), (255, 0, 0))
    picture.paste((0, 0, 255), (4, 0, 8, 8))
    (colour,) = parse("colour(side=8,first=6,second=1,third=1,levels=2)")
    red, blue = np.eye(6)[[0, 4]]
    whole, quarters = np.split(colour([picture])[0], [6])
    np.testing.assert_allclose(whole, 0.5 * (red + blue) / 2)
    np.testing.assert_allclose(quarters.reshape(4, 6), 0.5 / 4 * np.stack([red, blue, red, blue]))


def test_colour_moments_by_hand():
    picture = Image.new("RGB", (4, 4), (0, 0, 0))
    picture.putpixel((0, 0), (255, 255, 255))
    (moments,) = parse("moments(side=4,grid=1,space=hsv)")
    share = 1 / 16
    third = share * (1 - share) ** 3 - (1 - share) * share**3
    np.testing.assert_allclose(moments([picture])[0, 6:], [share, np.sqrt(share * (1 - share)), np.cbrt(third)], 1e-5)


def test_correlogram_by_hand():
    picture = Image.new("RGB", (4, 4), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 4, 1))
    (correlogram,) = parse("correlogram(side=4,bins=2,reach=1)")
    found = correlogram([picture])[0]
    # the white line: 2 corners of 3 neighbours and 2 places of 5; white neighbours 1, 2, 2, 1
    assert found[7] == pytest.approx(6 / 16)
    # black: 84 pairs in all, of which 16 - 6 = 10 go from white to black and 10 back
    assert found[0] == pytest.approx((84 - 6 - 20) / (84 - 16))
    assert not found[1:7].any()


def test_edges_by_hand():
    picture = Image.new("L", (8, 8), 0)
    picture.paste(255, (4, 0, 8, 8))
    (edges,) = parse("edges(side=8,grid=1,bins=4)")
    np.testing.assert_allclose(edges([picture.convert("RGB")])[0], [1, 0, 0, 0, 16 / 64])


@pytest.mark.parametrize("bins", [1, 4, 8, 9, 36, 180])
def test_directions_computed_are_those_looked_up(bins: int) -> None:
    """All 511 x 511 differences that can be, each as the middle of a picture of 3 x 3."""
    down, right = (part.ravel() for part in np.meshgrid(np.arange(-255, 256), np.arange(-255, 256), indexing="ij"))
    grey = np.zeros((len(down), 3, 3), np.uint8)
    grey[:, 2, 1], grey[:, 0, 1] = np.maximum(down, 0), np.maximum(-down, 0)
    grey[:, 1, 2], grey[:, 1, 0] = np.maximum(right, 0), np.maximum(-right, 0)
    codes = gradient_codes(grey)[:, 1, 1]
    directions, lengths = bins_and_lengths(grey, bins)
    np.testing.assert_array_equal(directions[:, 1, 1], orientation_bins(bins, False)[codes])
    np.testing.assert_allclose(lengths[:, 1, 1], magnitudes()[codes], rtol=1e-6)
