"""Reads a model's vocabulary: a ``tokenizer.json``, or the list of merges that OpenAI published for CLIP."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from wordsight.errors import ModelError

SPECIAL = ("<start_of_text>", "<end_of_text>")
_MERGES = 49_152 - 256 - 2  # those behind are not used


def read_tokenizer(file: Path, clean: str | None = None) -> Tokenizer:
    """Return the tokenizer in ``file``, which neither cuts nor fills; raises ``ModelError``.

    ``clean``: what the model's program does to texts before: OpenCLIP's "whitespace", "lower" or "canonicalize".
    """
    try:
        tokenizer = _from_merges(file) if file.name.endswith(".txt.gz") else Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{file} is no tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if clean is not None:
        own = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([*cleaning(clean), *own])
    return tokenizer


def cleaning(clean: str) -> list[normalizers.Normalizer]:
    """Return the steps that OpenCLIP calls "whitespace", "lower" or "canonicalize"."""
    steps = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    if clean == "canonicalize":
        unpointed = [normalizers.Replace("_", " "), normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), "")]
        return [*unpointed, normalizers.Lowercase(), *steps]
    return [normalizers.Lowercase(), *steps] if clean == "lower" else steps


def repairs() -> list[normalizers.Normalizer]:
    """Return what OpenCLIP's cleaning (ftfy) does to text that is whole."""
    single, double = Regex("[\u02bc\u2018-\u201b]"), Regex("[\u201c-\u201f]")
    return [normalizers.NFC(), normalizers.Replace(single, "'"), normalizers.Replace(double, '"')]


def clip_tokenizer(
    words: Mapping[str, int], merges: Sequence[tuple[str, str]], special: Sequence[str] = SPECIAL
) -> Tokenizer:
    """Return OpenAI's byte-level BPE of CLIP from its words and merges, best first."""
    first, last = special
    tokenizer = Tokenizer(models.BPE(dict(words), list(merges), end_of_word_suffix="</w>", unk_token=last))
    tokenizer.normalizer = normalizers.Sequence([*repairs(), normalizers.Lowercase()])
    pieces = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pieces, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(token, words[token]) for token in special]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def _from_merges(file: Path) -> Tokenizer:
    """Return the vocabulary with OpenAI's numbers: bytes, bytes that end a word, merges, special words."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        lines = stream.read().split("\n")[1 : _MERGES + 1]
    merges = [(left, right) for left, right in (line.split() for line in lines)]
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = len(set(range(256)) - set(printable))
    letters = [chr(code) for code in (*printable, *range(256, 256 + others))]
    words = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges), *SPECIAL]
    return clip_tokenizer({word: place for place, word in enumerate(words)}, merges)
