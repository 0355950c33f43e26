"""Write the figures of docs/regions.md from benchmarks/results/regions.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.report import ROOT

PAGE = ROOT / "docs" / "regions.md"
_TOLD = 3  # labels named of those that gain most


def write_page(results: Mapping[str, Any]) -> None:
    """Replace what stands between the markers of each part that was measured."""
    text = PAGE.read_text("utf-8")
    for name, part in PARTS.items():
        if part.__name__.removeprefix("_").split("_")[0] in results:
            text, found = re.subn(
                f"(?s)<!-- begin {name} -->.*?<!-- end {name} -->",
                lambda _, name=name, part=part: "\n".join(
                    [f"<!-- begin {name} -->", *part(results), f"<!-- end {name} -->"]
                ),
                text,
            )
            assert found == 1, f"{PAGE} has no place for {name}"
    PAGE.write_text(text, "utf-8")


def _quality_gain(results: Mapping[str, Any]) -> list[str]:
    voc, chosen = results["quality"]["voc2007"], str(results["weight"])
    rows = {"whole photo": voc["whole"]}
    names = {
        "0.3": "0.7 whole, 0.3 best region",
        "0.5": "half whole, half best region",
        "0.7": "0.3 whole, 0.7 best region",
    }
    names["1.0"] = "best of whole and regions alone"
    for weight, name in names.items():
        rows[f"**{name}**" if weight == chosen else name] = voc["by_weight"][weight]
    rows["mean vector of whole and regions (nothing more to store)"] = voc["mean_embedding"]
    counted = f"{voc['small_pictures']} pictures with small objects over {voc['small_labels']} labels"
    return [
        f"VOC2007 development part, {counted}:",
        "",
        "| | mAP | mAP, small objects |",
        "|---|---|---|",
        *(f"| {name} | {_percent(row['mAP'])} | {_percent(row['small'])} |" for name, row in rows.items()),
        "",
        _by_label(voc["per_label"]["all"]),
    ]


def _by_label(labels: Mapping[str, list[float]]) -> str:
    def told(name: str) -> str:
        before, after = labels[name]
        return f"{name} ({_percent(before)} to {_percent(after)})"

    order = sorted(labels, key=lambda name: labels[name][0] - labels[name][1])
    gains = ", ".join(map(told, order[:_TOLD]))
    worst = order[-1]
    lost = labels[worst][1] < labels[worst][0]
    return f"The largest gains: {gains}.\n{'The largest loss' if lost else 'The smallest gain'}: {told(worst)}."


def _quality_captions(results: Mapping[str, Any]) -> list[str]:
    found = results["quality"]["captions"]
    one, other = (" / ".join(_percent(value) for value in found[way].values()) for way in ("whole", "with_regions"))
    return [
        f"Captions: Flickr8k's development part ({found['pictures']:,} squares of 224 pixels), Success@1 / 5 / 10",
        f"{one} becomes {other}.",
    ]


def _quality_sizes(results: Mapping[str, Any]) -> list[str]:
    return [
        "| side, regions | mAP | small | bytes | points of small mAP a kB |",
        "|---|---|---|---|---|",
        *(
            f"| {name.removeprefix('side ')} | {_percent(row['mAP'])} | {_percent(row['small'])} | "
            f"{row['bytes_a_picture']:,} | {100 * row['gain_small_per_kB']:.2f} |"
            for name, row in results["quality"]["voc2007_by_layout"].items()
        ),
    ]


def _cost(results: Mapping[str, Any]) -> list[str]:
    cost = results["cost"]
    storage, process, alone = cost["storage"], cost["search_process"], cost["search_alone_ms"]
    ways = ("whole", "with_regions")
    space = [" / ".join(f"{storage[way][of]:,.0f}" for of in ("database", "index_files")) for way in ways]
    rows = [f"| bytes a photo: database / index files ({cost['pictures']:,} photos) | {' | '.join(space)} |"]
    names = {"onnxruntime": "indexing 640x480 JPEGs, onnxruntime, photos/s", "openvino": "the same with OpenVINO"}
    for runtime, found in cost["index"].items():
        rates = " | ".join(f"{found[f'{way}_photos_per_s']:.0f}" for way in ways)
        rows.append(f"| {names.get(runtime, runtime)} | {rates} |")
    times = " | ".join(f"{process[f'{way} / bare import']:.2f} x" for way in ways)
    rows.append(f"| `wordsight search` over {cost['pictures']:,} photos against a bare import | {times} |")
    millis = " | ".join(f"{alone[way]:.1f} ms" for way in ways)
    rows.append(f"| a search in an open index of {cost['pictures']:,}, one thread, random vectors | {millis} |")
    repeats = len(next(iter(cost["index"].values()))["wall_s"]["whole"])
    ratios = " and ".join(f"{found['time_ratio']:.1f}" for found in cost["index"].values())
    return [
        "| | whole | with regions |",
        "|---|---|---|",
        *rows,
        "",
        f"Indexing: whole runs of {cost.get('photos', 200)} photos, the start of the process included, medians of",
        f"{repeats} repeats; with regions it takes {ratios} times as long.",
    ]


def _quality_matches(results: Mapping[str, Any]) -> list[str]:
    found = results["quality"]["matches"]
    rows = {
        "labels answered": "there",
        "labels answered, one of the matches being right": "rightly",
        "matches that are right": "precision",
        "right photos that match": "recall",
        "absent things, wrongly matched": "things",
        "texts without a meaning, wrongly matched": "nonsense",
        "labels whose photos were taken out, wrongly matched": "taken_out",
    }
    return [
        "| | whole | with regions |",
        "|---|---|---|",
        *(
            f"| {what} | {_percent(found['whole'][key])} % | {_percent(found['with_regions'][key])} % |"
            for what, key in rows.items()
        ),
    ]


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


PARTS = {
    "gain": _quality_gain,
    "captions": _quality_captions,
    "sizes": _quality_sizes,
    "costs": _cost,
    "matches": _quality_matches,
}
"""Marker on the page -> what writes it; its name begins with the part of the results that it needs."""
