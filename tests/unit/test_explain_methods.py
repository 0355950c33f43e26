"""Methods against numbers that can be known: closed formulas, numerical derivatives, toy pictures."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from wordsight.encoders.onnx import OnnxEncoder
from wordsight.errors import BadInput, UnknownQuery
from wordsight.explain import ExplainOptions, boxes, explainer, methods_of, successive_maps
from wordsight.explain.cams import AblationCam, Cam
from wordsight.explain.linear import LinearBackbone
from wordsight.explain.method import Projected, pooled
from wordsight.explain.objective import Objective
from wordsight.explain.rules import RULES, cam, principal
from wordsight.protocols import LinearHead
from wordsight.registry import load_encoder
from wordsight.testing import COLOURS, ColourEncoder, colour_image
from wordsight.types import Metric

OPTIONS = [
    ExplainOptions(),
    ExplainOptions(contrast=("green", "red", "white")),
    ExplainOptions(negative=("blue",)),
    ExplainOptions(contrast=("green", "blue"), temperature=0.1),
    ExplainOptions(contrast=("green",), negative=("blue",), temperature=0.5),
]


class Gradient(NamedTuple):
    """A function's central differences at a point."""

    values: np.ndarray

    @classmethod
    def of(cls, function, at: np.ndarray, step: float = 1e-3) -> "Gradient":
        slopes = np.zeros(at.shape)
        for place in np.ndindex(at.shape):
            there = np.zeros(at.shape)
            there[place] = step
            slopes[place] = (function(at + there) - function(at - there)) / (2 * step)
        return cls(slopes)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("metric", list(Metric))
def test_directions_are_the_gradient_of_the_objective(options: ExplainOptions, metric: Metric) -> None:
    class Toy(ColourEncoder):
        pass

    Toy.metric = metric
    objective = Objective.of(Toy(), ["red", "yellow"], options)
    rows = np.random.default_rng(0).random((3, 8)).astype(np.float32)
    directions = objective.directions(rows)
    for i, m in np.ndindex(3, 2):
        slopes = Gradient.of(lambda row, m=m: float(objective.values(row[None].astype(np.float32))[0, m]), rows[i])
        np.testing.assert_allclose(directions[i, m], slopes.values, atol=5e-3, rtol=5e-3)


class Prompted(ColourEncoder):
    """Reads the words of a template as colours, too."""

    label_prompts = ("{} and yellow", "{}")


def test_prompts_are_for_maps_and_not_for_scores() -> None:
    toy, picture = Prompted(), colour_image("red", "yellow")
    plain, prompted = (explainer(toy, "projected", ExplainOptions(prompts=prompts)) for prompts in (False, True))
    ((before,),), ((after,),) = (each.explain([picture], ["a red"]) for each in (plain, prompted))
    assert after.score == before.score == prompted.similarities([picture], ["a red"])[0, 0]
    (bare,), (filled,) = (each.raw([picture], ["a red"])[0] for each in (plain, prompted))
    assert bare[0, -1] == 0, "yellow does not speak for red"
    assert 0 < filled[0, -1] < filled[0, 0], "but for a prompt that names it"
    assert explainer(toy).options.prompts, "unless told otherwise"


def test_values_of_the_objective_by_hand() -> None:
    toy = ColourEncoder()
    half = toy.encode_images([colour_image("red", "blue")])
    root = np.sqrt(0.5)

    def value(options: ExplainOptions) -> float:
        return float(Objective.of(toy, ["red"], options).values(half)[0, 0])

    assert value(ExplainOptions()) == pytest.approx(root)
    assert value(ExplainOptions(negative=("blue",))) == pytest.approx(0, abs=1e-6)
    assert value(ExplainOptions(contrast=("blue", "green"))) == pytest.approx(root / 2)
    for itself in ("red", "a red", "The Red"):
        own = value(ExplainOptions(contrast=(itself, "blue")))
        assert own == pytest.approx(0, abs=1e-6), "the text is no contrast"
    shares = np.exp(np.asarray([root, root, 0]))
    soft = value(ExplainOptions(contrast=("blue", "green"), temperature=1.0))
    assert soft == pytest.approx(np.log(shares[0] / shares.sum()), abs=1e-6)


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    loaded = load_encoder()
    assert isinstance(loaded, OnnxEncoder)
    return loaded


@pytest.fixture(scope="module")
def backbone(encoder: OnnxEncoder) -> LinearBackbone:
    return LinearBackbone(encoder)


@pytest.mark.parametrize("options", OPTIONS)
def test_closed_gradients_of_the_shipped_encoder_are_the_numerical_ones(
    encoder: OnnxEncoder, backbone: LinearBackbone, options: ExplainOptions
) -> None:
    view = colour_image("red", "green", "white", size=64)
    objective = Objective.of(encoder, ["red", "a dog"], options)
    (layer,) = backbone.layers([view], objective)
    features = layer.activations.astype(np.float64)
    weight, bias = (part.astype(np.float64) for part in encoder.head())

    def value(activations: np.ndarray, m: int) -> float:
        """The objective in double precision: single is too coarse for differences."""
        row = weight @ activations.mean(axis=(1, 2)) + bias
        row = row / np.linalg.norm(row)
        known = np.concatenate([objective.texts, objective.others, objective.negative]).astype(np.float64)
        scores = known @ row
        counted = np.concatenate([np.arange(2) == m, objective.counted[m], np.ones(len(objective.negative))])
        if objective.temperature:
            logits = scores[counted > 0] / objective.temperature
            return float(scores[m] / objective.temperature - np.log(np.exp(logits).sum()))
        rest = scores[2 : 2 + len(objective.others)] @ objective.counted[m]
        negative = scores[2 + len(objective.others) :].mean() if len(objective.negative) else 0.0
        return float(scores[m] - rest - negative)

    rng = np.random.default_rng(0)
    for _ in range(40):
        m, place = int(rng.integers(2)), tuple(int(rng.integers(side)) for side in features.shape)
        there = np.zeros(features.shape)
        there[place] = 1e-3
        slope = (value(features + there, m) - value(features - there, m)) / 2e-3
        np.testing.assert_allclose(layer.gradients[m, place[0], 0, 0], slope, rtol=1e-3, atol=1e-7)


def test_the_mean_of_a_projected_map_is_the_score_times_the_length(encoder: OnnxEncoder) -> None:
    view = colour_image("red", "green", size=96)
    objective = Objective.of(encoder, ["red", "a dog"], ExplainOptions())
    features = encoder.feature_maps([view], as_is=True)
    mean = Projected(encoder)([view], objective).mean(axis=(2, 3))
    length = np.linalg.norm(features.mean(axis=(2, 3)))
    np.testing.assert_allclose(mean, objective.values(pooled(features, Metric.COSINE)) * length, rtol=1e-3)


def test_with_a_linear_head_grad_cam_is_the_centred_projection(encoder: OnnxEncoder, backbone: LinearBackbone) -> None:
    """Both weigh places by one direction, Grad-CAM by the part of the text that is not yet in the embedding."""
    view = colour_image("red", "green", size=96)
    objective = Objective.of(encoder, ["red"], ExplainOptions())
    weight, bias = encoder.head()
    projected = np.einsum("dc,nchw->ndhw", weight, encoder.last_features([view], as_is=True))
    mean = projected.mean(axis=(2, 3))[0] + bias
    embedding = mean / np.linalg.norm(mean)
    (text,) = objective.texts
    towards = (text - (text @ embedding) * embedding) / np.linalg.norm(mean)
    wanted = np.maximum(np.einsum("d,dhw->hw", towards, projected[0]), 0)
    found = Cam("gradcam", backbone, ExplainOptions())([view], objective)[0, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


layers = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        np.random.default_rng(seed).random((5, 3, 4)).astype(np.float32),
        np.random.default_rng(seed + 1).normal(size=(5, 3, 4)).astype(np.float32),
    )
)


@given(layers)
@settings(max_examples=20)
def test_rules_by_loops(layer: tuple[np.ndarray, np.ndarray]) -> None:
    a, g = (part.astype(np.float64) for part in layer)
    plain, plus, x, by_place = (np.zeros(a.shape[1:]) for _ in range(4))
    for c in range(len(a)):
        share = [v**2 / (2 * v**2 + a[c].sum() * v**3 + 1e-6) * max(v, 0) for v in g[c].ravel()]
        plain += a[c] * g[c].mean()
        plus += a[c] * sum(share)
        x += a[c] * (g[c] * a[c]).sum() / (a[c].sum() + 1e-7)
        by_place += a[c] * np.maximum(g[c], 0)
    for name, wanted in (("gradcam", plain), ("gradcam++", plus), ("xgradcam", x), ("layercam", by_place)):
        np.testing.assert_allclose(cam(name, *layer), wanted, rtol=2e-3, atol=1e-3)


@given(layers)
@settings(max_examples=20)
def test_the_principal_component_by_svd(layer: tuple[np.ndarray, np.ndarray]) -> None:
    a, g = layer
    for weighted in (a, a * g, np.repeat(a, 4, axis=0)):  # fewer channels than places, and more
        rows = weighted.reshape(len(weighted), -1).T.astype(np.float64)
        rows -= rows.mean(axis=0)
        wanted = (rows @ np.linalg.svd(rows)[2][0]).reshape(a.shape[1:])
        wanted *= 1 if wanted.max() >= -wanted.min() else -1
        np.testing.assert_allclose(principal(weighted), wanted, atol=1e-4)
    assert (cam("eigencam", a, g) == principal(a)).all()
    assert (cam("eigengradcam", a, g) == principal(a * g)).all()
    assert (cam("layercam", a, g, eigen_smooth=True) == principal(a * np.maximum(g, 0))).all()


def test_ablation_takes_channels_out_one_by_one() -> None:
    rng = np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(8, 5)).astype(np.float32), rng.normal(size=8).astype(np.float32))
    features = rng.random((1, 5, 2, 3)).astype(np.float32)

    class Five(ColourEncoder):
        def head(self):
            return head

        def last_features(self, images, *, as_is=False):
            return features

    backbone = LinearBackbone(Five())
    objective = Objective.of(Five(), ["red"], ExplainOptions())

    def score(activations: np.ndarray) -> float:
        row = head.weight @ activations.mean(axis=(1, 2)) + head.bias
        return float(objective.texts[0] @ row / np.linalg.norm(row))

    whole, wanted = score(features[0]), np.zeros((2, 3))
    for channel in range(5):
        without = features[0].copy()
        without[channel] = 0
        wanted += (whole - score(without)) / abs(whole) * features[0, channel]
    found = AblationCam(backbone)([colour_image("red")], objective)[0, 0]
    np.testing.assert_allclose(found, np.maximum(wanted, 0), atol=1e-5)


def scene(size: tuple[int, int], *things: tuple[str, tuple[int, int, int, int]]) -> PILImage.Image:
    picture = PILImage.new("RGB", size, COLOURS["blue"])
    for colour, box in things:
        picture.paste(COLOURS[colour], box)
    return picture


def test_occlusion_of_a_toy_picture_is_known_exactly() -> None:
    """A red stripe on blue, covered by a patch of half the view: the score falls where the patch touches the red."""
    picture = scene((64, 64), ("red", (0, 0, 16, 64)))
    ((found,),) = explainer(ColourEncoder(), "occlusion", ExplainOptions(sides=(64,), window=0.5)).explain(
        [picture], ["red"]
    )
    # The mean colour (64, 0, 191) counts as blue. Red is a quarter; a patch at the left edge takes half of it away.
    whole, left = (red / np.hypot(red, 1 - red) for red in (0.25, 0.125))
    assert found.score == pytest.approx(whole)
    fall = whole - left
    columns = np.repeat([fall, fall / 2, 0, 0], 16)  # patches start at 0, 16 and 32: a column has one or two over it
    wanted = np.broadcast_to(columns / fall, (64, 64))
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


@pytest.mark.parametrize("method", methods_of(ColourEncoder()))
def test_every_method_finds_the_red(method: str) -> None:
    picture = scene((64, 48), ("red", (32, 8, 48, 24)))
    options = ExplainOptions(sides=(64,), samples=600, window=0.25)
    ((found,),) = explainer(ColourEncoder(), method, options).explain([picture], ["red"])
    y, x = np.unravel_index(int(found.values.argmax()), found.values.shape)
    assert 32 <= x < 48
    assert 8 <= y < 24


def test_negative_texts_take_their_places_away() -> None:
    picture = scene((64, 64), ("red", (0, 0, 16, 16)), ("green", (48, 48, 64, 64)))

    def found(options: ExplainOptions) -> np.ndarray:
        return explainer(ColourEncoder(), "projected", options).explain([picture], ["red and green"])[0][0].values

    both, one = found(ExplainOptions(sides=(64,))), found(ExplainOptions(sides=(64,), negative=("green",)))
    assert both[2, 2] == both[60, 60] == 1
    assert one[2, 2] == 1
    assert one[60, 60] < 0.2


def test_places_that_speak_for_the_contrast_count_as_zero() -> None:
    picture = scene((64, 64), ("red", (0, 0, 16, 16)), ("green", (32, 32, 64, 64)))
    options = ExplainOptions(sides=(64,), contrast=("green",))
    ((found,),) = explainer(ColourEncoder(), "projected", options).explain([picture], ["red"])
    assert found.values[2, 2] == 1
    assert found.values[60, 60] == 0
    assert found.values[60, 2] == 0, "blue speaks for neither, and is no brighter than green"


def test_smaller_views_give_finer_maps() -> None:
    picture = scene((128, 128), ("red", (60, 60, 64, 64)))

    def spot(sides: tuple[int, ...], crops: tuple[float, ...] = (1.0,)) -> float:
        options = ExplainOptions(sides=sides, crops=crops)
        ((found,),) = explainer(ColourEncoder(), "projected", options).explain([picture], ["red"])
        return float((found.values > 0.5).mean())

    assert spot((256,)) < spot((64,)) / 4
    assert spot((64,), (0.25,)) < spot((64,)) / 4


def test_successive_maps_find_one_thing_after_the_other() -> None:
    picture = scene((96, 64), ("red", (8, 8, 32, 32)), ("red", (64, 40, 72, 48)))
    whole = explainer(ColourEncoder(), "projected", ExplainOptions(sides=(96,)))
    maps = successive_maps(whole, picture, "red", 2, threshold=0.5)
    first, second = (boxes(found, picture.size, 0.5)[0] for found in maps)
    np.testing.assert_allclose(first[:4], (8, 8, 32, 32), atol=5)
    np.testing.assert_allclose(second[:4], (64, 40, 72, 48), atol=6)
    assert maps[1].score < maps[0].score
    assert successive_maps(whole, colour_image("blue"), "red") == [], "where nothing speaks, there is no region"
    with pytest.raises(BadInput, match="one round"):
        successive_maps(whole, picture, "red", 0)


def test_names_are_read_as_people_write_them() -> None:
    toy = ColourEncoder()
    assert explainer(toy, "Grad-CAM++").method == "gradcam++"
    assert explainer(toy, "Eigen_Grad-CAM").method == "eigengradcam"
    assert set(RULES) < set(methods_of(toy))
    with pytest.raises(BadInput, match="colours has no method 'guided'; it has projected, gradcam"):
        explainer(toy, "guided")


def test_options_say_what_they_expect() -> None:
    for wrong in ({"sides": (0,)}, {"crops": ()}, {"crops": (2.0,)}, {"temperature": 1.0}, {"samples": 0}):
        with pytest.raises(BadInput):
            ExplainOptions(**wrong)


def test_a_closed_encoder_says_which_texts_it_knows() -> None:
    class Closed(ColourEncoder):
        vocabulary = ("red",)

        def encode_texts(self, texts):
            if set(texts) - {"red"}:
                raise UnknownQuery(texts[0], ["red"])
            return super().encode_texts(texts)

    with pytest.raises(UnknownQuery):
        explainer(Closed()).explain([colour_image("red")], ["dog"])
