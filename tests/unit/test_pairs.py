"""Close pairs among vectors: all of them, and by cells nearly all of them."""

from __future__ import annotations

import numpy as np
import pytest

from wordsight.errors import BadInput
from wordsight.library import pairs
from wordsight.library.pairs import close_pairs, components


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_twins(count: int, twins: int, seed: int = 0):
    """Unit vectors around twenty scenes; the last ones are earlier ones, moved to a cosine of about 0.97."""
    rng = np.random.default_rng(seed)
    scenes = rng.standard_normal((20, 64), np.float32)
    rows = unit(scenes[rng.integers(20, size=count)] + rng.standard_normal((count, 64), np.float32))
    origins = rng.choice(count - twins, twins, replace=False)
    rows[count - twins :] = unit(rows[origins] + 0.03 * rng.standard_normal((twins, 64), np.float32))
    return rows.astype(np.float32), origins


def as_set(found):
    return set(zip(found[0].tolist(), found[1].tolist(), strict=True))


def test_every_pair_is_found_and_no_other() -> None:
    rows, origins = with_twins(1_200, 100)
    found = close_pairs(rows, 0.95)
    cosines = rows @ rows.T
    expected = {(a, b) for a, b in np.argwhere(cosines >= 0.95).tolist() if a < b}
    assert as_set(found) == expected
    assert len(expected & {(int(a), 1_100 + n) for n, a in enumerate(origins)}) >= 95
    assert found[2] == pytest.approx(cosines[found[0], found[1]])


def test_cells_find_nearly_all_and_nothing_else() -> None:
    rows, _ = with_twins(6_000, 600)
    every, by_cells = as_set(close_pairs(rows, 0.95)), as_set(close_pairs(rows, 0.95, exact=0))
    assert by_cells <= every
    assert len(by_cells) >= 0.98 * len(every) > 500


def test_photos_that_are_all_alike_fill_a_cell() -> None:
    rows, _ = with_twins(3_000, 10)
    rows[:600] = rows[0]
    first, second, cosines = close_pairs(rows, 0.99, exact=0)
    assert len(set(components(3_000, first, second)[:600].tolist())) == 1
    assert cosines.min() >= 0.99


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_vectors(count: int) -> None:
    first, _, _ = close_pairs(unit(np.ones((count, 3), np.float32)), 0.9)
    assert len(first) == count * (count - 1) // 2


def test_too_many_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(pairs, "_MOST", 100)
    with pytest.raises(BadInput, match="higher threshold"):
        close_pairs(unit(np.ones((20, 4), np.float32)), 0.9)


def test_components_follow_chains() -> None:
    chain = np.arange(99)
    label = components(120, chain[::-1].copy(), chain[::-1] + 1)
    assert set(label[:100].tolist()) == {0}
    assert label[100:].tolist() == list(range(100, 120))
    two = components(6, np.array([4, 1, 5]), np.array([5, 2, 3]))
    assert two.tolist() == [0, 1, 1, 3, 3, 3]
