"""Teaches the image tower to read small, blurred pictures without forgetting large ones.

Tiny-ImageNet pictures are shrunk to 24-64 px, blown up again, and named by the frozen ImageNet classifier; clean
photos, half of them shrunk as well, are distilled to what the original tower says of them at full size: asked at every
step, or looked up where its features of fixed crops are there already. Some photos, half of them shrunk too,
can be fed large, so that large ones are not paid with, and blurred scenes are read at the size at which they arrive.
At the end the weights are averaged with the original's (WiSE-FT, arXiv 2109.01903).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from PIL import Image
from torch import Tensor

from training import data
from training.towers import ImageTower

log = logging.getLogger("training")
METHODS = (Image.Resampling.BICUBIC, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class LowresConfig:
    tower: str = "lite0"
    samples: int = 40_000
    tiny: int = 40  # labelled small pictures in a batch
    clean: int = 24  # distilled photos in a batch, fed at `size`
    large: int = 0  # distilled photos in a batch, fed at a size drawn from `large_sizes`
    large_sizes: tuple[int, ...] = (224,)
    size: int = 112
    first_layer: int = 9  # layers before it stay as they are; 9 is the third stage of lite0, 12 of lite2
    rate: float = 4e-4
    decay: float = 0.01
    warmup: int = 20
    stop: int = 0  # if not zero, the schedule of all samples is left after so many steps,
    landing: int = 0  # over the last ones of which the rate falls to zero
    seed: int = 0


def cosine_rate(step: int, steps: int, warmup: int) -> float:
    """Linear rise, then half a cosine to zero; in units of the peak."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def landing(left: int, over: int) -> float:
    """1, and half a cosine to zero over the last steps; `left`: those to come, this one with them."""
    return 0.5 * (1 - math.cos(math.pi * min(left, over) / over)) if over else 1.0


def shrink(pixels: data.Pixels, size: int, random: Generator) -> data.Pixels:
    """Down to 24-64 px and up to `size`."""
    small = int(random.integers(24, 65))
    method = METHODS[random.integers(len(METHODS))]
    return data.resize(data.resize(pixels, small, small, method), size, size)


def random_crop(pixels: data.Pixels, least: float, random: Generator) -> data.Pixels:
    """A part with at least that share of each side, turned left-right half of the time."""
    height, width = pixels.shape[:2]
    share = random.uniform(least, 1.0, 2)
    h, w = int(height * share[0]), int(width * share[1])
    top, left = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
    part = pixels[top : top + h, left : left + w]
    return part[:, ::-1] if random.random() < 0.5 else part


def to_tensor(pictures: list[data.Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Looks:
    """Fixed crops and the original tower's pooled features of each, (n, 1280)."""

    pictures: list[data.Pixels]
    targets: Tensor


@dataclass
class Pictures:
    """What the stage learns from, in memory."""

    tiny: data.Pixels
    tiny_class: Tensor  # ImageNet class of each
    clean: list[data.Pixels]
    looks: Looks | None = None

    @classmethod
    def load(cls, folder: Path, looks: Looks | None = None) -> Pictures:
        samples, wnids = data.read_samples(folder)
        tiny, tiny_wnids = data.read_tiny(folder)
        photos = list(data.read_flickr(folder, data.read_captions(folder, "train").names))
        classes = {wnid: index for index, wnid in enumerate(wnids)}
        # Half of the draws come from the samples, though the photos are five times as many.
        return cls(
            tiny,
            torch.tensor([classes[w] for w in tiny_wnids]),
            samples * (len(photos) // len(samples)) + photos,
            looks,
        )

    def draw(self, count: int, teacher: ImageTower, random: Generator) -> tuple[list[data.Pixels], Tensor]:
        """Clean photos, each turned left-right half of the time, and what the student is to say of them."""
        if self.looks is not None:
            picked = random.integers(len(self.looks.pictures), size=count)
            shown = [self.looks.pictures[i] for i in picked]
            return [p[:, ::-1] if random.random() < 0.5 else p for p in shown], self.looks.targets[picked]
        clean = [self.clean[i] for i in random.integers(len(self.clean), size=count)]
        clean = [data.resize(random_crop(picture, 0.6, random), 224, 224) for picture in clean]
        with torch.no_grad():
            return clean, teacher.pooled(to_tensor(clean))


def distil(student: ImageTower, pooled: Tensor, target: Tensor) -> Tensor:
    """KL of the 1000-way output plus 3 (1 - cosine) of the features."""
    scores, wanted = student.classify(pooled), student.classify(target)
    kl = F.kl_div(F.log_softmax(scores, 1), F.log_softmax(wanted, 1), log_target=True, reduction="batchmean")
    return kl + 3 * (1 - F.cosine_similarity(pooled, target)).mean()


def lowres_loss(
    student: ImageTower, teacher: ImageTower, pictures: Pictures, config: LowresConfig, random: Generator
) -> Tensor:
    picked = random.integers(len(pictures.tiny), size=config.tiny)
    small = [shrink(random_crop(pictures.tiny[i], 0.8, random), config.size, random) for i in picked]
    clean, target = pictures.draw(config.clean + config.large, teacher, random)
    for i, picture in enumerate(clean[: config.clean]):
        small.append(shrink(picture, config.size, random) if i % 2 else data.resize(picture, config.size, config.size))
    pooled = student.pooled(to_tensor(small))
    named = student.classify(pooled[: config.tiny])
    loss = F.cross_entropy(named, pictures.tiny_class[picked], label_smoothing=0.1)
    loss = loss + distil(student, pooled[config.tiny :], target[: config.clean])
    if config.large:
        side = int(random.choice(config.large_sizes))
        shown = clean[config.clean :]
        shown = [shrink(p, side, random) if i % 2 else data.resize(p, side, side) for i, p in enumerate(shown)]
        loss = loss + distil(student, student.pooled(to_tensor(shown)), target[config.clean :])
    return loss


def tune_lowres(config: LowresConfig, data_folder: Path, folder: Path, looks: Looks | None = None) -> None:
    """Writes `tower.pt` (the tuned weights, before averaging); continues from `checkpoint.pt`."""
    torch.manual_seed(config.seed)
    pictures = Pictures.load(data_folder, looks)
    teacher, student = ImageTower(config.tower).requires_grad_(False), ImageTower(config.tower)
    parameters = student.train_from(config.first_layer)
    optimizer = torch.optim.AdamW(parameters, lr=config.rate, weight_decay=config.decay)
    steps = config.samples // (config.tiny + config.clean + config.large)
    first, seen = 0, []
    if (folder / "checkpoint.pt").exists():
        saved = torch.load(folder / "checkpoint.pt", weights_only=True)
        student.load_state_dict(saved["tower"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    stop = min(steps, config.stop or steps)
    for step in range(first, stop):
        random = np.random.default_rng([config.seed, step])
        for group in optimizer.param_groups:
            group["lr"] = config.rate * cosine_rate(step, steps, config.warmup) * landing(stop - step, config.landing)
        loss = lowres_loss(student, teacher, pictures, config, random)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        seen.append(loss.item())
        if (step + 1) % 50 == 0:
            log.info("lowres step %d of %d, loss %.3f", step + 1, stop, np.mean(seen[-50:]))
        if (step + 1) % 200 == 0:
            saved = {"tower": student.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(saved, folder / "checkpoint.pt")
    torch.save(student.state_dict(), folder / "tower.pt")
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def averaged(tower: str, tuned: Path, share: float) -> ImageTower:
    """The original weights moved by `share` of the way to the tuned ones; nothing left to train."""
    model = ImageTower(tower)
    new = torch.load(tuned, weights_only=True)
    mixed = {key: torch.lerp(value, new[key], share) for key, value in model.state_dict().items()}
    model.load_state_dict(mixed)
    return model.requires_grad_(False)
