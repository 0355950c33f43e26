"""Prompt templates by name."""

from __future__ import annotations

import pytest

from wordsight.encoders.prompts import SETS, prompted, templates, without_article
from wordsight.errors import BadInput


def test_sets_are_the_published_ones() -> None:
    assert len(SETS["cifar"]) == len(set(SETS["cifar"])) == 18
    assert {"a photo of a {}.", "a bad photo of the {}.", "a photo of the big {}."} < set(SETS["cifar"])
    assert all(text.count("{}") == 1 for each in SETS.values() for text in each)


def test_seven_of_imagenet_are_open_clips() -> None:
    open_clip = pytest.importorskip("open_clip", reason='needs the extra "openclip"')
    assert tuple(f("{}") for f in open_clip.SIMPLE_IMAGENET_TEMPLATES) == SETS["imagenet7"]


def test_names_and_templates_mix() -> None:
    assert templates(["word", "my {} again"]) == ("{}", "my {} again")
    with pytest.raises(BadInput, match="cifar"):
        templates(["a photo"])


@pytest.mark.parametrize("text", ["dog", "a dog", "A dog", " the dog", "an  dog"])
def test_articles_give_way_to_those_of_the_template(text: str) -> None:
    assert without_article(text) == "dog"
    assert prompted(text, "a photo of a {}.") == "a photo of a dog."


@pytest.mark.parametrize("text", ["a", "another dog", "the", "theatre", "", "{}"])
def test_what_looks_like_an_article_stays(text: str) -> None:
    assert prompted(text, "a photo of a {}.") == f"a photo of a {text}."


@pytest.mark.parametrize("text", ["a photo of a dog", "A dog is running.", "Where?", "two dogs beside a red car"])
def test_phrases_and_sentences_say_themselves_what_they_are(text: str) -> None:
    assert prompted(text, "a photo of a {}.") == text
