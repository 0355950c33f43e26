"""The report as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType

from wordsight.comparison.report import style
from wordsight.comparison.report.plots import EXTRA, Plot
from wordsight.comparison.report.queries import apart, confused, extremes, gaps, single
from wordsight.comparison.report.table import Table
from wordsight.comparison.report.tables import costs, facts, original, quality, scenario, tests, trust
from wordsight.comparison.results import Comparison, Disagreement, EngineResult, QueryHits
from wordsight.datasets.task import TaskKind

_MOST_LABELS = 30  # a larger table of confusion cannot be read


def page(found: Comparison, drawn: Mapping[str, Plot], thumbnails: Mapping[str, str]) -> str:
    """Return the page. ``drawn``: plots by name; ``thumbnails``: picture -> data URI, for those that may be shown."""
    return "".join(_page(found, drawn, thumbnails))


def _page(found: Comparison, drawn: Mapping[str, Plot], thumbnails: Mapping[str, str]) -> Iterator[str]:
    title = _text(f"Old-fashioned or deep: {found.task.name}")
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="generator" content="wordsight">\n'
        f"<title>{title}</title>\n<style>{style.CSS}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    )
    yield '<nav aria-label="Sections"><ul>\n'
    for name, said in _sections(found):
        yield f'<li><a href="#{name}">{said}</a></li>\n'
    yield "</ul></nav>\n</header>\n<main>\n"
    yield from _summary(found)
    yield from _section("quality", "How well they find", _quality(found, drawn))
    yield from _section("cost", "What they cost", _with_plot(costs(found), drawn.get("cost")))
    yield from _section("original", "The original protocol beside the sound one", [_table(original(found))])
    if found.curves:
        yield from _section("scenarios", "Scenarios", _scenarios(found, drawn))
    yield from _section("confusion", "Which labels are confused", _confusions(found))
    yield from _section("queries", "Best and worst queries", _queries(found, thumbnails))
    for number, pair in enumerate(found.disagreements):
        title = _text(gaps(pair, found.task.each).title)
        yield from _section(f"disagree{number}", title, _disagreement(pair, found.task.each, thumbnails))
    yield from _section("again", "To make it again", _facts(found))
    yield "</main>\n<footer>Made with wordsight.</footer>\n</body>\n</html>\n"


def _sections(found: Comparison) -> Iterator[tuple[str, str]]:
    yield from (("quality", "Quality"), ("cost", "Cost"), ("original", "Original protocol"))
    if found.curves:
        yield "scenarios", "Scenarios"
    yield from (("confusion", "Confusion"), ("queries", "Queries"))
    for number, pair in enumerate(found.disagreements):
        yield f"disagree{number}", f"{_text(pair.first)} against {_text(pair.second)}"
    yield "again", "Make it again"


def _section(name: str, title: str, content: Iterator[str] | list[str]) -> Iterator[str]:
    yield f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{title}</h2>\n'
    yield from content
    yield "</section>\n"


def _summary(found: Comparison) -> Iterator[str]:
    yield '<section class="summary" aria-label="Summary">\n'
    if found.choice is not None:
        commands = "\n".join(found.choice.commands)
        yield f"<p><strong>{_text(found.choice.sentence)}</strong></p>\n<pre>{_text(commands)}</pre>\n"
    for number, sentence in enumerate(found.summary):
        first = number == 0 and found.choice is None
        yield f"<p><strong>{_text(sentence)}</strong></p>\n" if first else f"<p>{_text(sentence)}</p>\n"
    for note in found.notes:
        yield f'<p class="note">{_text(note)}</p>\n'
    if found.skipped:
        yield f"<details><summary>{len(found.skipped)} pictures were skipped</summary><ul>\n"
        yield from (f"<li>{_text(name)}: {_text(reason)}</li>\n" for name, reason in found.skipped.items())
        yield "</ul></details>\n"
    yield "</section>\n"


def _quality(found: Comparison, drawn: Mapping[str, Plot]) -> Iterator[str]:
    yield _table(quality(found))
    yield _figure(drawn.get("precision"), "Precision over recall, mean over the queries (interpolated)")
    yield f"<h3>{_text(tests(found).title)}</h3>\n"
    yield _table(tests(found))
    if trust(found).rows:
        yield f"<h3>{_text(trust(found).title)}</h3>\n"
        yield _table(trust(found))
    if not drawn:
        yield f'<p class="note">Plots were left out: they need <code>pip install "wordsight[{EXTRA}]"</code>.</p>\n'


def _with_plot(table: Table, plot: Plot | None) -> Iterator[str]:
    yield _table(table)
    yield _figure(plot, "Quality against time: up and left is better")


def _scenarios(found: Comparison, drawn: Mapping[str, Plot]) -> Iterator[str]:
    yield '<div class="grid">\n'
    for curve in found.curves:
        table = scenario(curve)
        yield f"<article><h3>{_text(table.title)}</h3>\n"
        yield _figure(drawn.get(curve.scenario), "")
        opened = "" if curve.scenario in drawn else " open"
        yield f"<details{opened}><summary>Figures</summary>\n{_table(table)}</details>\n"
        yield "</article>\n"
    yield "</div>\n"


def _confusions(found: Comparison) -> Iterator[str]:
    labels = found.task.labels
    yield _table(confused(found))
    if not labels:
        return
    if len(labels) > _MOST_LABELS:
        yield f'<p class="note">{len(labels)} labels are too many for a table; report.json has them all.</p>\n'
        return
    left_out = ""
    if found.task.kind == TaskKind.MULTI_LABEL.value:
        left_out = " Pictures whose best label is another one that they show as well are left out."
    yield f"<p>Of the pictures of each label (row), the percentage whose best label is each (column).{left_out}</p>\n"
    for number, engine in enumerate(found.engines):
        if engine.confusion is not None:
            opened = "" if number else " open"
            body = _confusion(engine, labels)
            yield f"<details{opened}><summary>{_text(engine.name)}</summary>\n{body}</details>\n"


def _confusion(engine: EngineResult, labels: tuple[str, ...]) -> str:
    head = "".join(f'<th scope="col"><span>{_text(label)}</span></th>' for label in labels)
    rows = []
    for label, row in zip(labels, engine.confusion or (), strict=True):
        cells = "".join(
            f'<td style="--v:{share:.2f}">{round(share * 100) if share >= 0.005 else ""}</td>' for share in row
        )
        rows.append(f'<tr><th scope="row">{_text(label)}</th>{cells}</tr>\n')
    body = f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody>"
    return f'<div class="wide"><table class="confusion">{body}</table></div>\n'


def _queries(found: Comparison, thumbnails: Mapping[str, str]) -> Iterator[str]:
    yield _table(extremes(found))
    for engine in single(found) if thumbnails else ():
        shown = [_hits(query, thumbnails) for query in (*engine.best, *engine.worst)]
        yield f"<h3>What {_text(engine.name)} found first</h3>\n<ul class=queries>\n{''.join(shown)}</ul>\n"


def _hits(query: QueryHits, thumbnails: Mapping[str, str]) -> str:
    shown = "".join(
        _picture(thumbnails[image], f"{'right' if is_right else 'wrong'}: {image}", is_right)
        for image, is_right in query.hits
        if image in thumbnails
    )
    return f'<li><b>{_text(query.query)}</b><div class="strip">{shown or "nothing"}</div></li>\n'


def _disagreement(pair: Disagreement, measure: str, thumbnails: Mapping[str, str]) -> Iterator[str]:
    pictures = {
        gap.image_id: _picture(thumbnails[gap.image_id], gap.image_id, gap.relevant)
        for gap in pair.pictures
        if gap.image_id in thumbnails
    }
    yield _table(gaps(pair, measure))
    yield f"<h3>{_text(apart(pair).title)}</h3>\n{_table(apart(pair), pictures)}"


def _facts(found: Comparison) -> Iterator[str]:
    yield "<dl>\n"
    for name, value in facts(found):
        yield f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>\n"
    yield "</dl>\n"


def _figure(plot: Plot | None, caption: str) -> str:
    if plot is None:
        return ""
    told = f"<figcaption>{_text(caption)}</figcaption>" if caption else ""
    return f'<figure><div role="img" aria-label="{_text(plot.alt)}">{plot.svg}</div>{told}</figure>\n'


def _picture(uri: str, alt: str, right: bool) -> str:
    kind = "right" if right else "wrong"
    return f'<img class="{kind}" src="{_text(uri)}" alt="{_text(alt)}" title="{_text(alt)}">'


def _table(table: Table, pictures: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the table; ``pictures``: first cell -> what is shown before it."""
    if not table.rows:
        return "<p>Not measured for this task.</p>\n"
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.header)
    rows = "".join(
        f'<tr><th scope="row">{pictures.get(first, "")}{_text(first)}</th>'
        f"{''.join(f'<td>{_text(cell)}</td>' for cell in rest)}</tr>\n"
        for first, *rest in table.rows
    )
    note = f'<p class="note">{_text(table.note)}</p>\n' if table.note else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n{note}'


def _text(text: str) -> str:
    return escape(text, quote=True)
