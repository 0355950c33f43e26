"""The configuration and the stages of the shipped model, in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import data, export, heads, joint, lowres, measure, ridge, texts, towers
from training.card import write_card
from training.scores import rounded
from training.stages import run_stage, spent


@dataclass(frozen=True)
class HeadPlan:
    """How heads are made for a frozen tower."""

    size: int = 224
    small_size: int = 112  # for Tiny-ImageNet; not read when `heads.tiny` is zero
    views: int = 3  # the whole photo and crops
    ridge: float = 0.5
    heads: heads.HeadConfig = field(default_factory=heads.HeadConfig)
    share: float = 0.85  # from the ridge start (names) to the trained heads (captions)


@dataclass(frozen=True)
class JointPlan:
    """Joint tuning with a larger tower as the teacher."""

    teacher: str = "lite2"
    plan: HeadPlan = field(default_factory=lambda: HeadPlan(size=260, share=0.85, heads=heads.HeadConfig(tiny=0.0)))
    joint: joint.JointConfig = field(default_factory=joint.JointConfig)


@dataclass(frozen=True)
class Config:
    """Everything that decides the result; chosen on the development data, see LOG.md."""

    lowres: lowres.LowresConfig = field(default_factory=lowres.LowresConfig)
    lowres_share: float = 0.5  # how far the weights move from the original's to the tuned ones
    plan: HeadPlan = field(default_factory=HeadPlan)
    joint: JointPlan | None = None
    preprocess: export.Preprocess = field(default_factory=export.Preprocess)
    templates: tuple[str, ...] = texts.TEMPLATES[:1]


@dataclass(frozen=True)
class Inputs:
    """What several stages read."""

    data: Path
    wordnet: Path
    work: Path
    nouns: dict[str, data.Node]
    wnids: list[str]  # of the ImageNet classes, in order
    nodes: dict[str, list[int]]  # WordNet ancestors and the classes below

    @classmethod
    def load(cls, folder: Path, wordnet: Path, work: Path) -> Inputs:
        nouns, wnids = data.read_wordnet(wordnet), data.read_samples(folder)[1]
        return cls(folder, wordnet, work, nouns, wnids, texts.ancestors(nouns, wnids, 150))

    def captions(self) -> list[str]:
        return [text for group in data.read_captions(self.data, "train").texts for text in group]

    def targets(self, tower: towers.ImageTower) -> ridge.Targets:
        return ridge.naming_targets(self.nouns, self.wnids, tower.classifier_weight)

    def tiny_classes(self, wnids: list[str]) -> torch.Tensor:
        return torch.tensor([self.wnids.index(wnid) for wnid in wnids])


def cache_images(inputs: Inputs, tower: towers.ImageTower, plan: HeadPlan, folder: Path) -> None:
    photos = data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names)
    saved = {
        "photos": heads.views(tower, list(photos), plan.views, seed=1, size=plan.size),
        "samples": heads.views(tower, data.read_samples(inputs.data)[0], plan.views, seed=2, size=plan.size),
        "tiny": torch.empty(0),
        "tiny_class": torch.empty(0),
    }
    if plan.heads.tiny:
        tiny, wnids = data.read_tiny(inputs.data)
        saved |= {
            "tiny": heads.pooled_features(tower, list(tiny), plan.small_size),
            "tiny_class": inputs.tiny_classes(wnids),
        }
    torch.save(saved, folder / "features.pt")


def cache_texts(inputs: Inputs, ridge_texts: list[str], folder: Path) -> None:
    """Sentence vectors of the captions, of the ridge texts, and of every name in every template."""
    tower, tokenizer = towers.load_text_tower().requires_grad_(False), texts.full_tokenizer()
    vectors = lambda rows: texts.sentence_vectors(tower, tokenizer, rows)  # noqa: E731

    def named(wnid: str) -> torch.Tensor:
        return vectors([template.format(lemma) for lemma in inputs.nouns[wnid].lemmas for template in texts.TEMPLATES])

    saved = {
        "captions": vectors(inputs.captions()).view(-1, 5, towers.TEXT_WIDTH),
        "targets": vectors(ridge_texts),
        "classes": [named(wnid) for wnid in inputs.wnids],
        "nodes": [named(wnid) for wnid in inputs.nodes],
    }
    torch.save(saved, folder / "texts.pt")


def make_heads(
    inputs: Inputs, tower: towers.ImageTower, plan: HeadPlan, images: Path, sentences: Path, folder: Path
) -> None:
    features, vectors = torch.load(images / "features.pt"), torch.load(sentences / "texts.pt")
    ordinary = torch.cat([features["photos"][0], features["samples"][0]])
    start = ridge.ridge_heads(vectors["targets"], inputs.targets(tower), ordinary, plan.ridge)
    members = torch.zeros(len(inputs.nodes), len(inputs.wnids))
    for row, below in enumerate(inputs.nodes.values()):
        members[row, below] = 1
    cached = heads.Cached(
        features["photos"], vectors["captions"], features["samples"], features["tiny"], features["tiny_class"],
        tower.classify, vectors["classes"], vectors["nodes"], members,
    )  # fmt: skip
    trained = heads.train_heads(start, cached, plan.heads)
    torch.save({"start": asdict(start), "trained": asdict(trained)}, folder / "heads.pt")


def fitted(
    inputs: Inputs, tower: towers.ImageTower, origin: dict[str, Any], plan: HeadPlan
) -> tuple[ridge.Heads, list[Path]]:
    """Heads for that tower, and the folders of the stages: features of pictures, of texts, heads."""
    settings: dict[str, Any] = origin | {
        "size": plan.size,
        "views": plan.views,
        "small": plan.small_size if plan.heads.tiny else 0,
    }
    images = run_stage(inputs.work, "images", settings, lambda f: cache_images(inputs, tower, plan, f))
    wanted = inputs.targets(tower).texts
    sentences = run_stage(
        inputs.work, "texts", {"templates": texts.TEMPLATES}, lambda f: cache_texts(inputs, wanted, f)
    )
    settings = {"images": images.name, "texts": sentences.name, "ridge": plan.ridge, "heads": asdict(plan.heads)}
    made = run_stage(inputs.work, "heads", settings, lambda f: make_heads(inputs, tower, plan, images, sentences, f))
    saved = torch.load(made / "heads.pt")
    return ridge.Heads(**saved["start"]).mixed(ridge.Heads(**saved["trained"]), plan.share), [images, sentences, made]


def load_lessons(inputs: Inputs, images: Path, teacher: ridge.Heads) -> joint.Lessons:
    features = torch.load(images / "features.pt")
    captions = data.read_captions(inputs.data, "train")
    tiny, wnids = data.read_tiny(inputs.data)
    names = [inputs.nouns[wnid].lemmas for wnid in inputs.wnids]
    photos, samples = data.read_flickr(inputs.data, captions.names), data.read_samples(inputs.data)[0]
    targets = [teacher.pictures(features[kind]) for kind in ("photos", "samples")]
    return joint.Lessons(photos, captions.texts, samples, tiny, inputs.tiny_classes(wnids), names, *targets)


def tune_jointly(
    inputs: Inputs, tower: towers.ImageTower, plan: JointPlan, images: Path, teacher: ridge.Heads, folder: Path
) -> None:
    lessons = load_lessons(inputs, images, teacher)
    # A third of the photos is enough for a first fit of the projection.
    features = torch.cat(
        [heads.pooled_features(tower, some, 224) for some in (list(lessons.photos[::3]), lessons.samples)]
    )
    wanted = torch.cat([lessons.photo_targets[0, ::3], lessons.sample_targets[0]])
    joint.train_joint(joint.start_student(tower, teacher, features, wanted, plan.joint), lessons, plan.joint, folder)


def cut_text(inputs: Inputs, tower: towers.TextTower) -> tuple[towers.TextTower, str]:
    """The text tower with its vocabulary cut, and the tokenizer for it."""
    tokenizer = texts.full_tokenizer()
    kept = texts.kept_pieces(tokenizer, inputs.captions() + texts.wordnet_words(inputs.wordnet))
    tower.words = texts.cut_words(tower.words, kept)
    return tower.requires_grad_(False), texts.cut_tokenizer(tokenizer, kept)


def build(config: Config, inputs: Inputs, out: Path) -> dict[str, Any]:
    """Runs or finds every stage, writes `out`, and gives the measures."""
    tuned = run_stage(
        inputs.work, "lowres", asdict(config.lowres), lambda f: lowres.tune_lowres(config.lowres, inputs.data, f)
    )
    tower = lowres.averaged(config.lowres.tower, tuned / "tower.pt", config.lowres_share)
    origin: dict[str, Any] = {"tower": tuned.name, "share": config.lowres_share}
    if config.joint is None:
        maps: ridge.Maps
        maps, folders = fitted(inputs, tower, origin, config.plan)
        text = towers.load_text_tower()
    else:
        plan = config.joint
        large = towers.ImageTower(plan.teacher).requires_grad_(False)
        teacher, folders = fitted(inputs, large, {"tower": plan.teacher}, plan.plan)
        settings = origin | {"heads": folders[-1].name, "head_share": plan.plan.share, "joint": asdict(plan.joint)}
        run = lambda f: tune_jointly(inputs, tower, plan, folders[0], teacher, f)  # noqa: E731
        folders.append(run_stage(inputs.work, "joint", settings, run))
        maps = student = joint.load_student(config.lowres.tower, folders[-1] / "student.pt")
        tower, text = student.image, student.text
    stages = {folder.name: spent(folder)["cpu_seconds"] for folder in (tuned, *folders)}
    model = export.Model(tower, *cut_text(inputs, text), maps, config.preprocess, config.templates)
    export.write_model(model, out, {"config": asdict(config), "stages_cpu_seconds": stages})
    measures = rounded(measure.measure_all(out, inputs.data))
    export.note_measures(out, measures)
    write_card(out)
    return measures
