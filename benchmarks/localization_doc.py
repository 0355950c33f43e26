"""Write the tables of docs/localization.md, and two columns of docs/explain.md, from results/localization.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.report import ROOT

PAGE = ROOT / "docs" / "localization.md"
METHODS_PAGE = ROOT / "docs" / "explain.md"
_BASELINES = {"centre": "center", "whole image": "whole_image", "chance": "chance"}
_SHORT = ("pointing", "pointing_off_center", "energy", "loc@0.5", "max_box_accuracy")


def write_tables(results: Mapping[str, Any]) -> None:
    """Replace what stands between the markers of the page."""
    lines: list[str] = []
    for name, table in TABLES.items():
        if name in results:
            lines += [*table(results[name]), ""]
    body = "\n".join(["<!-- begin tables -->", "", *lines, "<!-- end tables -->"])
    text, found = re.subn(
        "<!-- begin tables -->.*<!-- end tables -->", lambda _: body, PAGE.read_text("utf-8"), flags=re.S
    )
    assert found == 1, f"{PAGE} has no place for the tables"
    PAGE.write_text(text, "utf-8")
    fill_methods(results)


def fill_methods(results: Mapping[str, Any]) -> None:
    """Write the last two cells of each row of the table of methods: pointing game, and times the embedding."""
    few, many = (results.get(name, {}).get("found", {}) for name in ("masked", "methods"))
    pointing = {name: f"*{_percent(found['measures']['pointing'])}*" for name, found in few.items()}
    pointing |= {name: _percent(found["measures"]["pointing"]) for name, found in many.items()}
    times: dict[str, str] = {}
    if many:
        pointing["projected"] = pointing["projected, one view"]
        pointing["*centre point*"] = _percent(many["projected"]["measures"]["pointing_center_baseline"])
    if "methods" in results.get("cost", {}):
        cost = results["cost"]["methods"] | {"projected": results["cost"]["one picture"]["plain"]}
        times = {name: _multiple(value) for name, value in cost.items()}

    def filled(row: str) -> str:
        cells = row.split("|")
        name = cells[1].strip(" `") if len(cells) > 1 else ""
        for place, known in ((-3, pointing), (-2, times)):
            if name in known:
                cells[place] = f" {known[name]} "
        return "|".join(cells)

    start, end = "<!-- begin methods", "<!-- end methods -->"
    before, table, after = re.split(f"(?s)({start}.*{end})", METHODS_PAGE.read_text("utf-8"))
    METHODS_PAGE.write_text(before + "\n".join(map(filled, table.split("\n"))) + after, "utf-8")


def _multiple(times: float) -> str:
    return f"{times:.1f}" if times < 10 else f"{times:.0f}"


def _best(part: Mapping[str, Any]) -> list[str]:
    ways = {"as made": part["as made"], "one view": part["plain"]}
    first = part["as made"]
    rows = [
        f"## Figures\n\n{_made(part)} {first['n_images']:,} pictures, {first['n_cases']:,} cases; boxes on "
        f"{first['n_alone']} pictures with one "
        "thing. Percent.",
        "",
        "| measure | " + " | ".join([*ways, *_BASELINES]) + " |",
        "|---" * (1 + len(ways) + 3) + "|",
    ]
    names = [name for name in first["measures"] if not name.endswith("_baseline")]
    for name in names:
        shown = [way["measures"][name] for way in ways.values()]
        shown += [first["measures"][f"{name}_{of}_baseline"] for of in _BASELINES.values()]
        rows.append(f"| `{name}` | " + " | ".join(_percent(value) for value in shown) + " |")
    return rows


def _methods(part: Mapping[str, Any]) -> list[str]:
    first = next(iter(part["found"].values()))
    return [
        f"{_made(part)} {first['n_images']} pictures, one view each but for the first. Percent; few pictures, and "
        "thresholds of boxes are fitted for the first only: compare `max_box_accuracy`.",
        "",
        *_method_rows(part),
    ]


def _masked(part: Mapping[str, Any]) -> list[str]:
    first = next(iter(part["found"].values()))
    return [
        f"{_made(part)} {first['n_images']} pictures with {first['n_cases']} cases, one view each, for methods that "
        "ask the encoder for every mask: so few say little about which is better.",
        "",
        *_method_rows(part),
    ]


def _method_rows(part: Mapping[str, Any]) -> list[str]:
    first = next(iter(part["found"].values()))
    rows = [
        "| method | " + " | ".join(f"`{name}`" for name in _SHORT) + " |",
        "|---" * (1 + len(_SHORT)) + "|",
    ]
    for name, found in part["found"].items():
        values = " | ".join(_percent(found["measures"][each]) for each in _SHORT)
        rows.append(f"| {name} | {values} |")
    for label, of in _BASELINES.items():
        values = " | ".join(_percent(first["measures"][f"{each}_{of}_baseline"]) for each in _SHORT)
        rows.append(f"| *{label}* | {values} |")
    return rows


def _faithfulness(part: Mapping[str, Any]) -> list[str]:
    rows = [
        f"{_made(part)} {part['as made']['n_cases']} cases. Mean similarity; noise in brackets.",
        "",
        "| map | deletion (lower is better) | insertion (higher) | sanity (near 0) |",
        "|---|---|---|---|",
    ]
    for label, way in {"as made": part["as made"], "one view": part["plain"]}.items():
        curves = [f"{way[name]:.3f} ({way[f'{name}_chance_baseline']:.3f})" for name in ("deletion", "insertion")]
        rows.append(f"| {label} | {' | '.join(curves)} | {way['sanity']:.2f} |")
    return [
        *rows,
        "",
        "![Mean similarity as a map's highest places are blurred or made sharp](images/faithfulness.png)",
    ]


def _corruptions(part: Mapping[str, Any]) -> list[str]:
    pictures, clean, spoiled = part["pictures"], part["clean"], part["spoiled"]
    told = {"mAP": "mAP of search", "pointing": "pointing game of one view"}
    rows = ["## Spoiled pictures", "", f"{_made(part)} percent."]
    for name, what in told.items():
        rows += ["", f"| {what} | " + " | ".join(map(str, range(6))) + " |", "|---" * 7 + "|"]
        for scene in dict.fromkeys(each.split(":")[0] for each in spoiled[name]):
            values = [clean[name], *(spoiled[name][f"{scene}:{level}"] for level in range(1, 6))]
            rows.append(f"| {scene} | {' | '.join(map(_percent, values))} |")
    counted = f"{pictures['mAP']} pictures for search, {pictures['pointing']} for maps"
    rows += ["", f"Strength 0 is the clean picture. {counted}: so few that differences of some points are noise."]
    return [*rows, "", "![The same as curves](images/corruptions.png)"]


def _cost(part: Mapping[str, Any]) -> list[str]:
    names = {
        "plain": "one view, no contrast",
        "quick": "one view of 370 pixels, with contrast: contact sheets",
        "as made": "as made: five views, with contrast",
    }
    rows = [f"{_made(part)} the time, where the embedding is known, as a multiple of the time for that.", ""]
    rows += ["| map | times |", "|---|---|"]
    rows += [f"| {what} | {part['one picture'][name]:.1f} |" for name, what in names.items()]
    batch = part["a hundred in one batch"]
    rows.append(f"| a hundred hits of a contact sheet in one batch, embedding them included | {batch:.1f} |")
    return ["## Cost", "", *rows]


def _made(part: Mapping[str, Any]) -> str:
    return f"`{part['command']}`:"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


TABLES = {
    "best": _best,
    "methods": _methods,
    "masked": _masked,
    "faithfulness": _faithfulness,
    "corruptions": _corruptions,
    "cost": _cost,
}


def _draw_corruptions(part: Mapping[str, Any]) -> None:
    """Search and maps over the strengths, a line for each scene."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharex=True)
    for axis, (name, title) in zip(axes, {"mAP": "search, mAP", "pointing": "pointing game"}.items(), strict=True):
        spoiled = part["spoiled"][name]
        for scene in dict.fromkeys(each.split(":")[0] for each in spoiled):
            values = [part["clean"][name], *(spoiled[f"{scene}:{level}"] for level in range(1, 6))]
            axis.plot(range(6), [100 * value for value in values], marker=".", label=scene)
        axis.set(title=title, xlabel="strength", ylabel="%", ylim=(0, 100))
    axes[1].legend(fontsize="small", ncols=2)
    figure.savefig(PAGE.parent / "images" / "corruptions.png", dpi=80)
    plt.close(figure)


def _draw_faithfulness(part: Mapping[str, Any]) -> None:
    """Similarity over the share of the picture that was blurred, or made sharp."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
    titles = {"deletion": "deletion: places blurred", "insertion": "insertion: places sharp"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        lines = {label: part[way]["curves"][name] for label, way in (("as made", "as made"), ("one view", "plain"))}
        lines["noise"] = part["as made"]["curves"][f"{name}_chance_baseline"]
        for label, values in lines.items():
            shares = [100 * step / (len(values) - 1) for step in range(len(values))]
            axis.plot(shares, values, marker=".", label=label, color="grey" if label == "noise" else None)
        axis.set(title=title, xlabel="% of the picture")
    axes[0].set(ylabel="similarity to the text")
    axes[0].legend(fontsize="small")
    figure.savefig(PAGE.parent / "images" / "faithfulness.png", dpi=80)
    plt.close(figure)


CURVES = {"corruptions": _draw_corruptions, "faithfulness": _draw_faithfulness}
"""Of the parts that have curves: what draws them into docs/images."""
