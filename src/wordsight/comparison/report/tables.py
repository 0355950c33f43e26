"""The tables of a report, as rows of text that Markdown, HTML and LaTeX all draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wordsight.comparison.advice import SIGNIFICANT
from wordsight.comparison.cost import Cost
from wordsight.comparison.report.queries import apart, confused, extremes, gaps
from wordsight.comparison.report.table import Table
from wordsight.comparison.results import Comparison, Curve, EngineResult, Point
from wordsight.comparison.wording import chance, percent
from wordsight.evaluation.statistics import Interval

UNKNOWN = "not known"


def tables(found: Comparison) -> list[Table]:
    """Return all tables of the report that have rows."""
    made = [quality(found), tests(found), trust(found), original(found), costs(found), *map(scenario, found.curves)]
    made += [confused(found), extremes(found)]
    made += [table for pair in found.disagreements for table in (gaps(pair, found.task.each), apart(pair))]
    return [table for table in made if table.rows]


def quality(found: Comparison) -> Table:
    """Return the measures of every engine."""
    measures = list(dict.fromkeys(name for engine in found.engines for name in engine.means))
    rows = tuple(
        (engine.name, *(_with_interval(engine, name) for name in measures), _f1(engine)) for engine in found.engines
    )
    note = (
        f"Whole gallery, all queries. In brackets the 95 % bootstrap interval (BCa): of {found.task.main} over the "
        "queries, of the accuracy over the pictures. best F1: the threshold on the score that does best, chosen on "
        "these pictures, so it is an upper bound."
    )
    header = ("engine", *measures, "best F1")
    return Table("quality", "How well they find", header, rows, note)


def tests(found: Comparison) -> Table:
    """Return every paired test."""
    rows = tuple(
        (
            f"{test.first} - {test.second}",
            test.measure,
            f"{test.count:,} {test.over}",
            f"{test.difference * 100:+.1f} [{test.low * 100:+.1f}, {test.high * 100:+.1f}]",
            chance(test.p),
            chance(test.p_holm) + (" *" if test.p_holm < SIGNIFICANT else ""),
            f"{test.effect:+.2f}",
        )
        for test in found.tests
    )
    note = (
        "Differences in points with 95 % intervals; paired randomisation tests, 10,000 resamples; Holm's correction "
        "over all tests of this table, * below 0.05. Effect: matched-pairs rank-biserial correlation, +1 where the "
        "first engine wins wherever they differ."
    )
    header = ("engines", "measure", "over", "difference", "p", "p, corrected", "effect")
    return Table("tests", "Are the differences more than chance?", header, rows, note)


def trust(found: Comparison) -> Table:
    """Return what the match estimates of the first hits promise, and what holds."""
    able = [(engine.name, engine.estimates) for engine in found.engines if engine.estimates is not None]
    rows = tuple(
        (name, f"{each.low:.1f} to {each.high:.1f}", f"{each.count:,}", percent(each.estimate), percent(each.right))
        for name, known in able
        for each in known.shown.bins
        if each.estimate is not None and each.right is not None
    )
    errors = "; ".join(
        f"{name} {percent(known.shown.error)} over these {known.shown.count:,} hits, {percent(known.pairs.error)} over "
        f"all {known.pairs.count:,} pairs of query and picture, most of which are easy"
        for name, known in able
    )
    note = (
        "The match estimate that a search shows, for the first ten hits of each query: what it promises and the share "
        f"that is right. Expected calibration error (the mean gap, lower is better): {errors}."
    )
    header = ("engine", "estimate", "hits", "promised, mean", "right")
    return Table("trust", "How far can the match estimate be trusted?", header, rows, note)


def original(found: Comparison) -> Table:
    """Return the original protocol beside the sound one."""
    rows = tuple(
        (
            engine.name,
            percent(engine.means[found.task.main]),
            *(_interval(engine.original[name]) for name in ("precision", "recall", "F1")),
            _interval(engine.original_threshold["F1"]),
        )
        for engine in found.engines
        if engine.original is not None and engine.original_threshold is not None
    )
    note = (
        "The original protocol draws 300 galleries of 100 pictures, asks for one label that is present in each, says "
        'which pictures show it, and averages precision, recall and F1 over the two classes "shows it" and "does '
        'not". By label: every picture shows the label that scores it best. By threshold: a picture shows what scores '
        "as much as the threshold with the best F1 or more, an upper bound. Most pictures of a gallery do not show the "
        "label, so an engine that finds nothing has a recall of 0.5 already; small galleries hide what gets lost among "
        f"many pictures; one cut-off hides the order. {found.task.main} over the whole gallery and all labels has none "
        "of these faults. Compare engines within a column, never the columns with each other."
    )
    header = ("engine", f"sound: {found.task.main}", "by label: precision", "recall", "F1", "by threshold: F1")
    return Table("original", "The original protocol beside the sound one", header, rows, note)


def costs(found: Comparison) -> Table:
    """Return what every engine costs."""
    engines = [engine for engine in found.engines if engine.cost is not None]
    fits = ("fitting", *(_fitting(engine) for engine in engines))
    rest = ((title, *(show(engine.cost) for engine in engines if engine.cost)) for title, show in _COSTS.items())
    note = (
        "Measured in this run, each engine in a process of its own on one core, decoded pictures to vectors (median of "
        "three passes); a query is from the text to the order of 10,000 pictures. Fitting uses all cores and reads no "
        "files; its memory is that of the whole comparison by then. "
        "Not known: multiply-adds of what is no network. Not reported: this machine does not tell the energy used."
    )
    return Table(
        "cost", "What they cost", ("", *(engine.name for engine in engines)), (fits, *rest) if engines else (), note
    )


def scenario(curve: Curve) -> Table:
    """Return the points of one scenario."""
    lines, still = list(curve.lines.values()), [percent(value) for value in curve.still.values()]
    drawn = max(point.draws for points in lines for point in points)
    rows = [
        (_place(row[0]), *(_spread(point.value, point.low, point.high, point.draws) for point in row), *still)
        for row in zip(*lines, strict=True)
    ]
    held = ", ".join(f"{field} {value}" for field, value in curve.fixed.items())
    note = f"{curve.measure}." + (f" Held: {held}." if held else "")
    note += f" Means of {drawn} draws, in brackets the least and the most." if drawn > 1 else ""
    note += f" {' and '.join(curve.still)}: the same everywhere." if still else ""
    header = (curve.axis, *curve.lines, *curve.still)
    return Table(curve.scenario, curve.question, header, tuple(rows), note)


def _place(point: Point) -> str:
    return f"{point.at:,}" if isinstance(point.at, int) else str(point.at)


def _with_interval(engine: EngineResult, name: str) -> str:
    if name not in engine.means:
        return "-"
    return _interval(engine.intervals[name]) if name in engine.intervals else percent(engine.means[name])


def _interval(interval: Interval) -> str:
    return f"{percent(interval.mean)} [{interval.low * 100:.1f}, {interval.high * 100:.1f}]"


def _f1(engine: EngineResult) -> str:
    return "-" if engine.cut is None else percent(engine.cut.f1)


def _spread(value: float, low: float, high: float, draws: int) -> str:
    return percent(value) if draws == 1 else f"{percent(value)} [{low * 100:.1f}, {high * 100:.1f}]"


def _fitting(engine: EngineResult) -> str:
    seconds = None if engine.cost is None else engine.cost.fit_seconds
    if seconds is None:
        return "none" if engine.kind == "learned" else "done before"
    return _seconds(seconds)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.2f} ms"


def _megabytes(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value / 1e6:,.1f} MB"


def _millions(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value / 1e6:,.1f} million"


def _joules(value: float | None) -> str:
    return "not reported" if value is None else f"{value:.3f} J"


_COSTS: dict[str, Callable[[Cost], str]] = {
    "loading, to the first answer": lambda cost: _seconds(cost.load_seconds),
    "encoding a picture": lambda cost: _seconds(cost.seconds_a_picture),
    "processor time of a picture": lambda cost: _seconds(cost.cpu_seconds_a_picture),
    "answering a query": lambda cost: _seconds(cost.seconds_a_query),
    "most memory, encoding and answering": lambda cost: _megabytes(cost.peak_memory),
    "most memory, fitting": lambda cost: "-" if cost.fit_seconds is None else _megabytes(cost.fit_memory),
    "model on disk": lambda cost: _megabytes(cost.model_bytes),
    "index, bytes a picture": lambda cost: f"{cost.index_bytes:,}",
    "learned numbers": lambda cost: _millions(cost.parameters),
    "multiply-adds of a picture": lambda cost: _millions(cost.multiply_adds),
    "multiply-adds of a query": lambda cost: _millions(cost.text_multiply_adds),
    "energy of a picture": lambda cost: _joules(cost.joules_a_picture),
    "runs in": lambda cost: cost.runtime or "-",
}


def facts(found: Comparison) -> Iterator[tuple[str, str]]:
    """Yield what is needed to make the comparison again, name and value."""
    task, made = found.task, found.provenance
    labels = f", {len(task.labels)} labels" if task.labels else ""
    yield "task", f"{task.name} ({task.split}), {task.images:,} pictures{labels}"
    yield "exemplars", "none" if task.exemplars is None else f"{task.exemplars:,}, none of them in the gallery"
    yield "command", made.command
    yield "seed, scenarios", f"{made.seed}, {made.scenarios}"
    yield "digest of the pictures and labels", made.material
    for engine in found.engines:
        if engine.fingerprint:
            yield f"fingerprint of {engine.name}", engine.fingerprint
    machine = made.machine
    load, features = machine.get("load_before"), machine.get("features")
    able = f" with {', '.join(features)}" if isinstance(features, list) and features else ""
    yield (
        "machine",
        f"{machine.get('processor')}{able}, {machine.get('cores')} cores, {machine.get('memory_gb')} GB, "
        f"{machine.get('system')}; load before {load[0] if isinstance(load, list) and load else UNKNOWN}",
    )
    yield "versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())
    yield "made", f"{made.date}, in {made.seconds:,.0f} s"
