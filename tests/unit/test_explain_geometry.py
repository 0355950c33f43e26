"""Views and boxes: what lies at a place of the picture is found at that place, whatever is done in between."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from wordsight import images
from wordsight.errors import BadInput
from wordsight.explain import ExplainOptions, boxes, explainer
from wordsight.explain.boxes import components
from wordsight.explain.explainer import scaled
from wordsight.explain.views import View, canvas_shape, plan_views, spread
from wordsight.testing import COLOURS, ColourEncoder
from wordsight.types import Box, SaliencyMap

sides = st.integers(1, 700)
sizes = st.tuples(sides, sides)
options = st.builds(
    ExplainOptions,
    sides=st.sampled_from([(), (64,), (96, 160)]),
    crops=st.sampled_from([(1.0,), (1.0, 0.5), (0.4,)]),
    flip=st.booleans(),
)
strides = st.sampled_from([None, 1, 8, 32])


@given(sizes, options, strides)
@settings(max_examples=60, deadline=None)
def test_views_cover_the_picture_and_lie_in_it(
    size: tuple[int, int], given: ExplainOptions, stride: int | None
) -> None:
    views = plan_views(size, given, side=64, stride=stride)
    for view in views:
        assert -1e-6 <= view.left < view.right <= size[0] + 1e-6
        assert -1e-6 <= view.top < view.bottom <= size[1] + 1e-6
        assert view.width % (stride or 64) == 0 == view.height % (stride or 64)
    seen = spread([np.ones((1, 2, 3), np.float32)] * len(views), views, size)
    np.testing.assert_allclose(seen, np.ones((1, *canvas_shape(size))), atol=1e-4)


@given(sizes, st.sampled_from([8, 32]))
def test_a_view_keeps_the_aspect_and_costs_what_was_asked(size: tuple[int, int], stride: int) -> None:
    for view in plan_views(size, ExplainOptions(sides=(256,)), side=64, stride=stride):
        across, down = (view.right - view.left) / view.width, (view.bottom - view.top) / view.height
        rounding = 0.5 * stride * (1 / view.width + 1 / view.height)
        assert abs(np.log(across / down)) < 2 * rounding
        assert view.width * view.height <= (256 * (1 + rounding)) ** 2


def test_panoramas_are_seen_in_windows_that_are_no_squares_alone() -> None:
    windows = plan_views((4000, 400), ExplainOptions(sides=(224,)), side=224, stride=32)
    assert (windows[0].left, windows[-1].right) == (0, 4000)
    assert all(after.left < before.right for before, after in pairwise(windows))
    assert all(view.height >= 128 for view in windows), "the panorama's height is not squeezed away"
    squares = plan_views((4000, 400), ExplainOptions(), side=224, stride=None)
    assert {(view.width, view.height) for view in squares} == {(224, 224)}
    assert len(squares) == 19


def test_a_mirrored_view_goes_back_to_where_it_was() -> None:
    grid = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    plain, mirrored = View(0, 0, 40, 30, 40, 30), View(0, 0, 40, 30, 40, 30, flipped=True)
    np.testing.assert_array_equal(spread([grid], [plain], (40, 30)), spread([grid[..., ::-1]], [mirrored], (40, 30)))
    picture = PILImage.new("RGB", (40, 30))
    picture.putpixel((3, 4), (255, 255, 255))
    assert np.asarray(mirrored.of(picture))[4, 36].tolist() == [255, 255, 255]


def test_interpolation_is_exact_at_the_centres_of_places() -> None:
    grid = np.asarray([[[0, 1, 2, 3]]], np.float32)
    across = spread([grid], [View(0, 0, 12, 3, 4, 1)], (12, 3))[0, 1]
    np.testing.assert_allclose(across, [0, 0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 3, 3], atol=1e-6)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """A picture's size, and an object in it with at least a sixth of each side."""
    width, height = draw(st.integers(60, 400)), draw(st.integers(60, 400))
    across, down = (draw(st.integers(length // 5, length // 2)) for length in (width, height))
    left, top = draw(st.integers(0, width - across)), draw(st.integers(0, height - down))
    return (width, height), (left, top, left + across, top + down)


@given(scenes(), st.integers(1, 8), st.sampled_from([(), (160, 320)]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_an_object_in_a_photo_of_any_orientation_comes_back_to_its_pixels(
    tmp_path_factory: pytest.TempPathFactory,
    scene: tuple[tuple[int, int], tuple[int, int, int, int]],
    orientation: int,
    fed: tuple[int, ...],
    flip: bool,
) -> None:
    size, place = scene
    upright = PILImage.new("RGB", size, COLOURS["blue"])
    upright.paste(COLOURS["red"], place)
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    stored = upright if orientation == 1 else upright.transpose(_STORED[orientation])
    exif = PILImage.Exif()
    exif[0x0112] = orientation
    stored.save(file, exif=exif)
    shown = images.open_image(file)
    assert shown.size == size
    ((found,),) = explainer(ColourEncoder(), "projected", ExplainOptions(sides=fed, flip=flip)).explain(
        [shown], ["red"]
    )
    (box,) = boxes(found, size, threshold=0.5)
    # A place of the coarsest map is 8 pixels of a view with as many pixels as a square of 160 (224 when not said).
    place_size = 8 * np.sqrt(size[0] * size[1]) / (160 if fed else 224)
    cell = max(size) / 128 + 1
    np.testing.assert_allclose(box[:4], place, atol=1.2 * place_size + cell)


_STORED = {  # what turns the upright picture into the one in the file
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_90,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_270,
}


def test_what_a_centre_crop_drops_is_found(tmp_path: Path) -> None:
    panorama = PILImage.new("RGB", (1200, 100), COLOURS["blue"])
    panorama.paste(COLOURS["red"], (1140, 20, 1180, 80))
    ((found,),) = explainer(ColourEncoder(), "projected", ExplainOptions()).explain([panorama], ["red"])
    (box,) = boxes(found, panorama.size, threshold=0.5)
    np.testing.assert_allclose(box[:4], (1140, 20, 1180, 80), atol=12)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.data())
def test_a_box_of_whole_cells_is_exact(rows: int, columns: int, scale: int, data: st.DataObject) -> None:
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom, right = data.draw(st.integers(top + 1, rows)), data.draw(st.integers(left + 1, columns))
    values = np.zeros((rows, columns), np.float32)
    values[top:bottom, left:right] = 1
    for mode in ("components", "one"):
        found = boxes(SaliencyMap(values, "x"), (columns * scale, rows * scale), mode=mode, least=0)
        assert found == [Box(left * scale, top * scale, right * scale, bottom * scale, 1.0)]


def test_rounding_is_not_stretched() -> None:
    rng = np.random.default_rng(0)
    even = (0.3 * (1 + 3e-7 * rng.standard_normal((40, 50)))).astype(np.float32)
    assert not scaled(even).any()
    assert not scaled(-even).any()
    even[3, 4] += 1e-4
    assert scaled(even)[3, 4] == 1 > 0.1 > scaled(even)[20, 20]


def test_boxes_are_ranked_by_what_they_hold() -> None:
    values = np.zeros((10, 10), np.float32)
    values[0:3, 0:3], values[6:8, 6:8], values[9, 0] = 0.5, 1.0, 0.4
    saliency = SaliencyMap(values, "x")
    assert boxes(saliency, (10, 10), 0.3, least=0) == [
        Box(0, 0, 3, 3, pytest.approx(4.5 / 8.9)),
        Box(6, 6, 8, 8, pytest.approx(4 / 8.9)),
        Box(0, 9, 1, 10, pytest.approx(0.4 / 8.9)),
    ]
    assert len(boxes(saliency, (10, 10), 0.3, least=0.02)) == 2, "specks are left out"
    assert len(boxes(saliency, (10, 10), 0.3, least=0, most=1)) == 1
    assert boxes(saliency, (10, 10), 0.6) == [Box(6, 6, 8, 8, 1.0)]
    assert boxes(saliency, (10, 10), 0.3, mode="one") == [Box(0, 0, 8, 10, 1.0)]
    (around,) = boxes(saliency, (10, 10), 0.3, mode="peak")
    y, x = np.unravel_index(saliency.values.argmax(), saliency.values.shape)
    assert around.left <= x < around.right
    assert around.top <= y < around.bottom
    assert around in boxes(saliency, (10, 10), 0.3)
    assert boxes(SaliencyMap(np.zeros((4, 4), np.float32), "x"), (10, 10)) == []
    with pytest.raises(BadInput, match="above 0"):
        boxes(saliency, (10, 10), 0.0)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.5, 0.8]))
def test_components_are_what_a_flood_fill_finds(rows: int, columns: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    groups = components(mask)
    assert ((groups > 0) == mask).all()
    left = {tuple(cell) for cell in np.argwhere(mask).tolist()}
    count = 0
    while left:
        count += 1
        front, flooded = [left.pop()], set()
        while front:
            y, x = front.pop()
            flooded.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front += near
        numbers = {int(groups[cell]) for cell in flooded}
        assert len(numbers) == 1
        assert (groups == numbers.pop()).sum() == len(flooded)
    assert int(groups.max(initial=0)) == count
