import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wordsight.errors import BadInput
from wordsight.images.corruptions import SCENES, STRENGTHS, Corruption, parse_corruptions


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Return a picture of middle brightness with fine detail: something for every scene to spoil."""
    detail = np.random.default_rng(seed).integers(40, 200, (height // 4, width // 4, 3), np.uint8)
    return Image.fromarray(detail, "RGB").resize((width, height), Image.Resampling.BICUBIC)


def distance(left: Image.Image, right: Image.Image) -> float:
    return float(np.abs(np.asarray(left, float) - np.asarray(right, float)).mean())


@pytest.mark.parametrize("scene", SCENES)
def test_a_stronger_scene_moves_the_picture_further_away(scene):
    pictures = [photo(160, 120, seed) for seed in range(6)]
    moved = [np.mean([distance(Corruption(scene, level)(p), p) for p in pictures]) for level in STRENGTHS]
    assert moved[0] > 0
    if scene in ("fog", "snow"):  # from one strength to the next, the kind changes: banks of fog, size of the flakes
        assert moved[-1] > moved[0]
    else:
        assert moved == sorted(moved)


@pytest.mark.parametrize("scene", SCENES)
def test_the_same_picture_is_changed_in_the_same_way_every_time(scene):
    change = Corruption(scene, 3)
    first = change(photo()).tobytes()
    change(photo(seed=1))
    assert change(photo()).tobytes() == first


@pytest.mark.parametrize("scene", ["noise", "fog", "snow", "rain", "occlusion"])
def test_the_seed_and_the_picture_decide_where_things_fall(scene):
    plain = Image.new("RGB", (64, 48), (90, 90, 90))
    other = Image.new("RGB", (64, 48), (91, 90, 90))
    one = Corruption(scene, 3)(plain)
    assert distance(one, Corruption(scene, 3, seed=1)(plain)) > 2
    assert distance(one, Corruption(scene, 3)(other)) > 2


@settings(deadline=None, max_examples=40)
@given(
    scene=st.sampled_from(sorted(SCENES)),
    strength=st.sampled_from(STRENGTHS),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    value=st.sampled_from([0, 128, 255]),
)
def test_any_picture_stays_a_picture_of_its_size(scene, strength, width, height, value):
    image = Image.new("RGB", (width, height), (value, value, 255 - value))
    before = image.tobytes()
    changed = Corruption(scene, strength)(image)
    assert (changed.mode, changed.size) == ("RGB", (width, height))
    assert image.tobytes() == before


def test_noise_has_the_deviation_of_imagenet_c():
    noisy = np.asarray(Corruption("noise", 1)(Image.new("RGB", (200, 200), (128, 128, 128))), float) / 255
    assert noisy.std() == pytest.approx(0.08, rel=0.03)


def test_brightness_adds_to_the_largest_channel_and_keeps_the_colour():
    bright = Corruption("brightness", 2)(Image.new("RGB", (2, 2), (102, 51, 0)))
    assert bright.getpixel((0, 0)) == (153, 77, 0)  # 0.4 + 0.2, and half of it


@pytest.mark.parametrize("strength", STRENGTHS)
def test_occlusion_hides_a_tenth_of_the_grid_more_each_time(strength):
    hidden = np.asarray(Corruption("occlusion", strength)(Image.new("RGB", (80, 80), "red")))[..., 1] > 0
    assert hidden.mean() == pytest.approx(np.ceil(strength / 10 * 64) / 64)


def test_blur_grows_with_the_picture():
    """An edge in a picture of twice the size is blurred over twice as many pixels."""

    def width_of_edge(side: int) -> int:
        image = Image.new("L", (side, side), 0)
        image.paste(255, (side // 2, 0, side, side))
        row = np.asarray(Corruption("blur", 3)(image.convert("RGB")))[side // 2, :, 0]
        return int(((row > 25) & (row < 230)).sum())

    assert width_of_edge(448) == pytest.approx(2 * width_of_edge(224), abs=2)


def test_names():
    assert [str(c) for c in parse_corruptions("fog:3")] == ["fog:3"]
    assert [str(c) for c in parse_corruptions("rain")] == [f"rain:{level}" for level in STRENGTHS]
    assert len(parse_corruptions("all")) == len(SCENES) * len(STRENGTHS)
    assert {c.seed for c in parse_corruptions("all", seed=7)} == {7}


@pytest.mark.parametrize("text", ["", "fig", "fog:0", "fog:6", "fog:", "fog:three", "all:3"])
def test_unknown_names_say_what_there_is(text):
    with pytest.raises(BadInput, match=r"fog.*snow"):
        parse_corruptions(text)
