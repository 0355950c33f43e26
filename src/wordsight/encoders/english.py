"""Does a query look like English? For models that were taught nothing else.

A word counts as known when it, or what is left without a usual ending, is one that WordNet or the training captions
hold. The list is a Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970)
beside this file, made by ``python -m training.words``: about one foreign word in a hundred passes for a known one, and
no known word is ever taken for a foreign one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache
from importlib import resources

FILE = "english.bloom"
HASHES, BITS_A_WORD = 7, 10

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ENDINGS = (
    ("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ied", "y"), ("ing", ""), ("ing", "e"),
    ("er", ""), ("er", "e"), ("est", ""), ("ly", ""), ("y", ""),
)  # fmt: skip
# Small words that other languages are full of. WordNet knows many of them, as parts of names.
_FOREIGN_WORDS = (
    "der das und ein eine einen einem einer auf mit dem den im vor zum zur ist sind von "
    "le la les des une un sur avec dans du et est au aux sous "
    "el los las una del con en por sobre y il lo gli della sul sulla che di um uma na em com "
    "een het op met van och ett nad po pod"
)
_ENGLISH_WORDS = (
    "the an of with and on at is are his her their its through into from for near some this that while by who has "
    "two three not"
)
_FOREIGN, _ENGLISH = frozenset(_FOREIGN_WORDS.split()), frozenset(_ENGLISH_WORDS.split())


def looks_foreign(text: str, known: Bloom | None = None) -> tuple[bool, tuple[str, ...]]:
    """Return whether ``text`` is mostly no English, and its words that are unknown, as they stand there.

    More than half of the words unknown is too many. With a small word of another language and none of English, one of
    four is; and two small words of other languages suffice where not one is English. Digits and signs do not count.
    """
    known = known or shipped()
    words = _WORD.findall(text.replace("\u2019", "'"))
    plain = [_folded(word) for word in words]
    unknown = tuple(word for word, folded in zip(words, plain, strict=True) if not _is_known(folded, known))
    foreign = sum(word in _FOREIGN for word in plain)
    if any(word in _ENGLISH for word in plain):
        foreign = 0
    many = 2 * len(unknown) > len(words) if foreign == 0 else 4 * len(unknown) >= len(words)
    return bool((unknown and many) or foreign >= 2), unknown


class Bloom:
    """A set of words that may take a stranger for a member and never a member for a stranger."""

    def __init__(self, bits: bytes | bytearray) -> None:
        self.bits = bits

    @classmethod
    def of(cls, words: Collection[str]) -> Bloom:
        """Return the set of these words."""
        made = cls(bytearray(max(1, len(words) * BITS_A_WORD // 8)))
        for word in words:
            for place in made._places(word):
                made.bits[place >> 3] |= 1 << (place & 7)  # type: ignore[index]
        return made

    def __contains__(self, word: str) -> bool:
        return all(self.bits[place >> 3] >> (place & 7) & 1 for place in self._places(word))

    def _places(self, word: str) -> Iterable[int]:
        """Two hashes serve for all (Kirsch and Mitzenmacher, "Less hashing, same performance", 2006)."""
        digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
        first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
        return ((first + i * step) % (8 * len(self.bits)) for i in range(HASHES))


@cache
def shipped() -> Bloom:
    """Return the words that the shipped model was taught with."""
    return Bloom(resources.files(__package__).joinpath(FILE).read_bytes())


def _folded(word: str) -> str:
    """Without accents, as the shipped tokenizer reads."""
    apart = unicodedata.normalize("NFD", word.lower().partition("'")[0])
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _is_known(word: str, known: Bloom) -> bool:
    if word in known:
        return True
    for ending, instead in _ENDINGS:
        stem = word.removesuffix(ending)
        if (
            stem != word
            and len(stem) >= 3
            and (stem + instead in known or (stem[-1] == stem[-2] and stem[:-1] in known))
        ):
            return True
    return False
