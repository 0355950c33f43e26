"""Class folders divided into exemplars and gallery."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordsight.datasets.exemplars import Exemplar, Exemplars
from wordsight.datasets.layout import safe_id
from wordsight.datasets.split import divide, task_of
from wordsight.errors import BadInput
from wordsight.testing import colour_image


def folder(contents: dict[str, list[bytes]]) -> tuple[Exemplars, dict[str, bytes]]:
    """Return exemplars whose content keys are given, label by label."""
    items, keys = [], {}
    for label, values in contents.items():
        for number, key in enumerate(values):
            name = safe_id(f"{label}/{number}.png")
            items.append(Exemplar(name, lambda side: colour_image("red"), (label,)))
            keys[name] = key
    return Exemplars("folder", tuple(contents), tuple(items)), keys


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=20), min_size=2, max_size=4).filter(
        lambda rows: all(len(set(row)) > 1 for row in rows)
    ),
    st.integers(0, 5),
)
def test_no_content_is_on_both_sides(rows: list[list[int]], seed: int) -> None:
    # A content is a label's own: the label's number is part of it.
    contents = {f"label {n}": [bytes([n, value]) for value in row] for n, row in enumerate(rows)}
    everything, keys = folder(contents)
    first, second = divide(everything, keys, seed=seed)
    mine, theirs = ({keys[item.image_id] for item in part.items} for part in (first, second))
    assert mine.isdisjoint(theirs)
    assert len(first.items) + len(second.items) == len(everything.items)
    for part in (first, second):
        assert {item.labels[0] for item in part.items} == set(everything.labels)


def test_copies_under_two_labels_and_unread_pictures_are_left_out() -> None:
    everything, keys = folder({"dog": [b"1", b"2", b"3", b"s"], "cat": [b"4", b"5", b"s"]})
    del keys["dog/2.png"]
    first, second = divide(everything, keys)
    kept = {item.image_id for part in (first, second) for item in part.items}
    assert kept == {"dog/0.png", "dog/1.png", "cat/0.png", "cat/1.png"}


def test_a_label_with_one_picture_is_refused_by_name() -> None:
    everything, keys = folder({"dog": [b"1", b"1"], "cat": [b"4", b"5"]})
    with pytest.raises(BadInput, match="'dog' has 1 different picture"):
        divide(everything, keys)


def test_a_part_becomes_a_task() -> None:
    everything, _ = folder({"golden_retriever": [b"1"], "my cat": [b"2"]})
    task = task_of(everything, "folder")
    assert [query.texts for query in task.queries] == [("golden retriever",), ("my cat",)]
    assert [query.query_id for query in task.queries] == ["golden_retriever", "my%20cat"]
    assert task.qrels.grades["my%20cat"] == {"my%20cat/0.png": 1}
    assert np.asarray(task.images[0].load(None)).shape == (32, 32, 3)
