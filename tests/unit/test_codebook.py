"""Visual words and their encodings, patch words, and lists of statistics."""

import numpy as np
import pytest
from PIL import Image as PILImage

from wordsight.errors import BadInput
from wordsight.features import codebook_encodings as encodings
from wordsight.features.codebook import VisualWords, WordsConfig
from wordsight.features.codebook_lists import DEFAULTS, arrays_of, from_parts, learn, plan
from wordsight.features.codebook_patches import PatchCodebook, PatchConfig
from wordsight.features.hog import Hog
from wordsight.protocols import Image

WORDS = np.asarray([[0, 0], [4, 0]], np.float32)
VALUES = np.asarray([[1, 0], [0, 1], [4, 2]], np.float32)


def pictures(count: int = 6, side: int = 32) -> list[Image]:
    """Stripes and noise, all different."""
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(side) / 2)[:, None, None] * 60
    return [
        PILImage.fromarray(
            np.clip(128 + waves * (number % 2) + rng.normal(0, 40, (side, side, 3)), 0, 255).astype(np.uint8)
        )
        for number in range(count)
    ]


def test_hard_and_soft_histograms_by_hand() -> None:
    np.testing.assert_allclose(encodings.hard(VALUES, WORDS), [2 / 3, 1 / 3])
    soft = encodings.soft(VALUES[:1], WORDS, width=2.0)
    near, far = np.exp(-1 / 8), np.exp(-9 / 8)
    np.testing.assert_allclose(soft, [near / (near + far), far / (near + far)], rtol=1e-5)
    np.testing.assert_allclose(encodings.soft(VALUES, WORDS, width=1e-2), encodings.hard(VALUES, WORDS), atol=1e-6)


def test_rare_words_weigh_more() -> None:
    weights = encodings.inverse_frequency(np.asarray([[1, 0.5], [1, 0], [1, 0]], np.float32))
    np.testing.assert_allclose(weights, [np.log(4 / 4) + 1, np.log(4 / 2) + 1], rtol=1e-6)


def test_vlad_by_hand() -> None:
    first = np.asarray([1, 1]) / np.sqrt(2)  # (1, 0) + (0, 1), of unit length
    np.testing.assert_allclose(encodings.vlad(VALUES, WORDS), np.concatenate([first, [0, 1]]) / np.sqrt(2), rtol=1e-6)


def test_fisher_vector_is_the_gradient_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 2)).astype(np.float32)
    means = np.asarray([[-1, 0], [1, 0.5]], np.float32)
    deviations, shares = np.asarray([[1, 0.7], [0.8, 1.2]], np.float32), np.asarray([0.4, 0.6], np.float32)

    def likelihood(means: np.ndarray, deviations: np.ndarray) -> float:
        parts = [
            np.log(share) - np.log(deviation).sum() - 0.5 * (((values - mean) / deviation) ** 2).sum(1)
            for mean, deviation, share in zip(means, deviations, shares, strict=True)
        ]
        return float(np.log(np.exp(np.stack(parts)).sum(0)).mean())

    got = encodings.fisher(values, means, deviations, shares).reshape(2, 2, 2)
    for which, scale in ((0, 1.0), (1, np.sqrt(2))):
        for place in np.ndindex(2, 2):
            step = np.zeros((2, 2))
            step[place] = 1e-3
            move = (step, 0 * step) if which == 0 else (0 * step, step)
            slope = (
                likelihood(means + move[0], deviations + move[1]) - likelihood(means - move[0], deviations - move[1])
            ) / 2e-3
            expected = slope * deviations[place] / np.sqrt(shares[place[0]]) / scale
            assert got[(which, *place)] == pytest.approx(expected, abs=2e-3)


def test_gaussians_find_two_clouds() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(8, 2, (100, 2))]).astype(np.float32)
    means, deviations, shares = encodings.gaussians(values, np.asarray([[1, 1], [6, 6]], np.float32), rounds=20)
    np.testing.assert_allclose(means, [[0, 0], [8, 8]], atol=0.4)
    np.testing.assert_allclose(deviations, [[1, 1], [2, 2]], atol=0.3)
    np.testing.assert_allclose(shares, [0.75, 0.25], atol=0.02)


def test_pyramid_cells_by_hand() -> None:
    positions = np.asarray([[0.1, 0.1], [0.9, 0.1], [1.0, 1.0]], np.float32)
    whole, *quarters = encodings.cells(positions, 2)
    assert whole.all()
    assert [mask.tolist() for mask in quarters] == [
        [True, False, False],
        [False, True, False],
        [False, False, False],
        [False, False, True],
    ]


@pytest.mark.parametrize("encoding", ["hard", "soft", "vlad", "fisher"])
@pytest.mark.parametrize("levels", [1, 2])
def test_visual_words_come_back_from_their_parts(encoding: str, levels: int) -> None:
    (feature,) = learn(
        plan(f"dense-sift(words=4,components=8,encoding={encoding},levels={levels})", "small"), pictures()
    )
    rows = feature(pictures())
    assert rows.shape == (6, feature.dim)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    again = from_parts(feature.describe(), arrays_of(feature))
    assert (again(pictures()) == rows).all()
    np.testing.assert_allclose(feature(pictures()[2:3]), rows[2:3], atol=1e-5)


def test_patch_words_are_deterministic_and_come_back() -> None:
    config = PatchConfig(words=10)
    feature = PatchCodebook.fit(pictures(), config, seed=4)
    rows = feature(pictures())
    assert rows.shape == (6, 40)
    assert (rows >= 0).all()
    assert (PatchCodebook.fit(pictures(), config, seed=4)(pictures()) == rows).all()
    assert (from_parts(feature.describe(), arrays_of(feature))(pictures()) == rows).all()
    assert feature([]).shape == (0, 40)


def test_patch_words_ignore_brightness() -> None:
    feature = PatchCodebook.fit(pictures(), PatchConfig(words=10))
    dark = PILImage.fromarray((np.asarray(pictures()[0]) // 2).astype(np.uint8))
    bright = PILImage.fromarray((np.asarray(dark) + 60).astype(np.uint8))
    np.testing.assert_allclose(feature([bright]), feature([dark]), rtol=1e-3, atol=1e-3)


def test_triangle_encoding_by_hand() -> None:
    config = PatchConfig(side=2, patch=2, words=2, grid=1)
    words = np.zeros((2, 12), np.float32)
    words[1, 0] = 10
    feature = PatchCodebook(config, np.zeros(12, np.float32), np.eye(12, dtype=np.float32), words)
    row = feature([PILImage.new("RGB", (2, 2), (90, 90, 90))])[0]  # an even patch is all zeros: distances 0 and 10
    np.testing.assert_allclose(row, [5, 0], atol=1e-5)


def test_lists_mix_plain_and_learned_statistics() -> None:
    planned = plan("hog(cell=8), patches(words=50), sift(words=9,encoding=vlad)", "small")
    assert planned[0] == Hog(side=32, cell=8)
    assert planned[1] == PatchConfig(words=50)
    assert planned[2].config == WordsConfig(words=9, encoding="vlad")
    for preset, text in DEFAULTS.items():
        assert plan(text, preset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected statistics such as hog,colour"),
        ("hog;colour", "expected statistics such as"),
        ("nonsense", "no feature is called 'nonsense'"),
        ("patches(size=3)", "'size=3' is no setting here; expected side="),
        ("patches(words=many)", "expected words to be of type int, got 'many'"),
        ("dense-sift(encoding=magic)", "no encoding is called 'magic'; there are hard, soft, vlad, fisher"),
    ],
)
def test_lists_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan(text)
    assert message in str(caught.value)


def test_too_few_descriptors_say_what_to_do() -> None:
    with pytest.raises(BadInput, match="ask for fewer words"):
        PatchCodebook.fit(pictures(1), PatchConfig(words=800))
    with pytest.raises(BadInput, match="too few for 100000 words: ask for fewer words"):
        learn(plan("dense-sift(words=100000)", "small"), pictures())


def test_parts_that_do_not_fit_are_refused() -> None:
    feature = PatchCodebook.fit(pictures(), PatchConfig(words=10))
    with pytest.raises(BadInput):
        from_parts(feature.describe() | {"words": 11}, arrays_of(feature))
    with pytest.raises(BadInput):
        from_parts(feature.describe() | {"more": 1}, arrays_of(feature))
    with pytest.raises(BadInput):
        from_parts(feature.describe(), {})
    assert isinstance(VisualWords.name, str)
