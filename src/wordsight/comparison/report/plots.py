"""The plots of a report as inline SVG: drawn by matplotlib, coloured by the page, so that they suit light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from wordsight.comparison.results import Comparison, Curve, Point
from wordsight.comparison.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXTRA = "compare"
COLOURS = 6
"""So many colours the page defines: ``--c1`` and so on."""

_INK, _LINE = "#0000e0", "#0000e1"
_MARKERS = "os^Dvp"
_STYLES = ("-", "--", "-.", ":", "-", "--")
_RECALLS = 21
_APART = 1.7
_ASIDE = 0.12  # of the distance between two words on an axis
_MILLISECONDS = tuple(base * 10.0**power for power in range(-2, 5) for base in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: its ``name``, what it shows in words, ``alt``, and the ``svg`` element."""

    name: str
    alt: str
    svg: str


def can_draw() -> bool:
    """Return whether matplotlib is installed; without it a report has its tables only."""
    return find_spec("matplotlib") is not None


def draw(found: Comparison) -> dict[str, Plot]:
    """Return all plots by name: "precision", "cost", and one for every scenario; nothing without matplotlib."""
    if not can_draw():
        return {}
    names = [engine.name for engine in found.engines]
    names += [name for curve in found.curves for name in curve.lines]  # some are in scenarios only
    numbers = {name: place for place, name in enumerate(dict.fromkeys(names))}
    made = [_precision(found, numbers), *_cost(found, numbers)]
    made += [_curve(curve, numbers) for curve in found.curves]
    return {plot.name: plot for plot in made}


def _precision(found: Comparison, numbers: Mapping[str, int]) -> Plot:
    canvas = _Canvas(4.8, 3.4)
    recalls = [place / (_RECALLS - 1) for place in range(_RECALLS)]
    for engine in found.engines:
        canvas.line(recalls, engine.curve, engine.name, numbers[engine.name], markers=False)
    canvas.axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    half = _RECALLS // 2
    told = "; ".join(f"{engine.name} {percent(engine.curve[half])}" for engine in found.engines)
    return Plot("precision", f"Precision over recall. Precision at recall one half: {told}.", canvas.svg("precision"))


def _cost(found: Comparison, numbers: Mapping[str, int]) -> Iterator[Plot]:
    able = [engine for engine in found.engines if engine.cost is not None]
    if not able:
        return
    canvas = _Canvas(4.8, 3.4)
    told = []
    for engine in able:
        assert engine.cost is not None
        seconds, value = engine.cost.seconds_a_picture * 1000, engine.means[found.task.main]
        canvas.line([seconds], [value], engine.name, numbers[engine.name])
        canvas.axes.annotate(engine.name, (seconds, value), xytext=(7, 5), textcoords="offset points", color=_INK)
        told.append(f"{engine.name} {percent(value)} at {seconds:.1f} ms")
    canvas.axes.set(xlabel="milliseconds a picture, one core", ylabel=found.task.main, ylim=(0, 1.05), xscale="log")
    most = max(engine.cost.seconds_a_picture for engine in able if engine.cost) * 1000
    least = min(engine.cost.seconds_a_picture for engine in able if engine.cost) * 1000
    ticks = [tick for tick in _MILLISECONDS if least / 5 <= tick <= most * 5]
    canvas.axes.set_xlim(least / 3, most * 3)
    canvas.axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    canvas.axes.minorticks_off()
    yield Plot("cost", f"{found.task.main} against time: {'; '.join(told)}.", canvas.svg("cost", legend=False))


def _curve(curve: Curve, numbers: Mapping[str, int]) -> Plot:
    canvas = _Canvas(4.0, 2.9)
    told = []
    for place, (name, points) in enumerate(curve.lines.items()):
        aside = _ASIDE * (place - (len(curve.lines) - 1) / 2)
        _draw_line(canvas, curve, points, name, numbers[name], aside)
        first, last = points[0], points[-1]
        told.append(f"{name} from {percent(first.value)} at {first.at} to {percent(last.value)} at {last.at}")
    for name, value in curve.still.items():
        canvas.still(value, name, numbers[name])
        told.append(f"{name} stays at {percent(value)}")
    canvas.axes.set(xlabel=curve.axis, ylabel=curve.measure)
    canvas.axes.set_ylim(bottom=0, top=1)
    return Plot(curve.scenario, f"{curve.measure} over {curve.axis}: {'; '.join(told)}.", canvas.svg(curve.scenario))


def _draw_line(canvas: _Canvas, curve: Curve, points: Sequence[Point], name: str, number: int, aside: float) -> None:
    places = [point.at for point in points]
    words = any(isinstance(at, str) for at in places)
    x: list[Any] = list(range(len(places))) if words else list(places)
    drawn_at = [at + aside for at in x] if words else x  # equal values beside each other, not one upon the other
    low = [point.value - point.low for point in points]
    high = [point.high - point.value for point in points]
    canvas.line(drawn_at, [point.value for point in points], name, number, spread=(low, high), joined=not words)
    if curve.logarithmic:
        canvas.axes.set_xscale("log")
    names = [str(at) if words else f"{at:g}" for at in places]
    if curve.logarithmic:  # neighbours that are too close would be written over each other
        names = [
            name if later / at > _APART else "" for name, at, later in zip(names, x, [*x[1:], np.inf], strict=True)
        ]
    canvas.axes.set_xticks(x, names)
    canvas.axes.minorticks_off()
    if words:
        canvas.axes.margins(x=0.15)


class _Canvas:
    """One figure with one pair of axes, in colours that stand for the page's."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self._settings: Any = {
            "svg.fonttype": "none",
            "svg.hashsalt": "wordsight",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.edgecolor": _LINE,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": _LINE,
            "grid.linewidth": 0.5,
            "legend.frameon": False,
            **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
        }
        self._context = rc_context
        with rc_context(self._settings):
            self._figure = Figure(figsize=(width, height), layout="constrained")
            self._figure.patch.set_alpha(0)
            self.axes: Axes = self._figure.add_subplot()
            self.axes.patch.set_alpha(0)

    def line(
        self,
        x: Sequence[Any],
        y: Sequence[float],
        name: str,
        number: int,
        *,
        spread: tuple[list[float], list[float]] | None = None,
        markers: bool = True,
        joined: bool = True,
    ) -> None:
        """Draw one engine's points, with bars from the least to the most of the draws."""
        place = number % COLOURS
        self.axes.errorbar(
            x,
            y,
            yerr=spread,
            label=name,
            color=_colour(place),
            marker=_MARKERS[place] if markers else None,
            markersize=4.5,
            linestyle=_STYLES[place] if joined else "none",
            linewidth=1.6,
            capsize=2 if spread and any(map(any, spread)) else 0,
            clip_on=False,
        )

    def still(self, value: float, name: str, number: int) -> None:
        """Draw an engine that the scenario does not change."""
        place = number % COLOURS
        self.axes.axhline(value, label=f"{name} (unchanged)", color=_colour(place), linestyle=":", linewidth=1.4)

    def _legend(self) -> None:
        """Name the engines above the axes, where nothing is drawn."""
        handles, names = self.axes.get_legend_handles_labels()
        lines = [handle[0] if isinstance(handle, tuple) else handle for handle in handles]  # without their bars
        self._figure.legend(lines, names, loc="outside upper left", ncols=2, fontsize=8, handlelength=2.6)

    def svg(self, name: str, *, legend: bool = True) -> str:
        """Return the figure as an ``svg`` element whose colours and letters are the page's; ``name`` begins its ids."""
        stream = io.StringIO()
        with self._context(self._settings):
            if legend:
                self._legend()
            self._figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        text = stream.getvalue()
        text = text[text.index("<svg") :].replace(_INK, "var(--ink)").replace(_LINE, "var(--line)")
        for place in range(COLOURS):
            text = text.replace(_colour(place), f"var(--c{place + 1})")
        text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
        return _tidy(text, name)


def _tidy(svg: str, name: str) -> str:
    """Return the element without what the page does not need, its ids different from those of other plots."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->| ?font-family: [^;\"]*;?", "", svg, flags=re.S)
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    return re.sub(r"\s+", " ", svg).replace("> <", "><")


def _colour(place: int) -> str:
    """Return a colour that nothing else has, to be replaced by the page's."""
    return f"#0000f{place + 1}"
