"""Queries in other languages are told apart from English ones."""

from __future__ import annotations

import pytest

from wordsight.encoders.english import Bloom, looks_foreign
from wordsight.registry import load_encoder

FOREIGN = [
    "Kinder mit Luftballons", "Mädchen spielt Klavier", "Blumen im Garten", "ein Boot auf dem See",  # German
    "un cheval dans la neige", "fleurs du jardin", "une fille avec un chapeau", "bateau sur le lac",  # French
    "un caballo en la nieve", "flores del jardín", "niña con gorra roja", "barco en el lago",  # Spanish
    "马在雪地里", "花园里的花", "戴帽子的女孩", "湖上的船",  # Chinese
    "лошадь в снегу", "цветы в саду", "девочка в шляпе", "лодка на озере",  # Russian
]  # fmt: skip
# Every word of it is in an English dictionary too, so it passes: the model may well know what a sombrero is.
BORROWED = "niña con sombrero"
ENGLISH = [
    "horse in the snow", "flowers in a garden", "girl with a hat", "a boat on the lake", "my dog", "New Year's Eve",
    "the Sagrada Familia at night", "Los Angeles", "pizza margherita", "a Rottweiler's puppy", "running children",
    "grandma's 90th birthday", "IMG_2041", "T-shirt", "café", "3", "", "red/blue kites",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages_are_noticed(text: str) -> None:
    assert looks_foreign(text)[0]


@pytest.mark.parametrize("text", ENGLISH)
def test_english_passes_in_silence(text: str) -> None:
    assert not looks_foreign(text)[0]


def test_words_that_english_borrowed_pass() -> None:
    assert looks_foreign(BORROWED) == (False, ())


def test_what_is_unknown_stands_as_it_was_written() -> None:
    # WordNet knows "klavier".
    assert looks_foreign("Mädchen spielt Klavier") == (True, ("Mädchen", "spielt"))


def test_a_filter_never_loses_a_member_and_seldom_takes_a_stranger() -> None:
    members = [f"word{i}" for i in range(5_000)]
    made = Bloom.of(members)
    assert all(word in made for word in members)
    strangers = sum(f"stranger{i}" in made for i in range(5_000))
    assert strangers < 100  # one in a hundred by design


def test_the_shipped_encoder_says_so() -> None:
    encoder = load_encoder("mini")
    assert encoder.remarks("a dog in the snow") == ()
    (line,) = encoder.remarks("собака в снегу")
    assert line == "most of 'собака в снегу' is unknown to mini, which reads English only (собака, в, снегу)"
