"""The vocabulary of an OpenCLIP encoder as a ``tokenizer.json``, which needs no torch to read."""

from __future__ import annotations

from collections.abc import Sequence

from open_clip.tokenizer import SimpleTokenizer
from tokenizers import Tokenizer, normalizers, processors

from wordsight.encoders import vocabulary
from wordsight.encoders.open_clip_texts import TextReader
from wordsight.errors import ModelError

PROBES = (
    "a dog",
    "A photo of TWO dogs, running on the beach!",
    "it's 10:45 -- don't walk; we'll  see",
    "crème brûlée, Straße, naïve façade",
    "狗在雪地里 🐕 собака",
    "\u201cquoted\u201d \u2019til",
    "snake_case e-mail@example.org #tag 3.14 %",
    "   ",
    "",
    "word " * 100,
)
"""Texts on which the exported vocabulary must give the reference's tokens."""


def exported_tokenizer(reader: TextReader) -> Tokenizer:
    """Return a tokenizer that gives ``reader``'s tokens, uncut and unfilled.

    What ftfy repairs beyond quotation marks, such as text decoded with a wrong code page or HTML entities, is read as
    it is. Raises ``ModelError`` when the tokens of ``PROBES`` differ.
    """
    tokenizer = clip_tokenizer() if reader.source is None else _file_tokenizer(reader)
    differing = [text for text in PROBES if tokenizer.encode(text).ids != reader.encode(text)]
    if differing:
        raise ModelError(f"the exported vocabulary reads {differing[0]!r} in another way than the model's own")
    return tokenizer


def clip_tokenizer(special: Sequence[str] = vocabulary.SPECIAL) -> Tokenizer:
    """Return OpenAI's byte-level BPE vocabulary, which open_clip carries."""
    own = SimpleTokenizer()
    merges = [pair for pair, _ in sorted(own.bpe_ranks.items(), key=lambda item: item[1])]
    return vocabulary.clip_tokenizer(own.encoder, merges, special)


def _file_tokenizer(reader: TextReader) -> Tokenizer:
    """Return the model's own file with the cleaning before it and the closing token behind it written into it."""
    assert reader.source is not None
    tokenizer = Tokenizer.from_file(str(reader.source))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    cleaning = vocabulary.cleaning(reader.clean)
    own = [tokenizer.normalizer] if tokenizer.normalizer else []
    tokenizer.normalizer = normalizers.Sequence([*vocabulary.repairs(), *cleaning, *own])
    if reader.around is not None:
        before, after = reader.around
        names = [[str(tokenizer.id_to_token(token)) for token in side] for side in (before, after)]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join([*names[0], "$A", *names[1]]),
            special_tokens=list(zip([*names[0], *names[1]], [*before, *after], strict=True)),
        )
    return tokenizer
