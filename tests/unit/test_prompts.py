"""Prompt templates by name."""

from __future__ import annotations

import pytest

from wordsight.encoders.prompts import SETS, templates
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
