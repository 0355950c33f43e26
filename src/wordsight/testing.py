"""For authors of encoders and indexes: a toy encoder that means something, and the checks every engine must pass.

A plug-in's test suite is three lines::

    from wordsight.testing import check_encoder
    def test_contract():
        check_encoder(MyEncoder())
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.errors import UnknownQuery
from wordsight.protocols import Encoder, Explainer, Image, LinearHead, LinearHeadEncoder, SpatialEncoder, VectorIndex
from wordsight.types import Embeddings, Metric

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
_GRID = 4
_CELL = 8


class ColourEncoder:
    """Understands colours: a picture's vector is its share of each colour, a text's the colours it names.

    "red" and a red picture get the same vector; "red and blue" that of a picture which is half red, half blue; a text
    without a colour lies equally far from all. So tests assert exact rankings.
    """

    name = "colours"
    fingerprint = "colours-1"
    dim = len(COLOURS)
    metric = Metric.COSINE
    vocabulary: tuple[str, ...] | None = None
    image_side: int | None = None
    label_prompts = ("{}",)
    pools_by_mean = True

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, 8) float32 of unit length."""
        return _unit(self.feature_maps(images).mean(axis=(2, 3)))

    @property
    def stride(self) -> int | None:
        """Pixels of a cell of pictures that are taken as they are: 8."""
        return _CELL

    def feature_maps(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return each colour's share of each cell: (n, 8, 4, 4), or ``as_is`` one cell for every 8 x 8 pixels."""
        side = _GRID * _CELL
        if not as_is:
            images = [image.resize((side, side), PILImage.Resampling.NEAREST) for image in images]
        return np.stack([_shares(image) for image in images]) if images else np.empty((0, self.dim, _GRID, _GRID), "f4")

    gives_features = True

    def head(self) -> LinearHead:
        """Return the identity: the features are the embedding's own."""
        return LinearHead(np.eye(self.dim, dtype=np.float32), np.zeros(self.dim, np.float32))

    def last_features(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return what ``feature_maps`` does."""
        return self.feature_maps(images, as_is=as_is)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (m, 8) float32 of unit length."""
        named = [[float(word in re.findall("[a-z]+", text.lower())) for word in COLOURS] for text in texts]
        rows = np.asarray(named, np.float32).reshape(-1, self.dim)
        rows[~rows.any(axis=1)] = 1.0
        return _unit(rows)

    def remarks(self, text: str) -> tuple[str, ...]:
        """Return a notice for a text without a colour."""
        return () if set(re.findall("[a-z]+", text.lower())) & COLOURS.keys() else (f"{text!r} names no colour",)


def colour_image(*names: str, size: int = 32) -> Image:
    """Return a ``size`` x ``size`` picture of equal vertical stripes in the named colours."""
    image = PILImage.new("RGB", (size, size))
    for i, name in enumerate(names):
        box = (i * size // len(names), 0, (i + 1) * size // len(names), size)
        image.paste(COLOURS[name], box)
    return image


def check_encoder(encoder: Encoder, texts: Sequence[str] = ("red", "a blue thing")) -> None:
    """Raise ``AssertionError`` where ``encoder`` breaks the protocol. ``texts``: two that it understands."""
    images = [colour_image("red"), colour_image("blue", size=50), colour_image("green", "white").resize((64, 40))]
    for encode, items in ((encoder.encode_images, images), (encoder.encode_texts, list(texts))):
        _check_shapes(encoder, encode, items)  # type: ignore[arg-type]
    assert encoder.name, "an encoder has a name"
    assert encoder.fingerprint, "an encoder has a fingerprint"
    assert encoder.image_side is None or encoder.image_side > 0, "image_side is a number of pixels"
    assert encoder.label_prompts, "an encoder has at least one label prompt"
    assert all("{}" in prompt for prompt in encoder.label_prompts), "a label prompt has a place for the label"
    for text in texts:
        assert all(isinstance(line, str) for line in encoder.remarks(text)), "remarks are lines of text"
    if encoder.vocabulary is not None:
        _check_closed(encoder)
    with ThreadPoolExecutor(4) as pool:
        alone = encoder.encode_images(images)
        for together in pool.map(lambda _: encoder.encode_images(images), range(8)):
            np.testing.assert_allclose(together, alone, atol=1e-5, err_msg="calls from several threads must agree")


def check_spatial_encoder(encoder: SpatialEncoder) -> None:
    """Raise ``AssertionError`` where the feature maps do not explain the embedding."""
    images = [colour_image("red", "blue", size=256), colour_image("green", size=256)]
    maps = encoder.feature_maps(images)
    assert maps.dtype == np.float32
    assert maps.shape[:2] == (2, encoder.dim)
    assert np.isfinite(maps).all(), "maps are finite"
    if encoder.pools_by_mean:
        mean = maps.mean(axis=(2, 3))
        mean = _unit(mean) if encoder.metric is Metric.COSINE else mean
        np.testing.assert_allclose(
            mean, encoder.encode_images(images), atol=2e-3, err_msg="the map's mean is the embedding"
        )
    assert encoder.feature_maps([]).shape[0] == 0
    stride = encoder.stride
    assert stride, "an encoder with maps says how many pixels make a place"
    wide = encoder.feature_maps([colour_image("red", size=4 * stride).resize((4 * stride, 2 * stride))], as_is=True)
    assert wide.shape == (1, encoder.dim, 2, 4), "a picture taken as it is has a place for every stride x stride pixels"
    if isinstance(encoder, LinearHeadEncoder) and encoder.gives_features:
        _check_head(encoder, encoder.head(), images)


def check_explainer(explainer: Explainer, encoder: Encoder, texts: Sequence[str] = ("red", "blue")) -> None:
    """Raise ``AssertionError`` where the ``explainer`` of ``encoder`` breaks the protocol.

    ``texts``: two that the encoder understands.
    """
    images = [
        colour_image("red", "blue", size=64),
        colour_image("green", "red", "white", size=96).resize((120, 50)),
        colour_image("blue", "red").resize((300, 20)),  # a panorama, whose ends count as much as its middle
        colour_image("red", size=1),
    ]
    before = [image.tobytes() for image in images]
    found = explainer.explain(images, texts)
    assert [len(row) for row in found] == [len(texts)] * len(images), "one map for each picture and text"
    assert explainer.explain([], texts) == [], "no pictures, no maps"
    assert explainer.explain(images[:1], []) == [[]], "no texts, no maps"
    assert [image.tobytes() for image in images] == before, "pictures are not changed"
    scores = _scores(encoder, images, texts)
    for image, row, wanted in zip(images, found, scores, strict=True):
        for saliency, text, score in zip(row, texts, wanted.tolist(), strict=True):
            assert (saliency.text, saliency.method) == (text, explainer.method)
            np.testing.assert_allclose(saliency.score, score, atol=2e-3, err_msg="the score is the search's")
            _check_values(saliency.values, image.size)
    ((alone,),) = explainer.explain(images[1:2], texts[1:2])
    np.testing.assert_allclose(
        alone.values, found[1][1].values, atol=2e-3, err_msg="a map does not depend on its batch"
    )


def check_index(make: Callable[[int, Metric], VectorIndex], *, seed: int = 0) -> None:
    """Raise ``AssertionError`` where the index that ``make(dim, metric)`` returns breaks the protocol or its order."""
    rng = np.random.default_rng(seed)
    for metric in Metric:
        index, dim = make(16, metric), 16
        vectors = rng.standard_normal((120, dim)).astype(np.float16).astype(np.float32)
        if metric is Metric.COSINE:
            vectors = _unit(vectors)
        ids = rng.permutation(1000)[:120].astype(np.int64)
        queries = vectors[:3]
        assert (index.dim, index.metric, len(index)) == (dim, metric, 0)
        assert index.search(queries, 5).ids.shape == (3, 0), "an empty index answers with no rows"
        index.add(ids[:60], vectors[:60])
        index.add(ids[60:], vectors[60:])
        _check_answer(index, queries, ids, vectors, 10)
        _check_answer(index, queries[:0], ids, vectors, 10)
        _check_answer(index, queries, ids, vectors, 10, allowed=ids[30:37])
        _check_answer(index, queries, ids, vectors, 1000)
        assert index.search(queries, 3, np.asarray([-5], np.int64)).ids.shape == (3, 0), "unknown ids allow nothing"
        index.remove(ids[:20])
        index.remove(np.asarray([-1], np.int64))
        _check_answer(index, queries, ids[20:], vectors[20:], 10)
        index.add(ids[50:55], vectors[:5])  # replaced, and at once found under the new vector
        replaced = vectors.copy()
        replaced[50:55] = vectors[:5]
        _check_answer(index, queries, ids[20:], replaced[20:], 10)


def _check_shapes(encoder: Encoder, encode: Callable[[Sequence[object]], Embeddings], items: Sequence[object]) -> None:
    rows = encode(items)
    for got, count in ((rows, len(items)), (encode(items[:1]), 1), (encode([]), 0)):
        assert got.dtype == np.float32, f"vectors are float32, got {got.dtype}"
        assert got.shape == (count, encoder.dim), f"expected shape {(count, encoder.dim)}, got {got.shape}"
    assert np.isfinite(rows).all(), "vectors are finite"
    np.testing.assert_allclose(encode(items[:1]), rows[:1], atol=1e-3, err_msg="a vector does not depend on its batch")
    if encoder.metric is Metric.COSINE:
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3, err_msg="vectors have unit length")


def _check_head(encoder: LinearHeadEncoder, head: LinearHead, images: Sequence[Image]) -> None:
    features = encoder.last_features(images)
    assert features.shape[1] == head.weight.shape[1], "the head projects the last features"
    projected = np.einsum("dc,nchw->ndhw", head.weight, features) + head.bias[:, None, None]
    np.testing.assert_allclose(
        projected, encoder.feature_maps(images), atol=2e-3, err_msg="the head makes the feature maps"
    )
    assert encoder.last_features([]).shape[0] == 0


def _check_values(values: NDArray[np.float32], size: tuple[int, int]) -> None:
    assert values.dtype == np.float32, f"maps are float32, got {values.dtype}"
    assert values.ndim == 2, f"a map has rows and columns, got {values.shape}"
    assert min(values.shape) >= 1
    assert np.isfinite(values).all(), "maps are finite"
    assert values.min() >= 0, "a map has values in [0, 1]"
    assert values.max() <= 1, "a map has values in [0, 1]"
    rows, columns = values.shape
    aspect, wanted = columns / rows, size[0] / size[1]
    # A cell more or less: a map is a grid, and no grid has every aspect.
    low, high = (columns - 1) / (rows + 1), (columns + 1) / max(rows - 1, 0.5)
    assert low <= wanted <= high, f"a map covers the whole picture, so it has its aspect {wanted:.2f}; got {aspect:.2f}"


def _scores(encoder: Encoder, images: Sequence[Image], texts: Sequence[str]) -> NDArray[np.float32]:
    pictures, words = encoder.encode_images(images), encoder.encode_texts(texts)
    if encoder.metric is Metric.COSINE:
        return np.asarray(pictures @ words.T, np.float32)
    return np.asarray(-np.linalg.norm(pictures[:, None] - words, axis=2), np.float32)


def _check_closed(encoder: Encoder) -> None:
    assert encoder.vocabulary, "a closed encoder knows at least one label"
    assert encoder.encode_texts(encoder.vocabulary).shape == (len(encoder.vocabulary), encoder.dim)
    try:
        encoder.encode_texts(["surely no label of anybody's"])
    except UnknownQuery:
        return
    raise AssertionError("a closed encoder raises UnknownQuery for a text it was not fitted on")


def _check_answer(
    index: VectorIndex,
    queries: Embeddings,
    ids: NDArray[np.int64],
    vectors: Embeddings,
    k: int,
    allowed: NDArray[np.int64] | None = None,
) -> None:
    if allowed is not None:
        keep = np.isin(ids, allowed)
        ids, vectors = ids[keep], vectors[keep]
    if index.metric is Metric.COSINE:
        scores = queries @ vectors.T
    else:
        scores = -np.linalg.norm(queries[:, None] - vectors[None], axis=2)
    got = index.search(queries, k, allowed)
    k = min(k, len(ids))
    assert got.ids.shape == got.scores.shape == (len(queries), k), f"expected {(len(queries), k)}, got {got.ids.shape}"
    assert got.ids.dtype == np.int64
    assert got.scores.dtype == np.float32
    for i, row in enumerate(scores):
        assert len(set(got.ids[i].tolist())) == k, "no row is returned twice"
        want = dict(zip(ids.tolist(), row.tolist(), strict=True))
        np.testing.assert_allclose(got.scores[i], [want[j] for j in got.ids[i].tolist()], atol=2e-2)
        np.testing.assert_allclose(got.scores[i], np.sort(row)[::-1][:k], atol=2e-2, err_msg="not the best rows")
        pairs = [(-float(s), int(j)) for s, j in zip(got.scores[i], got.ids[i], strict=True)]
        assert pairs == sorted(pairs), "hits are ordered by (-score, id)"


def _shares(image: Image) -> NDArray[np.float32]:
    pixels = np.asarray(image, np.int32)
    palette = np.asarray(list(COLOURS.values()), np.int32)
    nearest = ((pixels[:, :, None] - palette) ** 2).sum(axis=3).argmin(axis=2)
    height, width = nearest.shape
    cells = np.eye(len(palette))[nearest].reshape(height // _CELL, _CELL, width // _CELL, _CELL, -1).mean(axis=(1, 3))
    shares: NDArray[np.float32] = cells.transpose(2, 0, 1).astype(np.float32)
    return shares


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
