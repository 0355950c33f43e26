"""The summary in plain words: every sentence follows from the numbers by a rule that stands here."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from wordsight.comparison.results import Comparison, Curve, Difference, EngineResult
from wordsight.comparison.wording import chance, percent

SIGNIFICANT = 0.05
_CLEARLY = 1.5  # a cost is told as a difference from this ratio on
_NOTICED = 0.05


def summarised(found: Comparison) -> tuple[str, ...]:
    """Return the sentences of the summary, the most important first."""
    parts = (_advice(found), _quality(found), _exemplars(found), _cost(found), _fusion(found), _robustness(found))
    return tuple(sentence for part in (*parts, _unseen(found), _estimates(found)) for sentence in part)


def best_of(found: Comparison, kind: str) -> EngineResult | None:
    """Return the engine of a kind with the best main measure."""
    able = [engine for engine in found.engines if engine.kind == kind]
    return max(able, key=lambda engine: engine.means[found.task.main], default=None)


def test_of(found: Comparison, first: str, second: str) -> Difference | None:
    """Return the test of the main measure between two engines, whichever was named first."""
    for test in found.tests:
        if test.measure == found.task.main and {test.first, test.second} == {first, second}:
            return test
    return None


def crossing(curve: Curve, learned: float, engine: str) -> int | None:
    """Return the fewest exemplars from which on the engine stays at or above ``learned``; ``None``: it does not."""
    reached = None
    for point in reversed(curve.lines[engine]):
        if point.value < learned:
            break
        reached = int(point.at)
    return reached


def curve_of(found: Comparison, scenario: str) -> Curve | None:
    """Return the curve of a scenario, where it was made."""
    return next((curve for curve in found.curves if curve.scenario == scenario), None)


def _advice(found: Comparison) -> Iterator[str]:
    """Say which engine to use when."""
    learned, classical = best_of(found, "learned"), best_of(found, "classical")
    if learned is None or classical is None:
        return
    test = test_of(found, learned.name, classical.name)
    labels = f"{len(found.task.labels)} labels of this kind"
    curve = curve_of(found, "exemplars")
    fitted, line = next(iter(curve.lines.items()), ("", ())) if curve is not None else ("", ())
    most = f" and up to {int(line[-1].at)} exemplars of each" if line else ""
    start = crossing(curve, learned.means[found.task.main], fitted) if curve is not None and line else None
    if test is None or test.p_holm >= SIGNIFICANT:
        few = start or (int(line[-1].at) if line else 1)
        under = f"under {few} exemplars of each use {learned.name}; from {few} on " if few > 1 else ""
        yield (
            f"For {labels}, {under}{learned.name} and {classical.name} cannot be told apart by {found.task.main}: "
            f"{learned.name} reads any word and needs no exemplars, else take the one that costs less."
        )
        return
    if learned.means[found.task.main] > classical.means[found.task.main]:
        yield f"For {labels}{most}, use {learned.name}; it needs no exemplars and reads any word."
        return
    under = f"under {start} exemplars of each use {learned.name}, from {start} on " if start else ""
    others = f"for words that are no label only {learned.name} answers"
    yield f"For {labels}, {under}use {classical.name}; {others}."


def _quality(found: Comparison) -> Iterator[str]:
    """Say how good the best engine of each family is, and whether the difference is more than chance."""
    main = found.task.main
    learned, classical = best_of(found, "learned"), best_of(found, "classical")
    for engine in (learned, classical):
        if engine is not None:
            interval = engine.intervals[main]
            yield (
                f"{engine.name} reaches {main} {percent(interval.mean)} "
                f"(95 % interval over the queries {percent(interval.low)} to {percent(interval.high)})."
            )
    if learned is None or classical is None:
        return
    for test in found.tests:
        if {test.first, test.second} != {learned.name, classical.name}:
            continue
        better, worse = (test.first, test.second) if test.difference >= 0 else (test.second, test.first)
        size = f"{abs(test.difference) * 100:.1f} points of {test.measure}"
        if test.p_holm < SIGNIFICANT:
            yield (
                f"{better} is better than {worse} by {size} over {test.count:,} {test.over} "
                f"({chance(test.p_holm)} after correction, effect {abs(test.effect):.2f})."
            )
        else:
            yield (
                f"Between {better} and {worse} there are {size} over {test.count:,} {test.over}: no more than "
                f"chance may explain ({chance(test.p_holm)} after correction)."
            )


def _exemplars(found: Comparison) -> Iterator[str]:
    """Say how many exemplars the classical engine needs to reach the learned one."""
    curve, learned = curve_of(found, "exemplars"), best_of(found, "learned")
    if curve is None or learned is None:
        return
    aim = learned.means[curve.measure]
    for engine, points in curve.lines.items():
        start = crossing(curve, aim, engine)
        if start is not None:
            yield f"{engine} reaches {learned.name} with {start} or more exemplars of each label."
        else:
            few, many = points[0], points[-1]
            yield (
                f"{engine} does not reach {learned.name} ({curve.measure} {percent(aim)}) with up to {many.at} "
                f"exemplars of a label: {percent(few.value)} with {few.at}, {percent(many.value)} with {many.at}."
            )


def _cost(found: Comparison) -> Iterator[str]:
    """Say which family is faster and smaller, and what fitting takes."""
    learned, classical = best_of(found, "learned"), best_of(found, "classical")
    if learned is None or classical is None or learned.cost is None or classical.cost is None:
        return
    times = {engine.name: engine.cost.seconds_a_picture for engine in (learned, classical) if engine.cost}
    fast, slow = sorted(times, key=lambda name: times[name])
    ratio = times[slow] / times[fast]
    each = f"{times[fast] * 1000:.1f} ms against {times[slow] * 1000:.1f} ms a picture on one core"
    if ratio >= _CLEARLY:
        yield f"{fast} encodes {ratio:.1f} times as fast as {slow}: {each}."
    else:
        yield f"{fast} and {slow} encode about as fast: {each}."
    if classical.cost.fit_seconds is not None:
        yield f"Fitting {classical.name} took {classical.cost.fit_seconds:.0f} s; {learned.name} needs none."


def _fusion(found: Comparison) -> Iterator[str]:
    """Say which engines the better fusion beats, each tested by itself, and which it falls behind."""
    main = found.task.main
    fusion = best_of(found, "fusion")
    single = [engine for engine in found.engines if engine.kind != "fusion"]
    if fusion is None or len(single) < 2:
        return
    beaten: list[str] = []
    better: list[str] = []
    unclear: list[str] = []
    for engine in sorted(single, key=lambda engine: engine.means[main]):
        test = test_of(found, fusion.name, engine.name)
        said = f"{engine.name} ({percent(engine.means[main])}"
        if test is None or test.p_holm >= SIGNIFICANT:
            unclear.append(f"{said})")
        else:
            behind = fusion.means[main] < engine.means[main]
            (better if behind else beaten).append(f"{said}, {chance(test.p_holm)} after correction)")
    reached = f"{fusion.name} reaches {main} {percent(fusion.means[main])}"
    if not better and not unclear:
        yield f"Fusing beats each engine alone: {reached}, more than {' and '.join(beaten)}; search with --fuse."
        return
    parts = (("more than", beaten), ("not told apart from", unclear), ("less than", better))
    told = ", ".join(f"{how} {' and '.join(names)}" for how, names in parts if names)
    yield f"{'Fusing does harm here' if better else 'Fusing does not beat each engine alone'}: {reached}, {told}."


def _estimates(found: Comparison) -> Iterator[str]:
    """Say how far the match estimates of the first hits are from the truth."""
    for engine in found.engines:
        if engine.estimates is None:
            continue
        shown = engine.estimates.shown
        promised = sum(each.count * (each.estimate or 0) for each in shown.bins) / shown.count
        right = sum(each.count * (each.right or 0) for each in shown.bins) / shown.count
        bias = "too cautious" if right > promised else "too sure"
        off = f", {bias} here" if abs(right - promised) >= _NOTICED else ""
        yield (
            f"The match estimates of {engine.name} err by {shown.error * 100:.0f} points on the first ten hits of a "
            f"query: they promise {percent(promised)}, and {percent(right)} are right{off}."
        )


def _robustness(found: Comparison) -> Iterator[str]:
    """Say what share of its quality each engine keeps on spoiled pictures, and which scene hurts it most."""
    curves = [curve for curve in found.curves if curve.scenario.startswith("robustness-")]
    if not curves:
        return
    for engine in curves[0].lines:
        kept = {}
        for curve in curves:
            clean, *spoiled = curve.lines[engine]
            if clean.value > 0 and spoiled:
                kept[curve.scenario.removeprefix("robustness-")] = fmean(p.value for p in spoiled) / clean.value
        if kept:
            worst = min(kept, key=lambda scene: kept[scene])
            yield (
                f"On spoiled pictures {engine} keeps {percent(fmean(kept.values()))} of its {curves[0].measure} on "
                f"average; {worst} hurts it most ({percent(kept[worst])} kept)."
            )


def _unseen(found: Comparison) -> Iterator[str]:
    """Say what the engines make of labels that the classical one was not fitted on."""
    curve, learned = curve_of(found, "unseen"), best_of(found, "learned")
    if curve is None or learned is None or learned.name not in curve.lines:
        return
    mine = fmean(point.value for point in curve.lines[learned.name])
    closed = [name for name in curve.lines if name != learned.name and all(p.value == 0 for p in curve.lines[name])]
    if closed:
        yield (
            f"Asked for labels that it was not fitted on, {' and '.join(closed)} abstains; {learned.name} finds them "
            f"with {curve.measure} {percent(mine)}."
        )
