"""The cluster encoder: shares and vectors, words it knows and does not, its file."""

import json
import pickle
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordsight.clustering import Prototypes, TwoStageConfig
from wordsight.encoders import cluster_file
from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoders.cluster_model import ClusterModel, FitConfig, fit_model, fit_unsupervised, preset_of
from wordsight.encoders.cluster_words import WordReader
from wordsight.errors import BadInput, ModelError, UnknownQuery
from wordsight.features.hog import Hog
from wordsight.features.projection import Projection
from wordsight.testing import ColourEncoder, colour_image

COLOURS = ("red", "green", "blue")


def fitted(features: str = "colour,patches(words=6)") -> ClusterModel:
    pictures = [colour_image(colour, size=size) for colour in COLOURS for size in (32, 40, 48, 56)]
    targets = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    return fit_model(pictures, targets, COLOURS, FitConfig(features=features), exemplars=frozenset({b"x" * 16}))


@pytest.fixture(scope="module")
def model() -> ClusterModel:
    return fitted()


@pytest.fixture(scope="module")
def file(model: ClusterModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wsc") / "colours.wsc"
    cluster_file.write(model, path)
    return path


def toy_model() -> ClusterModel:
    """Prototypes on a line: a at 0 and 10, b at 4."""
    hog = Hog(side=32, cell=16)
    projection = Projection(np.zeros(hog.dim, np.float32), np.zeros((hog.dim, 1), np.float32), (1.0,), 0.1)
    prototypes = Prototypes(
        ("a", "b"),
        np.asarray([[0], [10], [4]], np.float32),
        np.asarray([0, 0, 1]),
        np.asarray([3, 2, 4]),
        np.ones(3, np.float32),
    )
    return ClusterModel((hog,), projection, prototypes, width=2.0)


def test_the_largest_share_is_that_of_the_closest_prototype() -> None:
    shares = toy_model().shares(np.asarray([[1], [3], [9], [7]], np.float32))
    assert shares.argmax(1).tolist()[:3] == [0, 1, 0]
    near, far = np.exp(-1 / 8), np.exp(-9 / 8)
    np.testing.assert_allclose(shares[0], [near / (near + far), far / (near + far)], rtol=1e-5)
    np.testing.assert_allclose(shares[3], [0.5, 0.5], rtol=1e-5)


def test_scores_are_roots_of_shares(model: ClusterModel) -> None:
    encoder = ClusterEncoder(model)
    pictures = [colour_image("red"), colour_image("blue", "green")]
    scores = encoder.encode_texts(COLOURS) @ encoder.encode_images(pictures).T
    np.testing.assert_allclose(scores.T**2, 0.9 * model.shares(model.rows(pictures)), atol=1e-5)
    assert scores[:, 0].argmax() == 0


def test_fitting_twice_gives_the_same_fingerprint_and_another_seed_another() -> None:
    assert ClusterEncoder(fitted()).fingerprint == ClusterEncoder(fitted()).fingerprint
    assert ClusterEncoder(fitted()).fingerprint != ClusterEncoder(fitted("colour,patches(words=5)")).fingerprint


def test_naming_a_label_keeps_the_index(model: ClusterModel) -> None:
    named = replace(model, prototypes=model.prototypes.renamed({"red": "tomato"}))
    assert ClusterEncoder(named).fingerprint == ClusterEncoder(model).fingerprint
    assert ClusterEncoder(named).vocabulary == ("tomato", "green", "blue")


def test_decoders_may_shrink_to_what_the_statistics_look_at(model: ClusterModel) -> None:
    assert ClusterEncoder(model).image_side == 32
    assert ClusterEncoder(toy_model()).image_side == 32


def test_presets_follow_the_pictures() -> None:
    assert preset_of([colour_image("red", size=32)] * 3) == "small"
    assert preset_of([colour_image("red", size=300)] * 3) == "photo"


def test_unclear_exemplars_count_neither_way() -> None:
    pictures = [colour_image(colour, size=size) for colour in COLOURS for size in (32, 40, 48)]
    targets = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0)
    targets[0, 1] = -1
    model = fit_model(pictures, targets, COLOURS, FitConfig(features="colour"))
    assert model.prototypes.counts.tolist() == [3, 3, 3]


def test_several_prototypes_a_label() -> None:
    pictures = [colour_image(colour, size=size) for colour in ("red", "yellow", "blue") for size in (32, 36, 40, 44)]
    targets = np.repeat(np.asarray([[1, 0], [1, 0], [0, 1]], np.float32), 4, axis=0)
    config = FitConfig(features="colour", clustering=TwoStageConfig(clusters=2))
    model = fit_model(pictures, targets, ("warm", "cold"), config)
    assert np.bincount(model.prototypes.owners).tolist() == [2, 2]
    scores = ClusterEncoder(model).encode_texts(["warm"]) @ ClusterEncoder(model).encode_images(pictures).T
    assert scores[0, :8].min() > scores[0, 8:].max()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.eye(2)[[0, 0, 0]], "no exemplar of 'green': every label needs at least one picture"),
        (np.ones((2, 2)), "expected targets of 3 exemplars x 2 labels, got (2, 2)"),
    ],
)
def test_exemplars_that_do_not_do(targets: np.ndarray, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        fit_model([colour_image("red")] * 3, targets.astype(np.float32), ("red", "green"))
    assert str(caught.value) == message


def test_more_exemplars_than_memory_allows() -> None:
    with pytest.raises(BadInput) as caught:
        fit_model([colour_image("red")] * 6001, np.ones((6001, 2), np.float32), ("red", "green"))
    assert str(caught.value) == "6,001 exemplars are too many, the most are 6,000: take fewer a label"


def test_more_clusters_than_pictures() -> None:
    with pytest.raises(BadInput, match=r"^2 pictures cannot make 3 clusters: ask for fewer$"):
        fit_unsupervised([colour_image("red")] * 2, 3)


# Words.


def test_labels_are_found_however_they_are_written() -> None:
    reader = WordReader(("Dining table", "tv_monitor"))
    for text in ("dining table", "DINING-TABLE", " dining_table "):
        assert reader.read(text).weights.tolist() == [1, 0]
    assert reader.read("tv monitor").weights.tolist() == [0, 1]


def test_unknown_words_name_labels_spelled_so() -> None:
    reader = WordReader(("horse", "house", "ship"))
    with pytest.raises(UnknownQuery) as caught:
        reader.read("hourse")
    assert set(caught.value.near) == {"horse", "house"}
    with pytest.raises(UnknownQuery, match=r"no similar label; it knows horse, house, ship$"):
        reader.read("zebra")


def test_free_text_is_read_as_the_closest_label_or_a_blend() -> None:
    reader = WordReader(("red", "blue", "ship"), ColourEncoder)
    one = reader.read("a blue thing")
    assert one.weights.tolist() == [0, 1, 0]
    assert one.remark == "a blue thing -> blue 1.00"
    both = reader.read("red and blue")
    np.testing.assert_allclose(both.weights, [0.5, 0.5, 0], atol=1e-6)
    assert both.remark == "red and blue -> red 0.71 + blue 0.71"
    with pytest.raises(UnknownQuery):
        reader.read("green")


def test_remarks_say_how_a_word_is_read(model: ClusterModel) -> None:
    encoder = ClusterEncoder(model, texts=ColourEncoder)
    assert encoder.remarks("red") == ()
    assert encoder.remarks("something red") == ("something red -> red 1.00",)
    np.testing.assert_allclose(encoder.encode_texts(["something red"]), encoder.encode_texts(["red"]))


def test_without_a_sound_text_tower_only_labels_are_known() -> None:
    def broken() -> ColourEncoder:
        raise ModelError("no model here")

    with pytest.raises(UnknownQuery):
        WordReader(("red", "blue"), broken).read("a red thing")


# The file.


def test_the_file_holds_everything(model: ClusterModel, file: Path) -> None:
    again = cluster_file.read(file)
    assert again.labels == model.labels
    assert again.exemplars == model.exemplars
    assert again.about == model.about
    assert again.prototypes.counts.tolist() == model.prototypes.counts.tolist()
    assert ClusterEncoder(again).fingerprint == ClusterEncoder(model).fingerprint


def test_the_same_model_gives_the_same_bytes(model: ClusterModel, file: Path, tmp_path: Path) -> None:
    cluster_file.write(model, tmp_path / "again.wsc")
    assert (tmp_path / "again.wsc").read_bytes() == file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.wsc"]


def test_a_place_that_cannot_be_written(model: ClusterModel, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="choose another place"):
        cluster_file.write(model, tmp_path / "nowhere" / "x.wsc")


def rewritten(file: Path, target: Path, change: dict[str, object], **options: int) -> Path:
    """Copy the file with another manifest."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w", **options) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "wordsight.json":
                data = json.dumps(json.loads(data) | change).encode()
            new.writestr(name, data)
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "it does not say 'wordsight cluster encoder'"),
        ({"version": 2}, "it has version 2, and this wordsight reads version 1: update wordsight"),
        ({"labels": []}, "its labels are no list of texts"),
        ({"labels": ["red", "red", "blue"]}, "prototypes need different labels"),
        ({"labels": ["red", "green"]}, "prototypes need different labels"),
        ({"features": [{"feature": "os.system", "command": "true"}, {}]}, "no feature is called 'os.system'"),
        ({"width": "wide"}, "its width is no number"),
        ({"width": -1.0}, "the width must be positive"),
        ({"exemplars": ["zz"]}, "fromhex"),
        ({"exemplars": ["00"]}, "its content keys have another length"),
        ({"projection": 3}, ""),
        ({"features": 3}, "its manifest is not in order"),
    ],
)
def test_manifests_that_are_wrong(file: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = rewritten(file, tmp_path / "changed.wsc", change)
    with pytest.raises(ModelError) as caught:
        cluster_file.read(path)
    assert str(caught.value).startswith(f"{path} is not a sound .wsc file: ")
    assert str(caught.value).endswith("; fit it again")
    assert message in str(caught.value)


def test_compressed_members_are_refused(file: Path, tmp_path: Path) -> None:
    path = rewritten(file, tmp_path / "bomb.wsc", {}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="it holds more than a fitted encoder has"):
        cluster_file.read(path)


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"a": 1}), b"PK\x03\x04" + bytes(40)])
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.wsc"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"is no .wsc file or is damaged"):
        cluster_file.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        cluster_file.read(tmp_path / "none.wsc")


@pytest.mark.parametrize(
    "array",
    [np.asarray([{"a": 1}], object), np.zeros((3, 3), np.float64), np.full((3, 3), np.nan, np.float32)],
    ids=["objects", "doubles", "not numbers"],
)
def test_arrays_of_other_kinds_are_refused(file: Path, tmp_path: Path, array: np.ndarray) -> None:
    target = tmp_path / "changed.wsc"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "prototypes/centroids.npy":
                new.writestr(name, old.read(name))
        with new.open("prototypes/centroids.npy", "w") as stream:
            np.lib.format.write_array(stream, array, allow_pickle=True)
    with pytest.raises(ModelError, match="not a sound"):
        cluster_file.read(target)


def test_an_array_that_claims_to_be_huge_is_not_allocated(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "huge.wsc"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            huge = name == "projection/matrix.npy"
            new.writestr(name, b"\x93NUMPY\x01\x00\x76\x00" + header if huge else old.read(name))
    with pytest.raises(ModelError, match=r"shape \(1000000, 1000000\)"):
        cluster_file.read(target)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_an_error_or_does_not_matter(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.wsc"
    path.write_bytes(content)
    with suppress(ModelError):  # anything else fails the test
        cluster_file.read(path)
