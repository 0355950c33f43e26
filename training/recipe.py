"""The configuration and the stages of the shipped model, in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import data, distil, export, heads, lowres, measure, ridge, robust, sentences, texts, towers
from training.card import note_measures, write_card
from training.scores import rounded
from training.stages import run_stage, spent


@dataclass(frozen=True)
class HeadPlan:
    """How heads are made for a frozen tower."""

    size: int = 224
    small_size: int = 112  # for Tiny-ImageNet; not read when `heads.tiny` is zero
    views: int = 3  # the whole photo and crops
    looks: bool = False  # photos in one view each, by `heads.photo_view`; `views` counts for the samples only
    captions: int = 5  # of each photo
    templates: tuple[str, ...] = texts.TEMPLATES  # that class names are learned in
    ridge: float = 0.5
    heads: heads.HeadConfig = field(default_factory=heads.HeadConfig)
    share: float = 0.85  # from the ridge start (names) to the trained heads (captions)


def teacher_plan() -> HeadPlan:
    """Every crop is looked at once, and the dear looks of the large tower go where the student will look."""
    light = heads.HeadConfig(tiny=0.0, wordnet=0.0)
    return HeadPlan(size=260, views=2, looks=True, captions=2, templates=texts.TEMPLATES[:2], heads=light)


@dataclass(frozen=True)
class DistilPlan:
    """Both towers tuned in the space of a larger image tower."""

    teacher: str = "lite2"
    plan: HeadPlan = field(default_factory=teacher_plan)
    distil: distil.DistilConfig = field(default_factory=distil.DistilConfig)
    sentences: sentences.SentenceConfig = field(default_factory=sentences.SentenceConfig)
    first_photos: int = 1000  # for the first fit of the projection; half as many samples


@dataclass(frozen=True)
class Config:
    """Everything that decides the result; chosen on the development data, see LOG.md."""

    lowres: lowres.LowresConfig = field(default_factory=lowres.LowresConfig)
    lowres_share: float = 0.5  # how far the weights move from the original's to the tuned ones
    plan: HeadPlan = field(default_factory=HeadPlan)
    distil: DistilPlan | None = None
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

    def captions(self, each: int = 5) -> list[str]:
        """So many of each photo, of all five in turn."""
        groups = data.read_captions(self.data, "train").texts
        return [group[(i + 2 * k) % len(group)] for i, group in enumerate(groups) for k in range(each)]

    def targets(self, tower: towers.ImageTower) -> ridge.Targets:
        return ridge.naming_targets(self.nouns, self.wnids, tower.classifier_weight)

    def tiny_classes(self, wnids: list[str]) -> torch.Tensor:
        return torch.tensor([self.wnids.index(wnid) for wnid in wnids])


def cache_images(inputs: Inputs, tower: towers.ImageTower, plan: HeadPlan, folder: Path) -> None:
    photos = data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names)
    saved = {
        "photos": heads.looks(tower, list(photos), seed=1, size=plan.size)
        if plan.looks
        else heads.views(tower, list(photos), plan.views, seed=1, size=plan.size),
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
    }
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
        "looks": plan.looks,
        "small": plan.small_size if plan.heads.tiny else 0,
    }
    images = run_stage(inputs.work, "images", settings, lambda f: cache_images(inputs, tower, plan, f))
    wanted = inputs.targets(tower).texts
    settings = {"templates": plan.templates, "captions": plan.captions, "nodes": bool(plan.heads.wordnet)}
    written = run_stage(inputs.work, "texts", settings, lambda f: cache_texts(inputs, wanted, plan, f))
    settings = {"images": images.name, "texts": written.name, "ridge": plan.ridge, "heads": asdict(plan.heads)}
    made = run_stage(inputs.work, "heads", settings, lambda f: make_heads(inputs, tower, plan, images, written, f))
    saved = torch.load(made / "heads.pt")
    return ridge.Heads(**saved["start"]).mixed(ridge.Heads(**saved["trained"]), plan.share), [images, written, made]


def load_lessons(inputs: Inputs, images: Path, written: Path, teacher: ridge.Heads) -> distil.Lessons:
    features, vectors = torch.load(images / "features.pt"), torch.load(written / "texts.pt")
    photos = data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names)
    tiny, wnids = data.read_tiny(inputs.data)
    names = torch.stack([teacher.texts(group).mean(0) for group in vectors["classes"]])
    return distil.Lessons(
        photos, data.read_samples(inputs.data)[0], tiny, inputs.tiny_classes(wnids),
        teacher.pictures(features["photos"][0]), teacher.pictures(features["samples"].flatten(0, 1)),
        torch.nn.functional.normalize(names, dim=1), teacher.texts(vectors["captions"]),
    )  # fmt: skip


def draw_student(tower: towers.ImageTower, plan: DistilPlan, lessons: distil.Lessons, folder: Path) -> None:
    whole = range(0, 2 * plan.first_photos, 2)  # `photo_view` leaves these uncropped
    samples = range(0, len(lessons.samples), 2)
    pictures = [lessons.photos[i] for i in whole] + [lessons.samples[i] for i in samples]
    wanted = torch.cat([lessons.photo_targets[list(whole)], lessons.sample_targets[list(samples)]])
    features = heads.pooled_features(tower, pictures, 224)
    student = distil.first_fit(tower, features, wanted, plan.distil.start_ridge)
    distil.tune_student(student, lessons, plan.distil, folder)


def tune_writer(
    inputs: Inputs, plan: DistilPlan, images: Path, written: Path, teacher: ridge.Heads, names: list[str], folder: Path
) -> None:
    photos = teacher.pictures(torch.load(images / "features.pt")["photos"][0])
    targets = teacher.texts(torch.load(written / "texts.pt")["targets"])
    reading = sentences.Reading(data.read_captions(inputs.data, "train").texts, photos, names, targets)
    writer = sentences.Writer(towers.load_text_tower(), *teacher.text_map())
    sentences.tune_sentences(writer, reading, plan.sentences, folder)


def distilled(
    inputs: Inputs, tower: towers.ImageTower, origin: dict[str, Any], plan: DistilPlan
) -> tuple[distil.Student, sentences.Writer, list[Path]]:
    """Both towers in the teacher's space, and the folders of the stages."""
    large = towers.ImageTower(plan.teacher).requires_grad_(False)
    teacher, folders = fitted(inputs, large, {"tower": plan.teacher}, plan.plan)
    images, written, made = folders
    base = {"heads": made.name, "share": plan.plan.share}
    lessons = load_lessons(inputs, images, written, teacher)
    settings = base | {"student": origin, "first": plan.first_photos, "distil": asdict(plan.distil)}
    run = lambda f: draw_student(tower, plan, lessons, f)  # noqa: E731
    drawn = run_stage(inputs.work, "distil", settings, run)
    names = inputs.targets(large).texts
    run = lambda f: tune_writer(inputs, plan, images, written, teacher, names, f)  # noqa: E731
    tuned = run_stage(inputs.work, "sentences", base | {"sentences": asdict(plan.sentences)}, run)
    student = distil.load_student("lite0", drawn / "student.pt")
    return student, sentences.load_writer(tuned / "writer.pt"), [*folders, drawn, tuned]


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
    maps: ridge.Maps
    if config.distil is None:
        maps, folders = fitted(inputs, tower, origin, config.plan)
        text = towers.load_text_tower()
    else:
        student, writer, folders = distilled(inputs, tower, origin, config.distil)
        tower, text, maps = student.tower, writer.tower, ridge.Fixed(student.picture_map(), writer.text_map())
    stages = {folder.name: spent(folder)["cpu_seconds"] for folder in (tuned, *folders)}
    model = export.Model(tower, *cut_text(inputs, text), maps, config.preprocess, config.templates)
    export.write_model(model, out, {"config": asdict(config), "stages_cpu_seconds": stages})
    export.write_answers(out)
    found = measure.measure_all(out, inputs.data) | {"voc2007_spoiled": robust.measure_spoiled(out, inputs.data)}
    measures: dict[str, Any] = rounded(found)
    note_measures(out, measures)
    write_card(out)
    return measures
