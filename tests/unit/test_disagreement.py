import numpy as np
import pytest

from wordsight.errors import BadInput
from wordsight.evaluation.disagreement import picture_disagreements, query_disagreements
from wordsight.types import Qrels


def test_queries_in_the_order_of_their_difference():
    found = query_disagreements({"a": 0.5, "b": 0.1, "c": 0.75, "d": 1.0}, {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.75})
    assert [(each.query_id, round(each.difference, 3)) for each in found] == [("b", -0.8), ("c", 0.25), ("d", 0.25)]
    assert len(query_disagreements({"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 0.5}, most=1)) == 1
    with pytest.raises(BadInput, match="same queries"):
        query_disagreements({"a": 1.0}, {"b": 1.0})


def test_pictures_whose_ranks_are_furthest_apart():
    ids = [f"{n:02d}" for n in range(20)]
    first = np.linspace(1, 0, 20, dtype=np.float32)[None].repeat(3, axis=0)
    second = first.copy()
    second[0, 0] = -1  # first: rank 1, second: rank 20
    second[1, 19] = 2  # the other way round
    second[2] = np.nan
    qrels = Qrels({"a": {"00": 1}, "b": {"19": 0}, "c": {"05": 1}}, {"b": frozenset({"18"})})
    found = picture_disagreements(first, second, ["a", "b", "c"], ids, qrels, most=2)
    assert [tuple(each) for each in found] == [("a", "00", 1, 20, True), ("b", "19", 20, 1, False)]
    assert [each.first_is_right for each in found] == [True, True]
    everything = picture_disagreements(first, second, ["a", "b", "c"], ids, qrels, most=99)
    assert len({each.image_id for each in everything}) == len(everything) <= 20
    assert ("b", "18") not in {each[:2] for each in everything}
    assert picture_disagreements(first, first, ["a", "b", "c"], ids, qrels) == []
    with pytest.raises(BadInput, match="one shape"):
        picture_disagreements(first, second[:, 1:], ["a", "b", "c"], ids, qrels)
