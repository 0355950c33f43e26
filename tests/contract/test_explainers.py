"""Every method of every engine passes one contract suite."""

from functools import cache

import numpy as np
import pytest
from PIL import Image as PILImage

from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoders.cluster_model import FitConfig, fit_model
from wordsight.explain import ExplainOptions, explainer, methods_of
from wordsight.protocols import Encoder
from wordsight.registry import load_encoder
from wordsight.testing import ColourEncoder, check_explainer, colour_image
from wordsight.types import SaliencyMap

COLOURS = ("red", "blue", "green")
QUICK = ExplainOptions(sides=(64,), samples=8, window=0.5, channels=4)


def classical(features: str) -> ClusterEncoder:
    """Fitted on noisy pictures of one colour: noise gives every place a descriptor."""
    rng = np.random.default_rng(0)
    pictures, targets = [], np.repeat(np.eye(3, dtype=np.float32), 6, axis=0)
    for place in targets.argmax(axis=1):
        noise = rng.integers(-40, 40, (32, 32, 3))
        pixels = np.clip(np.asarray(colour_image(COLOURS[place]), int) + noise, 0, 255)
        pictures.append(PILImage.fromarray(pixels.astype(np.uint8)))
    return ClusterEncoder(fit_model(pictures, targets, COLOURS, FitConfig(features=features)))


@cache
def encoder_of(name: str) -> Encoder:
    return ENCODERS[name]()


ENCODERS = {
    "colours": ColourEncoder,
    "mini": load_encoder,
    "midi": lambda: load_encoder("midi"),
    "cluster": lambda: classical("colour"),
    "cluster-patches": lambda: classical("colour,patches(words=6)"),
    "cluster-words": lambda: classical("colour,dense-sift(words=4)"),
    "cluster-soft": lambda: classical("colour,dense-sift(words=4,encoding=soft,levels=2)"),
}
PAIRS = [
    (name, method)
    for name in ENCODERS
    for method in methods_of(encoder_of(name))
    if name != "midi" or method in ("projected", "gradcam")  # the rest reads the same graphs as for mini
]
SLOW = {("mini", "scorecam"): "1,280 runs of the network for each view"}


@pytest.mark.parametrize(
    ("name", "method"),
    [pytest.param(*pair, marks=pytest.mark.slow if pair in SLOW else (), id="-".join(pair)) for pair in PAIRS],
)
def test_obeys_the_protocol(name: str, method: str) -> None:
    check_explainer(explainer(encoder_of(name), method, QUICK), encoder_of(name))


@pytest.mark.parametrize("name", ENCODERS)
def test_the_automatic_choice_obeys_it_too(name: str) -> None:
    check_explainer(explainer(encoder_of(name)), encoder_of(name))


class Broken:
    """Each breaks one clause of the contract, to prove that the suite can fail."""

    method = "projected"

    def __init__(self) -> None:
        self.whole = explainer(ColourEncoder(), "projected", ExplainOptions())

    def explain(self, images, texts):
        return [[self.changed(m) for m in row] for row in self.whole.explain(images, texts)]

    def changed(self, m: SaliencyMap) -> SaliencyMap:
        return m


class CutsTheEnds(Broken):
    def changed(self, m):
        side = min(m.values.shape)
        return SaliencyMap(m.values[:side, :side], m.text, m.method, m.score)


class NotScaled(Broken):
    def changed(self, m):
        return SaliencyMap(2 * m.values, m.text, m.method, m.score)


class ForgetsTheScore(Broken):
    def changed(self, m):
        return SaliencyMap(m.values, m.text, m.method)


class ForgetsTheText(Broken):
    def changed(self, m):
        return SaliencyMap(m.values, "", m.method, m.score)


class SqueezesSingles(Broken):
    def explain(self, images, texts):
        found = super().explain(images, texts)
        return found[0] if len(images) == 1 else found


@pytest.mark.parametrize("broken", [CutsTheEnds, NotScaled, ForgetsTheScore, ForgetsTheText, SqueezesSingles])
def test_the_suite_finds_what_is_broken(broken: type[Broken]) -> None:
    check_explainer(Broken(), ColourEncoder())
    with pytest.raises((AssertionError, ValueError, TypeError)):
        check_explainer(broken(), ColourEncoder())
