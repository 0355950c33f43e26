"""The background queries' vectors are made once for each encoder, whatever becomes of the file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from wordsight.library.bank import encode_bank
from wordsight.machine import cache_home
from wordsight.testing import ColourEncoder
from wordsight.types import Embeddings


class Counting(ColourEncoder):
    calls = 0

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        type(self).calls += 1
        return super().encode_texts(texts)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(Counting, "calls", 0)
    return Counting()


def only_file() -> Path:
    (file,) = cache_home().rglob("*.npy")
    return file


def test_it_is_encoded_once(encoder: Counting) -> None:
    made = encode_bank(encoder)
    calls = encoder.calls
    assert calls > 0
    np.testing.assert_array_equal(encode_bank(Counting()), made)
    assert encoder.calls == calls


def test_another_encoder_has_its_own(encoder: Counting) -> None:
    encode_bank(encoder)
    other = type("Other", (Counting,), {"fingerprint": "colours-2", "calls": 0})()
    encode_bank(other)
    assert other.calls == encoder.calls > 0
    assert len(list(cache_home().rglob("*.npy"))) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_damaged_file_is_made_anew(encoder: Counting, damage: bytes | None) -> None:
    made = encode_bank(encoder)
    if damage is None:
        np.save(only_file(), np.full_like(made, np.nan))
    else:
        only_file().write_bytes(damage)
    np.testing.assert_array_equal(encode_bank(encoder), made)
    np.testing.assert_array_equal(np.load(only_file()), made)


def test_a_place_that_cannot_be_written_costs_time_only(encoder: Counting) -> None:
    cache_home().write_text("a file where the folder should be")
    assert encode_bank(encoder).shape == encode_bank(encoder).shape
    assert encoder.calls > 0
