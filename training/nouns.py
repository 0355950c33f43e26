"""What captions name: the nouns in them, and everything WordNet says these are kinds of.

A photo whose captions speak of a boy on a bike shows a boy, a child, a person, a bicycle and a vehicle. That gives
label texts ("a photo of a person.") photos to stand near, which captions as sentences do only by the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import Node

PHYSICAL = "n00001930"  # physical entity: things and stuff, no colours, numbers or ideas
# These are nouns to the dictionary only ("in" is an inch).
_SMALL = frozenset(
    re.findall(r"[a-z]+", "a an as at by in on it he his her i is are am was be have do does who will may can")
)
# Endings of plurals and what they stand for; WordNet's own rules for nouns (morphy(7WN)).
_ENDINGS = (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
            ("ies", "y"))  # fmt: skip


@dataclass(frozen=True)
class Nouns:
    """Concepts that some photos show: their names, most usual first.

    `shown` (photos, concepts): 1 where enough captions name it, 0 where none does, 0.5 where one cannot tell.
    """

    names: list[list[str]]
    shown: NDArray[np.float32]


@dataclass(frozen=True)
class Lexicon:
    """Noun -> its most usual synset, and irregular plural -> noun."""

    first_sense: dict[str, str]
    irregular: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Lexicon:
        senses = {}
        for line in (folder / "index.noun").read_text(errors="replace").splitlines():
            if not line.startswith(" "):
                words = line.split()
                senses[words[0]] = "n" + words[-int(words[2])]
        irregular = dict(line.split()[:2] for line in (folder / "noun.exc").read_text().splitlines())
        return cls(senses, irregular)

    def noun(self, word: str) -> str | None:
        """The dictionary form, if it is a noun."""
        if word in self.irregular:
            return self.irregular[word]
        if word in self.first_sense:
            return word
        for ending, instead in _ENDINGS:
            if word.endswith(ending) and (form := word.removesuffix(ending) + instead) in self.first_sense:
                return form
        return None

    def senses(self, text: str) -> set[str]:
        """Synsets that a caption names; of two words that are one noun, only the one ("tennis ball")."""
        words, found, place = re.findall(r"[a-z]+", text.lower()), set(), 0
        while place < len(words):
            pair = self.noun("_".join(words[place : place + 2])) if place + 1 < len(words) else None
            form = pair or (None if words[place] in _SMALL else self.noun(words[place]))
            if form is not None and form in self.first_sense:
                found.add(self.first_sense[form])
            place += 2 if pair else 1
        return found


def caption_nouns(
    wordnet: dict[str, Node], lexicon: Lexicon, captions: Sequence[Sequence[str]], least: int, most: float, agree: int
) -> Nouns:
    """Concepts that `agree` captions of a photo name, for at least `least` photos and at most that share of them."""
    rows: list[dict[str, int]] = []
    for group in captions:
        counts: dict[str, int] = {}
        for text in group:
            above = (_upwards(wordnet, {sense}) for sense in lexicon.senses(text))
            for sense in set().union(*(senses for senses in above if PHYSICAL in senses)):
                counts[sense] = counts.get(sense, 0) + 1
        rows.append(counts)
    total: dict[str, int] = {}
    for row in rows:
        for sense, count in row.items():
            total[sense] = total.get(sense, 0) + (count >= agree)
    kept = sorted(sense for sense, count in total.items() if least <= count <= most * len(rows))
    shown = [[(0.5, 1.0)[row[sense] >= agree] if sense in row else 0.0 for sense in kept] for row in rows]
    return Nouns([wordnet[sense].lemmas for sense in kept], np.asarray(shown, np.float32))


def _upwards(wordnet: dict[str, Node], senses: set[str]) -> set[str]:
    found, queue = set(), list(senses)
    while queue:
        sense = queue.pop()
        if sense not in found:
            found.add(sense)
            queue += wordnet[sense].parents
    return found
