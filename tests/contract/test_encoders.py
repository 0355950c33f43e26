"""Every encoder passes one contract suite."""

import pytest

from wordsight.protocols import Encoder, SpatialEncoder
from wordsight.registry import encoder_names, load_encoder
from wordsight.testing import ColourEncoder, check_encoder, check_spatial_encoder, colour_image
from wordsight.types import Metric

ENCODERS = {"colours": ColourEncoder, **{name: (lambda name=name: load_encoder(name)) for name in encoder_names()}}


@pytest.fixture(params=ENCODERS, scope="module")
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return ENCODERS[request.param]()


def test_obeys_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    check_encoder(encoder)


def test_feature_maps_explain_the_embedding(encoder: Encoder) -> None:
    if not isinstance(encoder, SpatialEncoder):
        pytest.skip(f"{encoder.name} has no feature maps")
    check_spatial_encoder(encoder)


def test_toy_encoder_gives_exact_vectors() -> None:
    toy = ColourEncoder()
    images = toy.encode_images([colour_image("red"), colour_image("red", "blue")])
    texts = toy.encode_texts(["a red thing", "red and blue"])
    assert (images == texts).all()
    assert toy.remarks("red") == ()
    assert toy.remarks("dog") == ("'dog' names no colour",)


class Broken(ColourEncoder):
    """Each breaks one clause of the contract, to prove that the suite can fail."""


class NotUnit(Broken):
    def encode_texts(self, texts):
        return 2 * super().encode_texts(texts)


class SqueezesSingles(Broken):
    def encode_images(self, images):
        rows = super().encode_images(images)
        return rows[0] if len(images) == 1 else rows


class ClosedButSilent(Broken):
    vocabulary = ("red", "blue")


class DependsOnBatch(Broken):
    metric = Metric.EUCLIDEAN

    def encode_images(self, images):
        return super().encode_images(images) * max(1, len(images))


@pytest.mark.parametrize("broken", [NotUnit, SqueezesSingles, ClosedButSilent, DependsOnBatch])
def test_the_suite_finds_what_is_broken(broken: type[Broken]) -> None:
    with pytest.raises(AssertionError):
        check_encoder(broken())
