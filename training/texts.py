"""Texts: the cut vocabulary, class names from WordNet, and sentence vectors of the frozen text tower."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from training.data import Node
from training.towers import TextTower, text_package

MAX_TOKENS = 64
TEMPLATES = (
    "a photo of a {}.", "{}", "a blurry photo of a {}.", "a picture of a {} outdoors", "a low resolution photo of a {}",
)  # fmt: skip


def full_tokenizer() -> Tokenizer:
    """MiniLM's tokenizer without its own truncation and padding: cutting must never be silent."""
    tokenizer = Tokenizer.from_file(str(text_package() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def wordnet_words(folder: Path) -> list[str]:
    """Every lemma of every part of speech, and the irregular forms."""
    words = []
    for part in ("noun", "verb", "adj", "adv"):
        lines = (folder / f"index.{part}").read_text(errors="replace").splitlines()
        words += [line.split(" ", 1)[0].replace("_", " ") for line in lines if not line.startswith(" ")]
        words += (folder / f"{part}.exc").read_text(errors="replace").split()
    return words


def kept_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> list[int]:
    """Ids, in order, of the pieces that the texts use, the special ones and all single characters."""
    vocabulary = tokenizer.get_vocab()
    used = {i for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False) for i in encoding.ids}
    used |= {i for piece, i in vocabulary.items() if len(piece.removeprefix("##")) == 1}
    used |= {vocabulary[piece] for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")}
    return sorted(used)


def cut_tokenizer(tokenizer: Tokenizer, kept: Sequence[int]) -> str:
    """The tokenizer's JSON with only those pieces, renumbered in order."""
    spec = json.loads(tokenizer.to_str())
    names = {old: piece for piece, old in spec["model"]["vocab"].items()}
    vocabulary = {names[old]: new for new, old in enumerate(kept)}
    spec["model"]["vocab"] = vocabulary
    spec["added_tokens"] = [
        t | {"id": vocabulary[t["content"]]} for t in spec["added_tokens"] if t["content"] in vocabulary
    ]
    for token in spec["post_processor"]["special_tokens"].values():
        token["ids"] = [vocabulary[piece] for piece in token["tokens"]]
    spec["truncation"] = spec["padding"] = None
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":"))


def cut_words(words: nn.Embedding, kept: Sequence[int]) -> nn.Embedding:
    return nn.Embedding.from_pretrained(words.weight.detach()[torch.as_tensor(list(kept))].clone())


def token_batch(tokenizer: Tokenizer, texts: Sequence[str], limit: int = MAX_TOKENS) -> tuple[Tensor, Tensor]:
    """Padded ids and mask; texts over the limit lose their end but keep the closing token."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    rows = [row if len(row) <= limit else row[: limit - 1] + row[-1:] for row in rows]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def varied_texts(tokenizer: Tokenizer, captions: Sequence[str], words: Sequence[str], count: int = 1_000) -> list[str]:
    """So many captions and so many single words, and odd things: runs of words, of pieces, of signs and of digits."""
    random = np.random.default_rng(0)
    pieces = sorted(piece.removeprefix("##") for piece in tokenizer.get_vocab())
    odd = [mark * int(random.integers(1, 6)) for mark in string.punctuation] + [str(97 * i) for i in range(50)]
    for some, most in ((words, 30), (pieces, 12)):
        odd += [" ".join(random.choice(some, random.integers(1, most))) for _ in range(count // 5)]
    return [str(text) for some in (captions, words) for text in random.choice(some, count, replace=False)] + odd


@torch.no_grad()
def sentence_vectors(tower: TextTower, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 256) -> Tensor:
    """(n, 384), unit length; sorted by length inside, so that little is padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = torch.empty(len(texts), 384)
    for start in range(0, len(order), batch):
        picked = order[start : start + batch]
        out[picked] = tower(*token_batch(tokenizer, [texts[i] for i in picked]))
    return out


def ancestors(wordnet: dict[str, Node], wnids: Sequence[str], most: int) -> dict[str, list[int]]:
    """Synsets above the classes with 2 to `most` of them below: wnid -> class indices."""
    members: dict[str, set[int]] = {}
    for index, wnid in enumerate(wnids):
        queue = list(wordnet[wnid].parents)
        while queue:
            node = queue.pop()
            members.setdefault(node, set()).add(index)
            queue += wordnet[node].parents
    own = set(wnids)
    return {w: sorted(found) for w, found in sorted(members.items()) if 2 <= len(found) <= most and w not in own}
