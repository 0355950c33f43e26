"""Heads for a frozen tower, in three stages: features of pictures, of texts, and the training of both heads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import data, heads, lowres, nouns, ridge, texts, towers
from training.export_image import Storage
from training.features import Extractor
from training.inputs import Inputs
from training.stages import run_stage


@dataclass(frozen=True)
class HeadPlan:
    """How heads are made for a frozen tower."""

    size: int = 224
    small_size: int = 112  # for Tiny-ImageNet; not read when `heads.tiny` is zero
    storage: Storage = "half"  # of the tower's weights, when its features are taken and when it is shipped
    views: int = 3  # the whole photo and crops
    tiny: int = 12_000  # Tiny-ImageNet pictures, spread over the classes
    looks: bool = False  # photos in one view each, by `heads.photo_view`; `views` counts for the samples only
    captions: int = 5  # of each photo
    templates: tuple[str, ...] = texts.TEMPLATES  # that class names are learned in
    nouns: tuple[int, float, int] = (15, 0.9, 2)  # least photos, most of them, captions that agree; see `nouns.py`
    ridge: float = 0.5
    heads: heads.HeadConfig = field(default_factory=heads.HeadConfig)
    share: float = 0.85  # from the ridge start (names) to the trained heads (captions)


def teacher_plan() -> HeadPlan:
    """Every crop is looked at once, and the dear looks of the large tower go where the student will look."""
    light = heads.HeadConfig(tiny=0.0, wordnet=0.0)
    return HeadPlan(size=260, views=2, looks=True, captions=2, templates=texts.TEMPLATES[:2], heads=light)


def cache_images(inputs: Inputs, tower: towers.ImageTower, plan: HeadPlan, folder: Path) -> None:
    """Part by part, each in a file of its own until all are there: it takes many minutes for a large tower."""
    extractor, tiny_class = Extractor(tower, plan.storage), torch.empty(0)
    photos = list(data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names))
    samples = data.read_samples(inputs.data)[0]
    large = [(f"samples{view}", heads.at_view(samples, 2, view)) for view in range(plan.views)]
    if plan.looks:
        large.append(("photos0", heads.looked(photos, 1)))
    else:
        large += [(f"photos{view}", heads.at_view(photos, 1, view)) for view in range(plan.views)]
    parts = {name: _part(folder / f"{name}.pt", extractor, shown, plan.size) for name, shown in large}
    tiny = torch.empty(0)
    if plan.heads.tiny:
        pixels, wnids = data.read_tiny(inputs.data)
        some = [n for n in range(len(pixels)) if n * plan.tiny // len(pixels) < (n + 1) * plan.tiny // len(pixels)]
        pixels, wnids = pixels[some], [wnids[n] for n in some]
        tiny = _part(folder / "tiny.pt", extractor, list(pixels), plan.small_size)
        tiny_class = inputs.tiny_classes(wnids)
    stacked = {
        kind: torch.stack([part for name, part in sorted(parts.items()) if name.startswith(kind)])
        for kind in ("photos", "samples")
    }
    torch.save(stacked | {"tiny": tiny, "tiny_class": tiny_class}, folder / "features.pt")
    for name in (*parts, "tiny"):
        (folder / f"{name}.pt").unlink(missing_ok=True)


def _part(file: Path, extractor: Extractor, pictures: list[data.Pixels], size: int) -> torch.Tensor:
    if not file.exists():
        torch.save(extractor.pooled(pictures, size), file)
    return torch.load(file)


def cached_images(inputs: Inputs, tower: towers.ImageTower, origin: dict[str, Any], plan: HeadPlan) -> Path:
    """The folder of the stage; `origin` says which tower it is."""
    settings: dict[str, Any] = origin | {
        "size": plan.size,
        "views": plan.views,
        "looks": plan.looks,
        "small": plan.small_size if plan.heads.tiny else 0,
        "tiny": plan.tiny if plan.heads.tiny else 0,
        "storage": plan.storage,
    }
    return run_stage(inputs.work, "images", settings, lambda f: cache_images(inputs, tower, plan, f))


def look_set(inputs: Inputs, name: str, plan: HeadPlan) -> tuple[lowres.Looks, Path]:
    """What the original tower of that name makes of one crop of each photo and some of each sample.

    Half of the draws come from the samples, though the photos are more.
    """
    tower = towers.ImageTower(name).requires_grad_(False)
    folder = cached_images(inputs, tower, {"tower": name}, plan)
    features = torch.load(folder / "features.pt")
    photos = data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names)
    shown = heads.looked(photos, 1)
    samples, targets = data.read_samples(inputs.data)[0], features["samples"].flatten(0, 1)
    views = [picture for view in range(plan.views) for picture in heads.at_view(samples, 2, view)]
    times = len(shown) // len(views)
    return lowres.Looks(shown + views * times, torch.cat([features["photos"][0], *[targets] * times])), folder


def cache_texts(inputs: Inputs, ridge_texts: list[str], plan: HeadPlan, folder: Path) -> None:
    """Sentence vectors of the captions, of the ridge texts, and of every name in every template."""
    tower, tokenizer = towers.load_text_tower().requires_grad_(False), texts.full_tokenizer()
    vectors = lambda rows: texts.sentence_vectors(tower, tokenizer, rows, 64)  # noqa: E731

    def named(wnid: str) -> torch.Tensor:
        return vectors([template.format(lemma) for lemma in inputs.nouns[wnid].lemmas for template in plan.templates])

    saved = {
        "captions": vectors(inputs.captions(plan.captions)).view(-1, plan.captions, towers.TEXT_WIDTH),
        "targets": vectors(ridge_texts),
        "classes": [named(wnid) for wnid in inputs.wnids],
        "nodes": [named(wnid) for wnid in inputs.nodes] if plan.heads.wordnet else [],
        "nouns": [],
        "shown": torch.empty(0),
    }
    if plan.heads.nouns:
        groups = data.read_captions(inputs.data, "train").texts
        found = nouns.caption_nouns(inputs.nouns, nouns.Lexicon.read(inputs.wordnet), groups, *plan.nouns)
        saved["nouns"] = [vectors([plan.templates[0].format(name) for name in names[:2]]) for names in found.names]
        saved["shown"] = torch.from_numpy(found.shown)
    torch.save(saved, folder / "texts.pt")


def make_heads(
    inputs: Inputs, tower: towers.ImageTower, plan: HeadPlan, images: Path, written: Path, folder: Path
) -> None:
    features, vectors = torch.load(images / "features.pt"), torch.load(written / "texts.pt")
    ordinary = torch.cat([features["photos"][0], features["samples"][0]])
    start = ridge.ridge_heads(vectors["targets"], inputs.targets(tower), ordinary, plan.ridge)
    members = torch.zeros(len(inputs.nodes), len(inputs.wnids))
    for row, below in enumerate(inputs.nodes.values()):
        members[row, below] = 1
    cached = heads.Cached(
        features["photos"], vectors["captions"], features["samples"], features["tiny"], features["tiny_class"],
        tower.classify, vectors["classes"], vectors["nodes"], members, vectors["nouns"], vectors["shown"],
    )  # fmt: skip
    trained = heads.train_heads(start, cached, plan.heads)
    torch.save({"start": asdict(start), "trained": asdict(trained)}, folder / "heads.pt")


def fitted(
    inputs: Inputs, tower: towers.ImageTower, origin: dict[str, Any], plan: HeadPlan
) -> tuple[ridge.Heads, list[Path]]:
    """Heads for that tower, and the folders of the stages: features of pictures, of texts, heads."""
    images = cached_images(inputs, tower, origin, plan)
    wanted = inputs.targets(tower).texts
    settings = {
        "templates": plan.templates,
        "captions": plan.captions,
        "nodes": bool(plan.heads.wordnet),
        "nouns": plan.nouns if plan.heads.nouns else (),
    }
    written = run_stage(inputs.work, "texts", settings, lambda f: cache_texts(inputs, wanted, plan, f))
    settings = {"images": images.name, "texts": written.name, "ridge": plan.ridge, "heads": asdict(plan.heads)}
    made = run_stage(inputs.work, "heads", settings, lambda f: make_heads(inputs, tower, plan, images, written, f))
    saved = torch.load(made / "heads.pt")
    return ridge.Heads(**saved["start"]).mixed(ridge.Heads(**saved["trained"]), plan.share), [images, written, made]
