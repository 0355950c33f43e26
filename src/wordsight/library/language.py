"""The query language: words and pictures, added and subtracted, with weights.

::

    query  = [sign] term { sign term }        a sign is a + or - with a blank or an end on both sides
    term   = [weight ":"] ( picture | "picture:" digits | piece { blank piece } )
    piece  = word | '"' anything '"'          "" inside double quotes stands for one "
           | "'" anything "'"                 only at the start of a term: elsewhere ' is an apostrophe

A weight is a number directly followed by ``:`` and something that is neither a blank nor a digit, so "12:30 clock" and
"16:9 photo" are texts. A picture is a path that starts with ``./``, ``../``, ``/``, ``~/`` or a drive letter, or that
names an existing file with a picture's suffix. ``picture:`` and the first 8 or more hexadecimal digits of a SHA-256
stand for a picture that the catalogue knows (JSON output tells them).
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wordsight.errors import QuerySyntaxError
from wordsight.types import Query, Term

MAX_TERMS = 100
"""Terms in a query; each costs a run of an encoder."""
MIN_WEIGHT, MAX_WEIGHT = 1e-6, 1e6
"""Beyond these, float32 vectors lose the other terms."""

_EXPLICIT = re.compile(r"\.{1,2}[/\\]|/|~/|[A-Za-z]:[/\\]")
_NUMBER = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)):"
_WEIGHT = re.compile(_NUMBER + r"(?![\s\d\x00-\x1f\x7f-\x9f])(?=.)", re.IGNORECASE | re.DOTALL)
_BARE_WEIGHT = re.compile(_NUMBER, re.IGNORECASE)
_CONTENT = re.compile(r"picture:([0-9a-f]{8,64})", re.IGNORECASE)
_SHOWN = 100  # characters of a long query shown before and after the caret


class _Piece(NamedTuple):
    start: int  # where it begins in the source, quote included
    end: int
    text: str
    quoted: bool


def parse(words: Sequence[str] | str, *, files: bool = True) -> Query:
    """Return the query that ``words`` spell: one string, or the items of a command line (joined by single blanks).

    Adjacent words form one text; weights lie in [1e-6, 1e6] and are negative after a ``-``. An item of a command line
    that names an existing picture stays one term whatever blanks and signs its name holds. With ``files`` false,
    paths are texts like others, and no file is looked for: for queries that come from elsewhere.
    Raises ``QuerySyntaxError``, which shows the place, for a query that is empty, broken, contradictory or
    only negative.
    """
    source = words if isinstance(words, str) else " ".join(_shield(word) if files else word for word in words)
    terms: list[Term] = []
    starts: list[int] = []
    for sign, sign_at, pieces in _split(source):
        if len(terms) == MAX_TERMS:
            raise _error(f"a query has at most {MAX_TERMS} terms; this is one too many", source, sign_at)
        terms.append(_term(source, sign, pieces, files))
        starts.append(sign_at)
    _check_sense(source, terms, starts)
    return Query(tuple(terms), source)


def format_query(query: Query) -> str:
    """Return a text that parses to the same terms.

    Raises ``ValueError`` for a text that the language cannot say: one that reads as a path, or holds control
    characters.
    """
    parts: list[str] = []
    for term in query.terms:
        weight = "" if abs(term.weight) == 1 else f"{_shortest(abs(term.weight))}:"
        sign = "- " if term.weight < 0 else "+ " if parts else ""
        parts.append(f"{sign}{weight}{_quoted(term)}")
    return " ".join(parts)


def _split(source: str) -> Iterator[tuple[int, int, list[_Piece]]]:
    """Yield sign, place of the term (of its sign, where it has one) and pieces of each term."""
    sign, sign_at, pieces = 1, 0, list[_Piece]()
    opened = False  # a sign waits for its term
    for piece in _pieces(source):
        if piece.text in ("+", "-") and not piece.quoted:
            if pieces:
                yield sign, sign_at, pieces
            elif opened:
                raise _error("a word or a picture must stand between two signs", source, piece.start)
            sign, sign_at, pieces, opened = (1 if piece.text == "+" else -1), piece.start, [], True
        else:
            if not pieces and not opened:
                sign_at = piece.start
            pieces.append(piece)
    if pieces:
        yield sign, sign_at, pieces
    elif opened:
        raise _error("a word or a picture must follow the sign", source, sign_at)
    else:
        raise _error('the query is empty; say what to look for, for example "two dogs in snow"', source, 0)


def _pieces(source: str) -> Iterator[_Piece]:
    """Yield words and quoted phrases; the weight of a quoted phrase is part of its piece's span, not of its text."""
    at, term_start = 0, True
    while at < len(source):
        if source[at].isspace() or _is_control(source[at]):
            at += 1
            continue
        weight = _WEIGHT.match(source, at) if term_start else None
        body = weight.end() if weight else at
        quote = source[body : body + 1]
        end = -1
        if quote == '"' or (quote == "'" and term_start):
            end = _closing(source, body)
        if end >= 0:
            text = source[body + 1 : end].replace('""', '"') if quote == '"' else source[body + 1 : end]
            yield _Piece(at, end + 1, text, True)
            at = end + 1
            term_start = False
        else:
            end = at
            while end < len(source) and not (source[end].isspace() or _is_control(source[end])):
                end += 1
            yield _Piece(at, end, source[at:end], False)
            term_start = source[at:end] in ("+", "-")
            at = end


def _closing(source: str, start: int) -> int:
    """Return the place of the quote that closes the one at ``start``, or -1 where that one is an apostrophe."""
    quote = source[start]
    at = source.find(quote, start + 1)
    while at >= 0:
        after = source[at + 1 : at + 2]
        if quote == '"' and after == '"':
            at = source.find(quote, at + 2)
        elif not after or after.isspace() or _is_control(after):
            return at
        elif quote == '"':
            raise _error('a blank must follow the closing quote (write "" for a quote inside quotes)', source, at + 1)
        else:  # an apostrophe inside single quotes: 'the dog's bone'
            at = source.find(quote, at + 1)
    if quote == "'" and source[start + 1 : start + 2].isdigit():
        return -1  # '90s
    raise _error(f"this quote is never closed; add a {quote} where the phrase ends", source, start)


def _term(source: str, sign: int, pieces: list[_Piece], files: bool) -> Term:
    first = pieces[0]
    match = _WEIGHT.match(source, first.start)
    weight = sign * (_weight(source, first.start, match[1]) if match else 1.0)
    body = match.end() if match else first.start
    if len(pieces) == 1 and not first.quoted and _BARE_WEIGHT.fullmatch(first.text):
        raise _error("a word or a picture must follow the weight, without a blank", source, first.end - 1)
    if not first.quoted:
        pieces = [first._replace(start=body, text=source[body : first.end]), *pieces[1:]]
    if len(pieces) == 1 and not first.quoted and (known := _CONTENT.fullmatch(pieces[0].text)):
        return Term(content=known[1].lower(), weight=weight)
    image = _picture(source, body, pieces) if files else None
    if image is not None:
        return Term(image=image, weight=weight)
    text = _clean(" ".join(piece.text for piece in pieces))
    if not text.strip():
        raise _error("this term has no text", source, body)
    return Term(text=text, weight=weight)


def _weight(source: str, at: int, digits: str) -> float:
    value = float(digits)
    if value < 0:
        raise _error(f"a weight is positive; put the minus before it, with blanks: - {digits[1:]}:...", source, at)
    if not MIN_WEIGHT <= value <= MAX_WEIGHT:  # also false for nan
        raise _error(f"a weight lies between {MIN_WEIGHT:g} and {MAX_WEIGHT:g}, and {digits} does not", source, at)
    return value


def _picture(source: str, body: int, pieces: list[_Piece]) -> Path | None:
    """Return the path of a term that is a picture; ``None`` for a text."""
    first = pieces[0]
    # Blanks of an unquoted path are those that were written, however many.
    whole = first.text if len(pieces) == 1 else source[body : pieces[-1].end]
    if not _EXPLICIT.match(first.text):
        if not any(piece.quoted for piece in pieces[1:]) and _is_picture_file(whole):
            return Path(whole)
        for piece in pieces[1:]:
            if _EXPLICIT.match(piece.text) and _is_file(piece.text):
                raise _error("a picture is a term of its own; put + or - before it", source, piece.start)
        return None
    if _is_file(whole):
        return Path(whole).expanduser()
    if len(pieces) > 1 and _is_file(first.text):
        raise _error("a picture is a term of its own; put + or - after it", source, pieces[1].start)
    what = "is a folder, not a picture" if _is_folder(whole) else "is no file; check the path"
    raise _error(f"{_clean(whole)[:_SHOWN]!r} {what}", source, body)


def _check_sense(source: str, terms: list[Term], starts: list[int]) -> None:
    """Raise where terms cancel out, or none of them says what to move towards."""
    totals: dict[str, tuple[float, float]] = {}
    places: dict[str, int] = {}
    for term, start in zip(terms, starts, strict=True):
        key = _identity(term)
        total, size = totals.get(key, (0.0, 0.0))
        totals[key] = total + term.weight, size + abs(term.weight)
        places[key] = start
    for key, (total, size) in totals.items():
        if math.isclose(total, 0.0, abs_tol=1e-9 * size):
            raise _error("this takes away all of what was asked for; remove both", source, places[key])
    if all(total < 0 for total, _ in totals.values()):
        message = "at least one positive term is needed: say what to look for, then what to leave out (dog - people)"
        raise _error(message, source, starts[0])


def _identity(term: Term) -> str:
    """Return a key that is equal for terms an encoder hardly tells apart: letter case and blanks do not count."""
    if term.text is not None:
        return f"text {' '.join(term.text.casefold().split())}"
    if term.content is not None:
        return f"content {term.content}"
    return f"image {os.path.abspath(str(term.image))}"  # resolving links would touch the disk


def _shield(word: str) -> str:
    """Return the item of a command line, quoted where it is an existing picture whose name would fall apart."""
    if re.search(r"""[\s"']""", word) and (_is_file(word) if _EXPLICIT.match(word) else _is_picture_file(word)):
        return '"' + word.replace('"', '""') + '"'
    return word


def _quoted(term: Term) -> str:
    if term.content is not None:
        return f"picture:{term.content}"
    if term.image is not None:
        path = str(term.image)
        text = path if _EXPLICIT.match(path) else f"./{path}"
    else:
        text = term.text or ""
        if _EXPLICIT.match(text) or _is_picture_file(text) or text != _clean(text) or not text.strip():
            raise ValueError(f"the query language cannot say the text {text!r}")
    words = text.split(" ")
    plain = all(words) and text.isprintable() and not any(word in ("+", "-") or word[0] in "\"'" for word in words)
    plain = plain and not (term.weight != 1 and text[0].isdigit())  # 2:30 is a text
    plain = plain and not _CONTENT.fullmatch(text)
    if plain and not _BARE_WEIGHT.match(text) and not any(_EXPLICIT.match(word) for word in words[1:]):
        return text
    return '"' + text.replace('"', '""') + '"'


def _shortest(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _clean(text: str) -> str:
    """Return the text with control characters as blanks and halves of characters (undecodable bytes) replaced."""
    if text.isprintable():
        return text
    return "".join(
        " " if _is_control(letter) else "\ufffd" if unicodedata.category(letter) == "Cs" else letter for letter in text
    )


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc"


def _error(message: str, source: str, position: int) -> QuerySyntaxError:
    """Return the error, with the part of a long query that is around the place."""
    shown, at = _clean(source), min(position, len(source))
    if len(shown) > at + _SHOWN:
        shown = shown[: at + _SHOWN] + "..."
    if at > _SHOWN:
        shown, at = "..." + shown[at - _SHOWN :], _SHOWN + 3
    return QuerySyntaxError(message, shown, at)


def _is_picture_file(text: str) -> bool:
    if not _is_file(text):
        return False
    from wordsight.images import SUFFIXES  # brings Pillow along, which most queries do not need

    return Path(text).suffix.lower() in SUFFIXES


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, no home
        return False


def _is_folder(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False
