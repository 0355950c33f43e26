"""The classical engine passes the same contract as every other encoder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoders.cluster_model import FitConfig, fit_model, fit_unsupervised
from wordsight.protocols import Encoder, Image
from wordsight.registry import load_encoder
from wordsight.testing import check_encoder, colour_image

COLOURS = ("red", "green", "blue")


def exemplars(each: int = 6) -> tuple[list[Image], np.ndarray]:
    """Noisy pictures of one colour, and their targets."""
    rng = np.random.default_rng(0)
    pictures, targets = [], []
    for place, colour in enumerate(COLOURS):
        for _ in range(each):
            noise = rng.integers(-40, 40, (32, 32, 3))
            pixels = np.clip(np.asarray(colour_image(colour), int) + noise, 0, 255).astype(np.uint8)
            pictures.append(PILImage.fromarray(pixels))
            targets.append(np.eye(len(COLOURS))[place])
    return pictures, np.asarray(targets, np.float32)


@pytest.fixture(scope="module", params=["colour", "hog,colour,patches(words=12)", "colour,dense-sift(words=4)"])
def encoder(request: pytest.FixtureRequest) -> ClusterEncoder:
    pictures, targets = exemplars()
    return ClusterEncoder(fit_model(pictures, targets, COLOURS, FitConfig(features=request.param)))


def test_obeys_the_protocol(encoder: ClusterEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.vocabulary == COLOURS
    assert encoder.label_prompts == ("{}",)
    check_encoder(encoder, texts=("red", "blue"))


def test_a_file_gives_the_same_encoder_through_the_registry(encoder: ClusterEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "colours.wsc")
    again = load_encoder(str(tmp_path / "colours.wsc"))
    assert (again.name, again.fingerprint, again.dim) == ("colours.wsc", encoder.fingerprint, encoder.dim)
    pictures = [colour_image(colour) for colour in COLOURS]
    assert (again.encode_images(pictures) == encoder.encode_images(pictures)).all()
    check_encoder(again, texts=("red", "blue"))


def test_unsupervised_clusters_are_an_encoder() -> None:
    model, _ = fit_unsupervised(exemplars()[0], 3, FitConfig(features="colour"))
    check_encoder(ClusterEncoder(model), texts=("cluster 1", "cluster 2"))


def test_vectors_survive_half_precision(encoder: ClusterEncoder) -> None:
    rows = encoder.encode_images(exemplars(2)[0])
    assert np.abs(rows).max() <= 1
    texts = encoder.encode_texts(COLOURS)
    np.testing.assert_allclose(texts @ rows.astype(np.float16).astype(np.float32).T, texts @ rows.T, atol=1e-3)
