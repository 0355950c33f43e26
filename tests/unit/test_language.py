"""The query language: what parses to what, what is refused and where, and that writing and reading agree."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from wordsight.errors import QuerySyntaxError
from wordsight.library.language import MAX_TERMS, format_query, parse
from wordsight.types import Query, Term


def spell(query: Query) -> list[tuple[float, str]]:
    return [(term.weight, term.text if term.text is not None else f"<{term.image}>") for term in query.terms]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with pictures whose names are hard."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("dog.jpg", "my  dog.JPG", "beach - 2020.png", 'say "hi".png', "sub/cat.webp", "notes.txt", "a\nb.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("two dogs  playing", [(1, "two dogs playing")]),
        (["dog", "+", "beach", "-", "people"], [(1, "dog"), (1, "beach"), (-1, "people")]),
        ("- people + dog", [(-1, "people"), (1, "dog")]),
        ("+ dog", [(1, "dog")]),
        ("t-shirt", [(1, "t-shirt")]),
        ("black-and-white C++ code", [(1, "black-and-white C++ code")]),
        ("dog -people", [(1, "dog -people")]),
        ("dog -- cat", [(1, "dog -- cat")]),
        ("2:cat", [(2, "cat")]),
        ("2:cat on a mat - .5:dog", [(2, "cat on a mat"), (-0.5, "dog")]),
        ('0.5:"red car" + 1e2:x', [(0.5, "red car"), (100, "x")]),
        ("2:'red + car'", [(2, "red + car")]),
        ("12:30 clock", [(1, "12:30 clock")]),
        ("16:9 photo + 4:3", [(1, "16:9 photo"), (1, "4:3")]),
        ("a clock at 2:pm", [(1, "a clock at 2:pm")]),
        ("2: cat", [(1, "2: cat")]),
        ('"2:cat"', [(1, "2:cat")]),
        ('"red + car" dog', [(1, "red + car dog")]),
        ('sign that says "a - b" here', [(1, "sign that says a - b here")]),
        ('"say ""hello"" now"', [(1, 'say "hello" now')]),
        ("'the dog's bone'", [(1, "the dog's bone")]),
        ("the dog's bone", [(1, "the dog's bone")]),
        ("the dogs' park + rock 'n' roll", [(1, "the dogs' park"), (1, "rock 'n' roll")]),
        ("'90s car + cars of the '90s", [(1, "'90s car"), (1, "cars of the '90s")]),
        ('a 12" record', [(1, 'a 12" record')]),
        ("colon: fine", [(1, "colon: fine")]),
        ("dog\tand\ncat\x00x\x1b[31m", [(1, "dog and cat x [31m")]),
        ('"a\nb"', [(1, "a b")]),
        ("caf\udce9", [(1, "caf\ufffd")]),
        ("собака + 犬 の 散歩", [(1, "собака"), (1, "犬 の 散歩")]),
        ("2:dog - dog", [(2, "dog"), (-1, "dog")]),
        ("c:/ is no longer + dog", None),
    ],
)
def test_what_is_written_is_what_is_meant(words: str | list[str], terms: list[tuple[float, str]] | None) -> None:
    if terms is None:
        with pytest.raises(QuerySyntaxError):
            parse(words)
    else:
        query = parse(words)
        assert spell(query) == terms
        assert query.source == (words if isinstance(words, str) else " ".join(words))


@pytest.mark.parametrize(
    ("words", "position", "says"),
    [
        ("", 0, "empty"),
        (" \t\x00", 0, "empty"),
        ([], 0, "empty"),
        ("dog + + cat", 6, "between two signs"),
        ("dog - + cat", 6, "between two signs"),
        ("dog -", 4, "must follow the sign"),
        ("+", 0, "must follow the sign"),
        ('dog + "red car', 6, "never closed"),
        ("'red car", 0, "never closed"),
        ('"red"car', 5, "blank must follow"),
        ('"red"+"car"', 5, "blank must follow"),
        ("0:cat", 0, "weight"),
        ("dog + nan:cat", 6, "weight"),
        ("inf:cat", 0, "weight"),
        ("1e999:cat", 0, "weight"),
        ("1e-99:cat", 0, "weight"),
        ("1e300:cat", 0, "weight"),
        ("dog + -2:cat", 6, "positive"),
        ("dog + 2:", 7, "follow the weight"),
        ("2: + dog", 1, "follow the weight"),
        ('dog + ""', 6, "no text"),
        ('dog + 2:" "', 8, "no text"),
        ("- people", 0, "at least one positive"),
        ("- people - dog", 0, "at least one positive"),
        ("dog - 2:dog", 0, "at least one positive"),
        ("dog - dog", 4, "takes away all"),
        ("cat + red dog - Red  DOG", 14, "takes away all"),
        ("0.1:a + 0.2:a - 0.3:a + b", 14, "takes away all"),
        ("dog - ./gone.jpg", 6, "no file"),
        ("/nowhere/to/be\x00found.jpg", 0, "no file"),
        ("./" + "x" * 5000, 0, "no file"),
        ("C:\\photos\\gone.jpg", 0, "no file"),
        ("2:~/gone-from-here.jpg", 2, "no file"),
        ("./", 0, "folder"),
    ],
)
def test_errors_show_the_place(words: str | list[str], position: int, says: str) -> None:
    with pytest.raises(QuerySyntaxError, match=says) as caught:
        parse(words)
    assert caught.value.position == position
    message, source, caret = str(caught.value).split("\n")
    assert caret.index("^") == 2 + position
    assert source.isprintable()
    assert message


def test_caret_stands_under_the_mistake() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("dog + + cat")
    assert str(caught.value).split("\n")[1:] == ["  dog + + cat", "        ^"]


def test_long_queries_are_read_and_their_errors_stay_short() -> None:
    assert len(parse("dog " * 100_000).terms) == 1
    with pytest.raises(QuerySyntaxError) as caught:
        parse("dog " * 100_000 + '+ "cat' + " dog" * 100_000)
    error = caught.value
    assert len(str(error)) < 1000
    assert error.source[error.position :].startswith('"cat')
    with pytest.raises(QuerySyntaxError, match=f"at most {MAX_TERMS}"):
        parse(" + ".join(f"dog {i}" for i in range(MAX_TERMS + 1)))


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("./dog.jpg", [(1, "<dog.jpg>")]),
        ("dog.jpg", [(1, "<dog.jpg>")]),
        ("dog.jpg running", [(1, "dog.jpg running")]),
        ("notes.txt", [(1, "notes.txt")]),
        ("./notes.txt", [(1, "<notes.txt>")]),
        ("gone.jpg", [(1, "gone.jpg")]),
        ("./my  dog.JPG - 2:sub/cat.webp + snow", [(1, "<my  dog.JPG>"), (-2, "<sub/cat.webp>"), (1, "snow")]),
        ("my  dog.JPG", [(1, "<my  dog.JPG>")]),
        ('0.5:"./beach - 2020.png" + snow', [(0.5, "<beach - 2020.png>"), (1, "snow")]),
        (["beach - 2020.png", "+", "snow"], [(1, "<beach - 2020.png>"), (1, "snow")]),
        (["./beach - 2020.png", "-", 'say "hi".png'], [(1, "<beach - 2020.png>"), (-1, '<say "hi".png>')]),
        (["./a\nb.png"], [(1, "<a\nb.png>")]),
        ("sub/../dog.jpg", [(1, "<sub/../dog.jpg>")]),
    ],
)
@pytest.mark.usefixtures("photos")
def test_pictures(words: str | list[str], terms: list[tuple[float, str]]) -> None:
    query = parse(words)
    assert spell(query) == terms
    assert parse(format_query(query)).terms == query.terms


@pytest.mark.parametrize(
    ("words", "position"), [("./dog.jpg in snow", 10), ('"./dog.jpg" in snow', 12), ("snow ./dog.jpg", 5)]
)
@pytest.mark.usefixtures("photos")
def test_a_picture_is_a_term_of_its_own(words: str, position: int) -> None:
    with pytest.raises(QuerySyntaxError, match="term of its own") as caught:
        parse(words)
    assert caught.value.position == position


def test_home_and_absolute_and_undecodable_paths(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos))
    assert parse("~/dog.jpg").terms == (Term(image=photos / "dog.jpg"),)
    assert parse(f"{photos}/dog.jpg").terms == (Term(image=photos / "dog.jpg"),)
    with pytest.raises(QuerySyntaxError, match="takes away all"):
        parse(f"{photos}/dog.jpg - ./dog.jpg + cat")
    odd = os.fsdecode(b"caf\xe9.jpg")
    (photos / odd).touch()
    assert parse([f"./{odd}"]).terms == (Term(image=Path(odd)),)


@pytest.mark.parametrize("text", ["/etc", "./x", "a\nb", "", "  ", "\udc80"])
def test_texts_the_language_cannot_say(text: str) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        format_query(Query.of(text))


NOISE = st.text(st.sampled_from(" +-:\"'.2e0/~ndogC\\\t\x00é犬\udc80"), max_size=40) | st.text(max_size=40)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUIET
@given(NOISE)
def test_any_text_parses_or_is_refused_and_reads_back(words: str) -> None:
    try:
        query = parse(words)
    except QuerySyntaxError as error:
        assert 0 <= error.position <= len(error.source)  # noqa: PT017  # most texts parse
        return
    assert any(term.weight > 0 for term in query.terms)
    for term in query.terms:
        assert term.image is not None or (term.text is not None and term.text.strip())
        (term.text or "").encode()  # no halves of characters reach a tokenizer
    assume(all(term.image is None for term in query.terms))  # "/" alone is a folder, but a file may be found by chance
    assert parse(format_query(query)).terms == query.terms


TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(str.strip)
WEIGHTS = st.floats(1e-6, 1e6) | st.just(1.0)


@QUIET
@given(st.lists(st.tuples(TEXTS, WEIGHTS, st.booleans()), min_size=1, max_size=6))
def test_writing_and_reading_agree(parts: list[tuple[str, float, bool]]) -> None:
    terms = tuple(Term(text=text, weight=-w if minus else w) for text, w, minus in parts)
    try:
        written = format_query(Query(terms))
    except ValueError:
        assume(False)
    try:
        read = parse(written)
    except QuerySyntaxError as error:
        assert "at least one positive" in str(error) or "takes away all" in str(error)  # noqa: PT017
        return
    assert read.terms == terms


@pytest.mark.usefixtures("photos")
def test_the_documented_examples_parse() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text("utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| `")][:5]
    examples = [code for row in rows for code in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(examples) == 6
    for example in examples:
        assert parse(format_query(parse(example))).terms == parse(example).terms
