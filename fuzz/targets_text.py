"""Targets that are texts: queries, filters, measures, rules, cursors, TREC files."""

from __future__ import annotations

from fuzz.target import Target, at
from wordsight.errors import WordsightError
from wordsight.evaluation import measures, rules, trec
from wordsight.library import Filters
from wordsight.library.language import format_query, parse
from wordsight.web import cursors


def _query(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    query = parse(text, files=False)
    for words in (text.split("\n"), text):
        try:
            parse(words)
        except WordsightError:
            continue
    assert query.terms
    try:
        again = format_query(query)
    except ValueError:
        return  # a text that the language cannot say
    assert parse(again, files=False).terms == query.terms, again


def _filters(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    since, until, size, camera, kind, folder = (*text.split("\n"), *[""] * 6)[:6]
    for given in (
        {"since": since or None, "until": until or None},
        {"min_size": size or None},
        {"max_size": size or None, "camera": camera},
        {"types": (kind,), "under": (folder or "x",)},
    ):
        try:
            filters = Filters.read(**given)  # type: ignore[arg-type]
        except WordsightError:
            continue
        condition, values = filters.where()
        assert condition.count("?") == len(values)
        filters.describe()


def _measures(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for read in (measures.parse, rules.parse_rule):
        try:
            read(text)
        except WordsightError:
            continue


def _cursors(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for kind in ("search", "browse", "offset"):
        try:
            place = cursors.read(kind, text)
        except WordsightError:
            continue
        assert place is not None
        assert cursors.read(kind, cursors.write(kind, place)) == place


def _trec(data: bytes) -> None:
    file = at("trec.txt", data)
    for read, write in ((trec.read_run, trec.write_run), (trec.read_qrels, trec.write_qrels)):
        try:
            found = read(file)  # type: ignore[operator]
        except WordsightError:
            continue
        copy = file.with_name("again.txt")
        write(found, copy)  # type: ignore[operator]
        assert read(copy) == found  # type: ignore[operator]


TARGETS = (
    Target(
        "query",
        "the query language",
        _query,
        lambda: [b"dog + beach - people", b'2:cat - "a ""b"" c"', b"picture:deadbeef + .5:'it''s' x", b"- a"],
        ("wordsight.library.language",),
        512,
    ),
    Target(
        "filters",
        "dates, sizes, types and folders of filters",
        _filters,
        lambda: [
            b"2021-03-04\n30d\n1.5MiB\npixel\njpg,heic\n~/x",
            b"2021\n2022-12-31 23:59:59\n3\n\n.dng\n/",
            b"today",
        ],
        ("wordsight.library.filters",),
        256,
    ),
    Target(
        "measures",
        "names of measures and decision rules",
        _measures,
        lambda: [b"nDCG@10", b"P(rel=2)@5", b"top:5", b"at-least:0.3", b"assigned", b"mAP", b"Success@1"],
        ("wordsight.evaluation.measures", "wordsight.evaluation.rules"),
        64,
    ),
    Target(
        "cursors",
        "cursors of the service",
        _cursors,
        lambda: [
            cursors.write("search", (3, 0.25, "/x/y.jpg")).encode(),
            cursors.write("browse", (7, "2021", "/x", "y")).encode(),
            cursors.write("offset", (40,)).encode(),
        ],
        ("wordsight.web.cursors",),
        512,
    ),
    Target(
        "trec",
        "TREC runs and judgements",
        _trec,
        lambda: [b"q1 Q0 d1 1 0.5 tag\nq1 Q0 d2 2 -1e9 tag\n", b"q1 0 d1 1\nq1 0 d2 -1\nq2 0 d1 3\n"],
        ("wordsight.evaluation.trec", "wordsight.types"),
        1_024,
    ),
)
