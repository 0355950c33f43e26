"""Parts of the training that need no torch: narrow weights, nouns of captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("onnx")

from training.data import Node
from training.graphs import Graph, to_int8, to_int8_pairs
from training.nouns import PHYSICAL, Lexicon, caption_nouns


def test_bytes_give_the_kernel_back_to_half_a_step() -> None:
    import onnxruntime as ort
    from onnx import TensorProto

    kernel = np.random.default_rng(0).normal(size=(5, 7, 1, 1)).astype(np.float32)
    kernel[3] *= 100
    graph = Graph("test")
    graph.input("nothing", TensorProto.FLOAT, [1])
    graph.output(graph.byte(kernel), "kernel", [5, 7, 1, 1])
    (found,) = ort.InferenceSession(graph.model().SerializeToString()).run(None, {"nothing": np.zeros(1, np.float32)})
    step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
    assert found.shape == kernel.shape
    assert (np.abs(found - kernel) <= step / 2 * 1.001).all()
    values, scale = to_int8(np.zeros((2, 3), np.float32), axis=1)
    assert not values.any()
    assert (scale > 0).all()


@given(arrays(np.float32, (3, 8), elements=st.floats(-1e4, 1e4, width=32)))
def test_products_of_two_neighbours_fit_in_16_bits(weight: np.ndarray) -> None:
    values, scale = to_int8_pairs(weight)
    assert (np.abs(values * scale[:, None] - weight) <= scale[:, None] * 0.501).all()
    pairs = np.abs(values.astype(np.int32)).reshape(3, 4, 2).sum(axis=2)
    assert pairs.max() * 255 < 2**15


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    lines = ("  1 licence", "dog n 1 1 @ 1 0 1", "tennis_ball n 1 0 1 0 2", "ball n 2 0 2 1 3 9", "child n 1 0 1 1 4",
             "red n 1 0 1 1 5", "box n 1 0 1 1 6")  # fmt: skip
    (tmp_path / "index.noun").write_text("\n".join(lines))
    (tmp_path / "noun.exc").write_text("children child\n")
    return Lexicon.read(tmp_path)


def test_words_in_their_dictionary_form(lexicon: Lexicon) -> None:
    assert lexicon.noun("dogs") == "dog"
    assert lexicon.noun("children") == "child"
    assert lexicon.noun("boxes") == "box"
    assert lexicon.noun("runs") is None
    assert lexicon.senses("Two children, a dog and a tennis ball") == {"n4", "n1", "n2"}
    assert lexicon.senses("the balls") == {"n3"}


def test_concepts_of_photos_with_what_is_above_them(lexicon: Lexicon) -> None:
    wordnet = {
        PHYSICAL: Node(["physical entity"], []),
        "n1": Node(["dog"], [PHYSICAL]),
        "n3": Node(["ball"], [PHYSICAL]),
        "n4": Node(["child", "kid"], ["n8"]),
        "n5": Node(["red"], []),  # a colour: not physical
        "n8": Node(["person"], [PHYSICAL]),
    }
    captions = [["a red dog", "a dog with a child"], ["children", "a child"], ["a red ball", "a red thing"]]
    found = caption_nouns(wordnet, lexicon, captions, least=1, most=0.9, agree=2)
    assert sorted(found.names) == [["child", "kid"], ["dog"], ["person"], ["physical entity"]]
    columns = {names[0]: found.shown[:, place].tolist() for place, names in enumerate(found.names)}
    assert columns["dog"] == [1.0, 0.0, 0.0]
    assert columns["child"] == [0.5, 1.0, 0.0]
    assert columns["person"] == [0.5, 1.0, 0.0]
