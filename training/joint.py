"""Tunes both towers and both heads together, with a larger tower as the teacher.

The teacher (EfficientNet-lite2 at 260 px with heads of its own) has looked at the same crops before; the student is
drawn to its embeddings while it learns captions, names of small pictures, and what ImageNet's classifier says. Captions
meet many more negatives than a batch holds: the embeddings of earlier steps are kept in a queue (arXiv 1911.05722,
here without a second encoder because the towers move slowly).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import data, heads, lowres, texts
from training.ridge import Heads
from training.towers import ImageTower, TextTower, load_text_tower

log = logging.getLogger("training")


@dataclass(frozen=True)
class JointConfig:
    steps: int = 450
    photos: int = 28  # Flickr8k photos with a caption, at 224 px
    samples: int = 6  # ImageNet photos, at 224 px
    tiny: int = 24  # small pictures at 112 px
    names: int = 24  # class names that are encoded anew in a step; the others come from the last time
    queue: int = 2048  # captions and photos of earlier steps as further negatives
    image_rate: float = 2e-4
    text_rate: float = 4e-5
    head_rate: float = 3e-4
    decay: float = 0.02
    warmup: int = 40
    first_layer: int = 9
    captions: float = 1.5  # weights of the losses
    teacher: float = 3.0
    distil: float = 0.5
    tiny_names: float = 0.5
    keep: float = 2.0  # names stay where the text tower put them
    temperature: float = 1.5
    scale: float = 25.0  # first one of the similarities; learned
    average: float = 0.99  # exponential moving average of the weights, which is what is shipped
    start_ridge: float = 20.0  # strength of the first fit of the projection
    seed: int = 0


@dataclass
class Lessons:
    """What a step draws from."""

    photos: data.Pixels
    captions: list[list[str]]
    samples: list[data.Pixels]
    tiny: data.Pixels
    tiny_class: Tensor
    class_names: list[list[str]]  # lemmas of each ImageNet class
    photo_targets: Tensor  # (views, n, d): the teacher's embeddings
    sample_targets: Tensor


class Student(nn.Module):
    """Towers, heads and temperatures."""

    def __init__(self, image: ImageTower, text: TextTower, start: Heads, scale: float):
        super().__init__()
        self.image, self.text = image, text
        weight, bias = start.picture_map()
        # Keeps the projection's size near one, as Adam likes it.
        self.register_buffer("spread", torch.tensor(start.spread))
        self.project = nn.Parameter(weight * self.spread)
        self.project_bias = nn.Parameter(bias.clone())
        weight, bias = start.text_map()
        self.head, self.head_bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        self.log_scales = nn.Parameter(torch.full((2,), scale).log())

    def place(self, pooled: Tensor) -> Tensor:
        return F.normalize(F.linear(pooled / self.spread, self.project, self.project_bias), dim=1)

    def sentences(self, tokenizer: Any, rows: list[str]) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out = self.text(*texts.token_batch(tokenizer, rows))
        return F.normalize(out.float(), dim=1)

    def name(self, sentences: Tensor) -> Tensor:
        return F.normalize(F.linear(sentences, self.head, self.head_bias), dim=1)

    def scales(self) -> Tensor:
        return self.log_scales.exp().clamp(max=100)

    def picture_map(self) -> tuple[Tensor, Tensor]:
        return self.project.detach() / self.spread, self.project_bias.detach()

    def text_map(self) -> tuple[Tensor, Tensor]:
        return self.head.detach(), self.head_bias.detach()


class Queue:
    """The embeddings of the last photos and captions."""

    def __init__(self, size: int):
        self.size = size
        self.photos, self.captions, self.owners = (
            torch.empty(0, 384),
            torch.empty(0, 384),
            torch.empty(0, dtype=torch.long),
        )

    def push(self, photos: Tensor, captions: Tensor, owners: Tensor) -> None:
        self.photos = torch.cat([photos.detach(), self.photos])[: self.size]
        self.captions = torch.cat([captions.detach(), self.captions])[: self.size]
        self.owners = torch.cat([owners, self.owners])[: self.size]


def contrast(queries: Tensor, keys: Tensor, older: Tensor, owners: Tensor, old_owners: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE against the batch and the queue; earlier views of the same photo do not count as wrong."""
    logits = scale * queries @ torch.cat([keys, older]).T
    same = owners[:, None] == torch.cat([owners, old_owners])[None]
    same[:, : len(owners)].fill_diagonal_(False)
    return F.cross_entropy(logits.masked_fill(same, -1e4), torch.arange(len(queries)))


class Joint:
    """One training run: the student, its memory of class names, and its losses."""

    def __init__(self, student: Student, lessons: Lessons, config: JointConfig):
        self.student, self.lessons, self.config = student, lessons, config
        self.tokenizer = texts.full_tokenizer()
        self.queue = Queue(config.queue)
        self.original = texts_of(student, self.tokenizer, lessons.class_names)
        self.name_memory = self.original.clone()

    def class_texts(self, random: np.random.Generator, must: Tensor) -> tuple[Tensor, Tensor]:
        """(1000, d) embeddings of the class names, some encoded now; and how far these moved from the original's."""
        others = random.permutation(len(self.name_memory))[: self.config.names]
        picked = torch.unique(torch.cat([must, torch.from_numpy(others)]))[: 2 * self.config.names]
        rows = []
        for index in picked.tolist():
            lemmas, template = self.lessons.class_names[index], texts.TEMPLATES[random.integers(len(texts.TEMPLATES))]
            rows.append(template.format(lemmas[0] if random.random() < 0.5 else lemmas[random.integers(len(lemmas))]))
        fresh = self.student.sentences(self.tokenizer, rows)
        moved = (1 - (fresh * self.original[picked]).sum(1)).mean()
        sentences = self.name_memory.clone()
        sentences[picked] = fresh
        self.name_memory[picked] = fresh.detach()
        return self.student.name(sentences), moved

    def loss(self, step: int) -> Tensor:
        config, lessons, student = self.config, self.lessons, self.student
        random = np.random.default_rng([config.seed, step])
        photo = random.choice(len(lessons.photos), config.photos, replace=False)
        sample = random.choice(len(lessons.samples), config.samples, replace=False)
        small = random.integers(len(lessons.tiny), size=config.tiny)
        views = random.integers(len(lessons.photo_targets), size=config.photos + config.samples)
        large = [heads.view_of(lessons.photos[i], 1, v, i) for v, i in zip(views, photo, strict=False)]
        later = views[config.photos :]
        large += [heads.view_of(lessons.samples[i], 2, v, i) for v, i in zip(later, sample, strict=False)]
        large = [data.resize(p[:, ::-1] if random.random() < 0.5 else p, 224, 224) for p in large]
        little = [lowres.shrink(lowres.random_crop(lessons.tiny[i], 0.8, random), 112, random) for i in small]
        pooled = torch.cat(
            [student.image.pooled(lowres.to_tensor(large)), student.image.pooled(lowres.to_tensor(little))]
        )
        placed = student.place(pooled)

        owners = torch.from_numpy(photo)
        captions = [lessons.captions[i][random.integers(5)] for i in photo]
        written = student.name(student.sentences(self.tokenizer, captions))
        scale, name_scale = student.scales()
        shown = placed[: config.photos]
        loss = config.captions / 2 * contrast(shown, written, self.queue.captions, owners, self.queue.owners, scale)
        loss = loss + config.captions / 2 * contrast(
            written, shown, self.queue.photos, owners, self.queue.owners, scale
        )
        self.queue.push(shown, written, owners)

        target = torch.cat([lessons.photo_targets[views[: config.photos], photo],
                            lessons.sample_targets[views[config.photos :], sample]])  # fmt: skip
        loss = loss + config.teacher * (1 - (placed[: len(target)] * target).sum(1)).mean()

        names, moved = self.class_texts(random, lessons.tiny_class[small])
        logits = name_scale * placed @ names.T
        taught = slice(config.photos, len(target))
        wanted = F.softmax(student.image.classify(pooled[taught]).detach() / config.temperature, 1)
        loss = loss + config.distil * F.cross_entropy(logits[taught], wanted)
        loss = loss + config.tiny_names * F.cross_entropy(
            logits[len(target) :], lessons.tiny_class[small], label_smoothing=0.1
        )
        return loss + config.keep * moved


@torch.no_grad()
def texts_of(student: Student, tokenizer: Any, names: list[list[str]]) -> Tensor:
    """Sentence vector of the first lemma of each class."""
    rows = [texts.TEMPLATES[0].format(lemmas[0]) for lemmas in names]
    return texts.sentence_vectors(student.text, tokenizer, rows)


def start_student(tower: ImageTower, teacher: Heads, features: Tensor, wanted: Tensor, config: JointConfig) -> Student:
    """The teacher's text head, and the projection that brings the student's features closest to its embeddings.

    `features` (n, 1280) and `wanted` (n, d) are of the same whole pictures.
    """
    mean = features.mean(0)
    spread = float((features - mean).norm(dim=1).mean())
    x = (features - mean) / spread
    gram = x.T @ x + config.start_ridge * torch.eye(x.shape[1])
    middle = wanted.mean(0)
    weight = torch.linalg.solve(gram, x.T @ (wanted - middle)).T
    student = Student(tower, load_text_tower(), teacher, config.scale)
    student.spread.fill_(spread)
    student.project.data = weight.contiguous()
    student.project_bias.data = middle - weight @ mean / spread
    return student


def parameter_groups(student: Student, config: JointConfig) -> list[dict[str, Any]]:
    image = student.image.train_from(config.first_layer)
    student.text.words.weight.requires_grad_(False)
    student.text.places.weight.requires_grad_(False)
    text = [p for p in student.text.parameters() if p.requires_grad]
    own = [student.project, student.project_bias, student.head, student.head_bias, student.log_scales]
    groups = ((image, config.image_rate), (text, config.text_rate), (own, config.head_rate))
    return [{"params": params, "lr": rate, "peak": rate} for params, rate in groups]


def train_joint(student: Student, lessons: Lessons, config: JointConfig, folder: Path) -> None:
    """Writes `student.pt`, the moving average of the weights; continues from `checkpoint.pt`."""
    torch.manual_seed(config.seed)
    run = Joint(student, lessons, config)
    optimizer = torch.optim.AdamW(parameter_groups(student, config), weight_decay=config.decay, betas=(0.9, 0.98))
    average = {key: value.clone() for key, value in student.state_dict().items()}
    first, seen = 0, []
    if (folder / "checkpoint.pt").exists():
        saved = torch.load(folder / "checkpoint.pt", weights_only=True)
        student.load_state_dict(saved["student"])
        optimizer.load_state_dict(saved["optimizer"])
        average, first = saved["average"], saved["step"]
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * lowres.cosine_rate(step, config.steps, config.warmup)
        loss = run.loss(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 2.0)
        optimizer.step()
        pace = min(config.average, (step + 1) / (step + 10))
        for key, value in student.state_dict().items():
            average[key].lerp_(value, 1 - pace)
        seen.append(loss.item())
        if (step + 1) % 25 == 0:
            log.info(
                "joint step %d of %d, loss %.3f, scales %s",
                step + 1,
                config.steps,
                np.mean(seen[-25:]),
                student.scales().tolist(),
            )
        if (step + 1) % 100 == 0:
            state = {
                "student": student.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average,
                "step": step + 1,
            }
            torch.save(state, folder / "checkpoint.pt")
    student.load_state_dict(average)
    torch.save(student.state_dict(), folder / "student.pt")
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def load_student(tower: str, path: Path) -> Student:
    """As `train_joint` left it, with nothing to train."""
    empty = Heads(torch.empty(384, 1280), torch.empty(384, 384), torch.empty(1280), 1.0, torch.empty(384))
    student = Student(ImageTower(tower), TextTower(), empty, 1.0)
    student.load_state_dict(torch.load(path, weights_only=True))
    return student.requires_grad_(False)
