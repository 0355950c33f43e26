"""Draws the image tower to a larger one: the student learns to stand where the teacher puts the same crop.

The teacher (EfficientNet-lite2 at 260 px with heads of its own) has looked at every crop before, so a step runs the
student alone. The texts stand still, which makes every caption and every photo of the training set a negative at no
cost: captions against the teacher's embeddings of all photos, photos against the embeddings of all captions. Small
pictures, shrunk photos and Tiny-ImageNet, ride along so that the low-resolution stage is not forgotten; photos are fed
at several sizes, because the ones that a user has show their objects at any size.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor, nn

from training import data, heads, lowres
from training.towers import ImageTower

log = logging.getLogger("training")


@dataclass(frozen=True)
class DistilConfig:
    steps: int = 560
    photos: int = 10  # Flickr8k photos in a step
    samples: int = 6  # ImageNet photos
    shrunk: int = 8  # of these sixteen, fed again as small pictures
    tiny: int = 8  # Tiny-ImageNet pictures
    sizes: tuple[int, ...] = (160, 192, 224, 224)  # of the photos; one is drawn for each step
    small_size: int = 112
    rate: float = 3e-4
    head_rate: float = 3e-4
    decay: float = 0.01
    warmup: int = 30
    first_layer: int = 9  # the layers before it are those of the low-resolution stage
    teacher: float = 4.0  # weights of the losses
    names: float = 1.0
    captions: float = 0.5
    tiny_names: float = 0.3
    name_scale: float = 30.0  # of similarities, before the softmax
    caption_scale: float = 40.0
    average: float = 0.99  # exponential moving average of the weights, which is what is kept
    start_ridge: float = 20.0  # strength of the first fit of the projection
    seed: int = 0


@dataclass
class Lessons:
    """What a step draws from. Photos come before samples wherever both stand in one tensor."""

    photos: data.Pixels
    samples: list[data.Pixels]
    tiny: data.Pixels
    tiny_class: Tensor
    photo_targets: Tensor  # (n, d): the teacher's embedding of each photo at its `heads.photo_view`
    sample_targets: Tensor  # (views n, d): of all samples at view 0, then at view 1, and so on
    names: Tensor  # (1000, d): embeddings of the class names
    captions: Tensor  # (n, captions of a photo, d)


class Student(nn.Module):
    """The tower and its projection."""

    def __init__(self, tower: ImageTower, weight: Tensor, bias: Tensor, spread: float):
        super().__init__()
        self.tower = tower
        self.register_buffer("spread", torch.tensor(spread))  # keeps the projection's size near one, as Adam likes it
        self.weight, self.bias = nn.Parameter(weight * spread), nn.Parameter(bias.clone())

    def forward(self, pictures: list[data.Pixels]) -> Tensor:
        pooled = self.tower.pooled(lowres.to_tensor(pictures))
        return F.normalize(F.linear(pooled / self.spread, self.weight, self.bias), dim=1)

    def picture_map(self) -> tuple[Tensor, Tensor]:
        return self.weight.detach() / self.spread, self.bias.detach()


def first_fit(tower: ImageTower, pooled: Tensor, wanted: Tensor, strength: float) -> Student:
    """The projection that brings the student's features (n, 1280) closest to the teacher's embeddings (n, d)."""
    mean, middle = pooled.mean(0), wanted.mean(0)
    spread = float((pooled - mean).norm(dim=1).mean())
    x = (pooled - mean) / spread
    weight = torch.linalg.solve(x.T @ x + strength * torch.eye(x.shape[1]), x.T @ (wanted - middle)).T / spread
    return Student(tower, weight, middle - weight @ mean, spread)


def distil_loss(student: Student, lessons: Lessons, config: DistilConfig, random: Generator) -> Tensor:
    photo = random.choice(len(lessons.photos), config.photos, replace=False)
    sample = random.choice(len(lessons.sample_targets), config.samples, replace=False)
    shown = [heads.view_of(lessons.photos[i], 1, heads.photo_view(i), i) for i in photo]
    shown += [heads.view_of(lessons.samples[i], 2, v, i) for v, i in (divmod(k, len(lessons.samples)) for k in sample)]
    shown = [picture[:, ::-1] if random.random() < 0.5 else picture for picture in shown]
    target = torch.cat([lessons.photo_targets[photo], lessons.sample_targets[sample]])

    size, again = int(random.choice(config.sizes)), random.choice(len(shown), config.shrunk, replace=False)
    placed = student([data.resize(picture, size, size) for picture in shown])
    small = [lowres.shrink(shown[i], config.small_size, random) for i in again]
    tiny = random.integers(len(lessons.tiny), size=config.tiny)
    small += [lowres.shrink(lowres.random_crop(lessons.tiny[i], 0.8, random), config.small_size, random) for i in tiny]
    little = student(small)

    near = torch.cat([placed, little[: config.shrunk]])
    target = torch.cat([target, target[again]])
    loss = config.teacher * (1 - (near * target).sum(1)).mean()
    says, wanted = (F.log_softmax(config.name_scale * x @ lessons.names.T, 1) for x in (near, target))
    loss = loss + config.names * F.kl_div(says, wanted, log_target=True, reduction="batchmean")
    loss = loss + config.captions * caption_loss(
        placed[: config.photos], lessons, config, torch.from_numpy(photo), random
    )
    logits = config.name_scale * little[config.shrunk :] @ lessons.names.T
    return loss + config.tiny_names * F.cross_entropy(logits, lessons.tiny_class[tiny], label_smoothing=0.1)


def caption_loss(placed: Tensor, lessons: Lessons, config: DistilConfig, photo: Tensor, random: Generator) -> Tensor:
    """InfoNCE both ways against the whole training set; other captions of the same photo do not count."""
    count = lessons.captions.shape[1]
    chosen = torch.from_numpy(random.integers(count, size=len(photo)))
    logits = config.caption_scale * placed @ lessons.captions.flatten(0, 1).T
    right = photo * count + chosen
    own = (photo * count)[:, None] + torch.arange(count)
    blocked = torch.zeros_like(logits, dtype=torch.bool).scatter(1, own, True).scatter(1, right[:, None], False)
    forth = F.cross_entropy(logits.masked_fill(blocked, -1e4), right)
    # Each caption: the student's embedding of its photo against the teacher's of all others.
    written = lessons.captions[photo, chosen]
    others = (config.caption_scale * written @ lessons.photo_targets.T).scatter(1, photo[:, None], -1e4)
    own_score = config.caption_scale * (written * placed).sum(1, keepdim=True)
    back = F.cross_entropy(torch.cat([own_score, others], 1), torch.zeros(len(photo), dtype=torch.long))
    return (forth + back) / 2


def tune_student(student: Student, lessons: Lessons, config: DistilConfig, folder: Path) -> None:
    """Writes `student.pt`, the moving average of the weights; continues from `checkpoint.pt`."""
    torch.manual_seed(config.seed)
    groups = ((student.tower.train_from(config.first_layer), config.rate),
              ([student.weight, student.bias], config.head_rate))  # fmt: skip
    optimizer = torch.optim.AdamW(
        [{"params": params, "lr": rate, "peak": rate} for params, rate in groups],
        weight_decay=config.decay, betas=(0.9, 0.98),
    )  # fmt: skip
    average = {key: value.clone() for key, value in student.state_dict().items()}
    first, seen, checkpoint = 0, [], folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(saved["student"])
        optimizer.load_state_dict(saved["optimizer"])
        average, first = saved["average"], saved["step"]
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * lowres.cosine_rate(step, config.steps, config.warmup)
        loss = distil_loss(student, lessons, config, np.random.default_rng([config.seed, step]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 2.0)
        optimizer.step()
        pace = min(config.average, (step + 1) / (step + 10))
        for key, value in student.state_dict().items():
            average[key].lerp_(value, 1 - pace)
        seen.append(loss.item())
        if (step + 1) % 20 == 0:
            log.info("distil step %d of %d, loss %.3f", step + 1, config.steps, np.mean(seen[-20:]))
        if (step + 1) % 60 == 0:
            saved = {"student": student.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
            torch.save(saved | {"step": step + 1}, checkpoint)
    torch.save(average, folder / "student.pt")
    checkpoint.unlink(missing_ok=True)


def load_student(tower: str, path: Path) -> Student:
    """As `tune_student` left it, with nothing to train."""
    student = Student(ImageTower(tower), torch.zeros(384, 1280), torch.zeros(384), 1.0)
    student.load_state_dict(torch.load(path, weights_only=True))
    return student.requires_grad_(False)
