"""Writes MODEL_CARD.md beside the shipped files, from what model.json knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CARD = Path(__file__).with_name("card.md")
IMAGES = Path(__file__).parents[1] / "docs" / "images"


ROLES = {"mini": "the encoder that ships with wordsight", "midi": "the better and slower of the encoders that ship"}
STORED = {
    "half": "float16 on disk",
    "byte": "Large 1 x 1 kernels as int8 on disk, the rest as float16",
}
FAILURES = """\
Where it errs, on photos that everybody may look at (`python -m training.failures`; of 18 queries that were
written before the ranks were seen, these went wrong; each shows what came first and the best right photo
with its rank; the picture is in the repository):

![what came first beside the best right photo](../../../../docs/images/{name}-failures.webp)

"""
SHARED = " All but the head is that of `{name}` and read from its folder, which must lie beside."


def write_card(folder: Path) -> None:
    spec = json.loads((folder / "model.json").read_text())
    config, seen = spec["training"]["config"], spec["image"]["preprocess"]
    name, sibling = spec["name"], config.get("shares_text_of")
    own = sum(f["bytes"] for f in spec["files"].values() if "from" not in f)
    pictures = IMAGES / f"{name}-failures.webp"
    fields = {
        "name": name,
        "role": ROLES[name],
        "dim": str(spec["dim"]),
        "tower": config["lowres"]["tower"],
        "side": str(seen["size"]),
        "small": str(seen["small"]["size"]),
        "small_side": str(seen["small"]["max_side"]),
        "storage": STORED[config["plan"].get("storage", "half")],
        "shared": SHARED.format(name=sibling) if sibling else "",
        "tenth": f"{100 * spec['measures']['flickr8k']['text_to_image']['Success@10']:.0f}",
        "failures": FAILURES.format(name=name) if pictures.exists() else "",
        "rebuilt": f"{sibling} {name}" if sibling else name,
        "size": f"{own / 1e6:.1f} MB" + (f", and the text tower of `{sibling}`" if sibling else " in all"),
        "measures": measure_rows(spec["measures"]),
        "classes": class_rows(spec["measures"]),
        "spoiled": spoiled_table(spec["measures"].get("voc2007_spoiled", {})),
        "files": "\n".join(file_row(*item) for item in spec["files"].items()),
        "minutes": f"{sum(spec['training']['stages_cpu_seconds'].values()) / 60:.0f}",
        "templates": ", ".join(f'"{t}"' for t in spec["prompts"]["label"]),
        "vocabulary": f"{spec['text']['vocabulary_size']:,}",
        "packages": ", ".join(f"{name} {version}" for name, version in spec["training"]["packages"].items()),
    }
    text = CARD.read_text()
    for name, value in fields.items():
        text = text.replace("{{" + name + "}}", value)
    (folder / "MODEL_CARD.md").write_text(text)


def file_row(name: str, entry: dict[str, Any]) -> str:
    place = f" (in `{entry['from']}`)" if "from" in entry else ""
    return f"| `{name}`{place} | {entry['bytes']:,} | `{entry['sha256']}` |"


def note_measures(folder: Path, measures: dict[str, Any]) -> None:
    """Adds figures on development data to `model.json`."""
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"measures": measures}, indent=1) + "\n")


def measure_rows(measures: dict[str, Any]) -> str:
    voc, flickr, game = measures["voc2007"], measures["flickr8k"], measures["voc2007"]["pointing_game"]
    forth, back = flickr["text_to_image"], flickr["image_to_text"]
    rows = {
        "CIFAR-10 zero-shot accuracy (3,000)": percent(measures["cifar10"]["accuracy"]),
        "VOC2007 mAP all-point / 11-point / precision@10 (1,200)": percent(voc["mAP"], voc["mAP11"], voc["P@10"]),
        "Flickr8k text to image Success@1 / 5 / 10 (1,000 photos)": percent(*forth.values()),
        "Flickr8k image to text Success@1 / 5 / 10": percent(*back.values()),
        "VOC2007 pointing game, map / centre point": percent(game["map"], game["centre_point"]),
        "the same where the centre point misses": percent(game["map_where_centre_misses"]),
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def class_rows(measures: dict[str, Any]) -> str:
    ordered = sorted(measures["voc2007"]["AP"].items(), key=lambda item: -item[1])
    return "\n".join(f"| {name} | {percent(value)} |" for name, value in ordered)


def spoiled_table(measures: dict[str, float]) -> str:
    """The table that `training.robust --note` made possible; nothing where it was not run."""
    if not measures:
        return ""
    whole = next(iter(measures.values()))
    rows = [f"| {name} | {percent(value)} | {100 * (whole - value):.1f} |" for name, value in measures.items()]
    return "\n".join(
        [
            "Spoiled pictures, VOC2007 mAP all-point (`python -m training.robust`; the corruptions are those of "
            "`wordsight evaluate --corrupt`):",
            "",
            "| pictures | mAP | lost |",
            "|---|---:|---:|",
            *rows,
            "",
        ]
    )


def percent(*values: float) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in values)
