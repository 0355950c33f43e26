"""From texts to the tokens that a model of open_clip's was trained with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
from huggingface_hub import try_to_load_from_cache
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer, get_clean_fn
from tokenizers import Tokenizer

from wordsight.encoders.open_clip_names import Source
from wordsight.errors import ModelError

_OWN = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class TextReader:
    """Turns texts into rows of ``context`` tokens.

    ``encode``: all tokens of a cleaned text, those that open and close it included. A longer text keeps its last token.
    ``content``: digest of the vocabulary. ``source``: its file, cleaned by open_clip's ``clean``; ``None`` for CLIP's
    own. ``around``: tokens put before and behind a text; ``None``: the file itself says.
    """

    context: int
    pad: int
    encode: Callable[[str], list[int]]
    content: str
    source: Path | None = None
    clean: str = "lower"
    around: tuple[list[int], list[int]] | None = None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return (m, context) tokens, padded."""
        rows = np.full((len(texts), self.context), self.pad, np.int64)
        for row, text in zip(rows, texts, strict=True):
            ids = self.encode(_whole(text))
            ids = ids if len(ids) <= self.context else [*ids[: self.context - 1], ids[-1]]
            row[: len(ids)] = ids
        return rows

    def length(self, text: str) -> int:
        """Return how many tokens ``text`` has, uncut."""
        return len(self.encode(_whole(text)))


def text_reader(source: Source, usual: int) -> TextReader:
    """Return the reader for a model; raises ``ModelError`` where its vocabulary is not on this machine.

    ``usual``: the context where the configuration names none.
    """
    config = _text_config(source)
    context = int(config.get("context_length", usual))
    if config.get("hf_model_name") or config.get("tokenizer_mode"):
        return _by_transformers(source, context)
    if name := config.get("hf_tokenizer_name"):
        file, settings = _files(source, name)
        return _by_file(file, settings, context, config.get("tokenizer_kwargs") or {})
    tokenizer = SimpleTokenizer(context_length=context, **(config.get("tokenizer_kwargs") or {}))
    first, last = tokenizer.sot_token_id, tokenizer.eot_token_id
    return TextReader(context, 0, lambda text: [first, *tokenizer.encode(text), last], "clip")


def _whole(text: str) -> str:
    """Replace half characters, as file names on a command line may hold: they are no text to a tokenizer."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text_config(source: Source) -> dict[str, Any]:
    if source.folder is not None:
        config = json.loads((source.folder / "open_clip_config.json").read_text("utf-8"))["model_cfg"]
    elif source.architecture is not None:
        config = open_clip.get_model_config(source.architecture)
    else:
        return {}  # a checkpoint of OpenAI's
    text: dict[str, Any] = config["text_cfg"]
    return text


def _files(source: Source, repository: str) -> tuple[Path, dict[str, Any]]:
    """Return the vocabulary's file and the settings beside it, from the model's folder or the hub's cache."""
    if source.folder is not None and (source.folder / _OWN[0]).is_file():
        folder = source.folder
    else:
        found = try_to_load_from_cache(repository, _OWN[0])
        if not isinstance(found, str):
            raise ModelError(
                f"the vocabulary of {source.name} is not on this machine: run `wordsight models pull {source.name}`, "
                f"or get {' and '.join(_OWN)} by hand from https://huggingface.co/{repository}, lay them into a folder "
                "with the model's open_clip_config.json and weights, and use openclip:local-dir:FOLDER"
            )
        folder = Path(found).parent
    settings = folder / _OWN[1]
    return folder / _OWN[0], json.loads(settings.read_text("utf-8")) if settings.is_file() else {}


def _by_file(file: Path, settings: dict[str, Any], context: int, extra: dict[str, Any]) -> TextReader:
    if not extra.keys() <= {"clean", "strip_sep_token"}:
        raise ModelError(f"{file}: settings {', '.join(sorted(extra))} of the vocabulary are not known")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{file} is no tokenizer: {error}") from error
    pad = _pad(tokenizer, settings, file)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    clean = get_clean_fn(extra.get("clean", "whitespace"))
    before = _special(tokenizer, settings, "bos")
    after = _special(tokenizer, settings, "eos")
    stated = "add_eos_token" in settings or "add_bos_token" in settings
    dropped = tokenizer.token_to_id("[SEP]") if extra.get("strip_sep_token") else None  # CLIPA trained without it

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(clean(text), add_special_tokens=not stated).ids
        return [pad if token == dropped else token for token in (*before, *ids, *after)]

    return TextReader(
        context,
        pad,
        encode,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        file,
        extra.get("clean", "whitespace"),
        (before, after) if stated else None,
    )


def _special(tokenizer: Tokenizer, settings: dict[str, Any], which: str) -> list[int]:
    """Return the token that opens or closes a text where the settings say so; else the file itself adds it."""
    if not settings.get(f"add_{which}_token"):
        return []
    token = tokenizer.token_to_id(_content(settings.get(f"{which}_token")))
    return [] if token is None else [token]


def _pad(tokenizer: Tokenizer, settings: dict[str, Any], file: Path) -> int:
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    pad = tokenizer.token_to_id(_content(settings.get("pad_token", "[PAD]")))  # BERT's settings do not name theirs
    if pad is None:
        raise ModelError(
            f"{file} does not say which token fills a text up, and no tokenizer_config.json beside it does"
        )
    return int(pad)


def _content(token: str | dict[str, Any] | None) -> str:
    return str(token["content"]) if isinstance(token, dict) else token or ""


def _by_transformers(source: Source, context: int) -> TextReader:
    """Use open_clip's own reader for text towers that come from the transformers package."""
    name = f"local-dir:{source.folder}" if source.folder is not None else source.architecture
    try:
        tokenizer = open_clip.get_tokenizer(name, context_length=context)
    except (ImportError, OSError, ValueError) as error:
        raise ModelError(f"the vocabulary of {source.name} cannot be loaded: {error}") from error
    pad = int(tokenizer.tokenizer.pad_token_id)

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.tokenizer(tokenizer.clean_fn(text)).input_ids
        return ids

    return TextReader(context, pad, encode, name or "")
