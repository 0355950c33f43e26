"""The contact sheet: answers as one HTML file that holds its thumbnails and needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from wordsight import images
from wordsight.cli import sheet_why
from wordsight.cli.data_uri import data_uri
from wordsight.cli.files import whole_file
from wordsight.cli.photo_bytes import PhotoBytes, from_file
from wordsight.cli.table import percent
from wordsight.cli.text import place, printable
from wordsight.errors import ImageError
from wordsight.library.hits import Answer, PhotoHit
from wordsight.why import Explained

THUMBNAIL_SIDE = 360
"""Longest side of a thumbnail, in pixels."""


def write_sheet(
    answers: Answer | Sequence[Answer],
    file: Path,
    *,
    title: str = "Photo search",
    side: int = THUMBNAIL_SIDE,
    why: Sequence[Mapping[Path, Explained]] = (),
    bytes_of: PhotoBytes = from_file,
) -> tuple[str, ...]:
    """Write the contact sheet, one section per answer, and return the reasons of the photos that could not be read.

    Such photos get a placeholder. ``why``: for each answer, what explains its hits, by path; they get heat maps and
    boxes, which a switch on the page shows and hides. ``bytes_of`` reads a hit's photo. The file appears complete or
    not at all, and thumbnails pass one by one, so memory does not grow with the hits. Raises ``BadInput`` where the
    file cannot be written.
    """
    several = [answers] if isinstance(answers, Answer) else answers
    unread: list[str] = []
    with whole_file(file, "the contact sheet") as stream:
        stream.writelines(_page(several, title, side, unread, why, bytes_of))
    return tuple(unread)


def _page(
    answers: Sequence[Answer],
    title: str,
    side: int,
    unread: list[str],
    why: Sequence[Mapping[Path, Explained]],
    bytes_of: PhotoBytes,
) -> Iterator[str]:
    name = _text(title)
    style = _STYLE + (sheet_why.STYLE if why else "")
    # The policy makes "needs no network" a promise that the browser keeps.
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="generator" content="wordsight">\n'
        f"<title>{name}</title>\n<style>{style}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n"
    )
    if len(answers) > 1:
        yield '<nav aria-label="Queries"><ul>\n'
        for number, answer in enumerate(answers, start=1):
            yield f'<li><a href="#q{number}">{_text(answer.query.source)}</a></li>\n'
        yield "</ul></nav>\n"
    if why:
        yield sheet_why.switch()
    yield "</header>\n<main>\n"
    for number, answer in enumerate(answers, start=1):
        yield from _section(answer, number, side, unread, why[number - 1] if why else {}, bytes_of)
    yield "</main>\n<footer>Made with wordsight. Scores compare photos of one query; match estimates compare anywhere."
    yield "</footer>\n</body>\n</html>\n"


def _section(
    answer: Answer,
    number: int,
    side: int,
    unread: list[str],
    why: Mapping[Path, Explained],
    bytes_of: PhotoBytes,
) -> Iterator[str]:
    nothing = answer.nothing_matches or not answer.hits
    yield f'<section id="q{number}" aria-labelledby="h{number}"{" class=nothing" if nothing else ""}>\n'
    yield f'<h2 id="h{number}">{_text(answer.query.source)}</h2>\n<p class="summary">{_summary(answer)}</p>\n'
    for notice in answer.notices:
        yield f'<p class="notice">{_text(notice)}</p>\n'
    if answer.hits:
        yield "<ol>\n"
        for hit in answer.hits:
            yield _card(hit, _picture(hit, side, unread, bytes_of), why.get(hit.path))
        yield "</ol>\n"
    yield "</section>\n"


def _summary(answer: Answer) -> str:
    searched = "1 photo" if answer.searched == 1 else f"{answer.searched:,} photos"
    if not answer.hits:
        return f"No hit among {searched}."
    if answer.nothing_matches:
        return f"<strong>Nothing here matches.</strong> These are the nearest of {searched}."
    shown = f"The {len(answer.hits):,} nearest of {searched}"
    if not answer.calibrated:
        return f"{shown}."
    likely = "1 likely match" if answer.likely == 1 else f"{answer.likely:,} likely matches"
    return f"{shown}; <strong>{likely}</strong> among them."


def _card(hit: PhotoHit, picture: str, why: Explained | None) -> str:
    name = _text(hit.path.name)
    link = _text(hit.path.absolute().as_uri())
    ratio = min(max(hit.width / max(hit.height, 1), 0.6), 2.4)
    about = [f"<time>{hit.captured_at:%Y-%m-%d}</time>"] if hit.captured_at else []
    about += [_text(hit.camera)] if hit.camera else []
    about += [f"{hit.width:,} × {hit.height:,}"] if not about else []  # noqa: RUF001  # the sign for dimensions
    layer = _mark(hit) if why is None else sheet_why.layer(why)
    where = "" if why is None else f'<span class="where hidden">{sheet_why.spoken(why)}</span>\n'
    return (
        f'<li style="--r:{ratio:.3f}"><figure>\n<a class="photo" href="{link}">{picture}{layer}'
        f'<span class="rank" aria-hidden="true">{hit.rank}</span></a>\n'
        f'<figcaption><a class="name" href="{link}" title="{_text(str(hit.path))}" tabindex="-1">{name}</a>\n'
        f'<span class="numbers">{_match(hit)}<span class="score">score {hit.score:.3f}</span></span>\n'
        f'<span class="about">{" · ".join(about)}</span>\n{where}</figcaption>\n</figure></li>\n'
    )


def _match(hit: PhotoHit) -> str:
    if hit.match is None:
        return ""
    grade = "high" if hit.match >= 0.5 else "middle" if hit.match >= 0.2 else "low"
    width = round(100 * min(max(hit.match, 0.0), 1.0))
    return (
        f'<span class="match {grade}"><span class="bar" aria-hidden="true"><i style="width:{width}%"></i></span>'
        f"{_text(percent(hit.match))}<span class=hidden> match estimate</span></span>"
    )


def _picture(hit: PhotoHit, side: int, unread: list[str], bytes_of: PhotoBytes) -> str:
    """Return the thumbnail, or a placeholder with the reason."""
    alt = _text(f"Result {hit.rank}: {hit.path.name}")
    try:
        image = images.read(bytes_of(hit), side=side).image
    except ImageError as error:
        said = error.reason.removeprefix(f"{str(hit.path)!r}: ")
        unread.append(f"{str(hit.path)!r}: {said}")
        reason = _text(said)
        return f'<span class="unread"><span class=hidden>{alt}. </span>Cannot be shown: {reason}</span>'
    image.thumbnail((side, side))
    # Decoding happens when the picture scrolls into view: sheets may hold thousands.
    size = f'width="{image.width}" height="{image.height}"'
    found = "" if hit.region is None else f", found in its {place(hit.region, hit.width, hit.height)}"
    return f'<img src="{data_uri(image)}" alt="{alt}{found}" {size} loading="lazy" decoding="async">'


def _mark(hit: PhotoHit) -> str:
    """Return the rectangle around the part that matched; it is cropped as the photo is."""
    if hit.region is None:
        return ""
    left, top, right, bottom = hit.region[:4]
    box = f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"'
    return (
        f'<svg class="region" viewBox="0 0 {hit.width} {hit.height}" preserveAspectRatio="xMidYMid slice" '
        f'aria-hidden="true"><rect {box}/><rect {box}/></svg>'
    )


def _text(text: str) -> str:
    return escape(printable(text))


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #fff; --ink: #1d1c1a; --soft: #6a6761; --line: #e3e0d9; --empty: #e9e6df;
  --link: #1f5fae; --high: #1b7d4b; --middle: #946200; --low: #736f69;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #151517; --card: #1f1f22; --ink: #ececea; --soft: #a3a19c; --line: #313135; --empty: #2a2a2e;
    --link: #8fbcf5; --high: #4cc488; --middle: #e3ad45; --low: #9a9792;
  }
}
* { box-sizing: border-box; margin: 0; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body {
  background: var(--page); color: var(--ink); padding: clamp(1rem, 3vw, 2.5rem);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
header, main, footer { max-width: 1500px; margin-inline: auto; }
h1 { font-size: 1.05rem; font-weight: 600; color: var(--soft); letter-spacing: .01em; }
h2 {
  font-size: clamp(1.5rem, 1.1rem + 1.6vw, 2.2rem); line-height: 1.15; letter-spacing: -.02em; overflow-wrap: anywhere;
}
nav ul { display: flex; flex-wrap: wrap; gap: .4rem; padding: .8rem 0 0; list-style: none; }
nav a {
  display: block; padding: .2rem .75rem; border: 1px solid var(--line); border-radius: 99px; background: var(--card);
}
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
section { margin-top: 2.2rem; }
.summary, .notice { margin-top: .35rem; color: var(--soft); }
.summary strong { color: var(--ink); font-weight: 600; }
.notice { padding-left: .7rem; border-left: 3px solid var(--middle); }
.nothing .summary strong { color: var(--middle); }
.nothing img { opacity: .6; filter: saturate(.6); }
ol { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 1.1rem; padding: 0; list-style: none; }
ol::after { content: ""; flex: 1000 0 0; }
li[style] {
  flex: var(--r) 1 calc(var(--r) * 205px); min-width: min(165px, 100%); max-width: calc(var(--r) * 330px + 60px);
}
figure {
  height: 100%; overflow: hidden; border-radius: 12px; background: var(--card);
  box-shadow: 0 0 0 1px var(--line), 0 1px 3px rgb(0 0 0 / .06);
}
.photo { position: relative; display: block; height: 215px; background: var(--empty); }
.photo:focus-visible { outline-offset: -3px; border-radius: 12px 12px 0 0; }
.photo img { display: block; width: 100%; height: 100%; object-fit: cover; }
.region { position: absolute; inset: 0; width: 100%; height: 100%; }
.region rect { fill: none; stroke: #000; stroke-opacity: .55; stroke-width: 4; vector-effect: non-scaling-stroke; }
.region rect + rect { stroke: #ffd54a; stroke-opacity: 1; stroke-width: 2; }
.photo:hover img { opacity: 1; filter: none; }
.unread {
  display: flex; align-items: center; justify-content: center; height: 100%; padding: 1rem 1.25rem; overflow: hidden;
  color: var(--soft); font-size: .85rem; text-align: center; overflow-wrap: anywhere;
}
.rank {
  position: absolute; top: 9px; left: 9px; min-width: 1.75em; padding: 0 .5em; border-radius: 99px; color: #fff;
  background: rgb(0 0 0 / .58); font-size: .8rem; font-weight: 600; line-height: 1.75em; text-align: center;
}
figcaption { display: grid; gap: .12rem; padding: .6rem .8rem .7rem; font-size: .82rem; color: var(--soft); }
figcaption > * { min-width: 0; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.name { color: var(--ink); font-size: .92rem; font-weight: 600; }
.numbers { display: flex; flex-wrap: wrap; gap: 0 .8rem; font-variant-numeric: tabular-nums; }
.match { display: inline-flex; align-items: center; gap: .45rem; font-weight: 600; color: var(--grade); }
.high { --grade: var(--high); } .middle { --grade: var(--middle); } .low { --grade: var(--low); }
.bar { width: 52px; height: 5px; border-radius: 9px; overflow: hidden; background: var(--empty); }
.bar i { display: block; height: 100%; border-radius: 9px; background: var(--grade); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin-top: 2.5rem; font-size: .8rem; color: var(--soft); }
@media (max-width: 480px) {
  .photo { height: auto; aspect-ratio: var(--r); }
  li[style] { flex-basis: 100%; max-width: none; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { body { padding: 0; background: none; } nav, footer { display: none; } li { break-inside: avoid; } }
"""
