"""The stages behind `--distil`: both towers drawn to a larger image tower."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import data, distil, ridge, sentences, towers
from training.features import Extractor
from training.fitting import HeadPlan, fitted, teacher_plan
from training.inputs import Inputs
from training.stages import run_stage


@dataclass(frozen=True)
class DistilPlan:
    """Both towers tuned in the space of a larger image tower."""

    teacher: str = "lite2"
    plan: HeadPlan = field(default_factory=teacher_plan)
    distil: distil.DistilConfig = field(default_factory=distil.DistilConfig)
    sentences: sentences.SentenceConfig = field(default_factory=sentences.SentenceConfig)
    first_photos: int = 1000  # for the first fit of the projection; half as many samples


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
    features = Extractor(tower).pooled(pictures, 224)
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
