"""Tunes the text tower on captions, against the embeddings that the teacher gave the photos.

The photos stand still: each caption is told from all photos of the training set, not only from those of a batch. The
embeddings of names are held where they were, because captions know few of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import lowres, texts
from training.towers import TextTower

log = logging.getLogger("training")


@dataclass(frozen=True)
class SentenceConfig:
    steps: int = 440
    captions: int = 64  # in a step
    names: int = 16
    rate: float = 5e-5
    head_rate: float = 2e-4
    decay: float = 0.01
    warmup: int = 20
    first_block: int = 3  # the blocks before it, and the tables, stay as they are
    keep: float = 20.0  # weight of "names stay"
    scale: float = 40.0  # of similarities, before the softmax
    average: float = 0.98
    seed: int = 0


class Writer(nn.Module):
    """The text tower and its head."""

    def __init__(self, tower: TextTower, weight: Tensor, bias: Tensor):
        super().__init__()
        self.tower, self.weight, self.bias = tower, nn.Parameter(weight.clone()), nn.Parameter(bias.clone())

    def forward(self, tokenizer: Any, rows: Sequence[str]) -> Tensor:
        sentences = self.tower(*texts.token_batch(tokenizer, rows))
        return F.normalize(F.linear(sentences, self.weight, self.bias), dim=1)

    def text_map(self) -> tuple[Tensor, Tensor]:
        return self.weight.detach(), self.bias.detach()


@dataclass
class Reading:
    """What a step draws from."""

    captions: list[list[str]]
    photos: Tensor  # (n, d): embeddings
    names: list[str]  # already in a template
    name_targets: Tensor  # (m, d): where they stood


def sentence_loss(writer: Writer, tokenizer: Any, reading: Reading, config: SentenceConfig, step: int) -> Tensor:
    random = np.random.default_rng([config.seed, step])
    photo = random.choice(len(reading.captions), config.captions, replace=False)
    written = [reading.captions[i][random.integers(len(reading.captions[i]))] for i in photo]
    name = random.choice(len(reading.names), config.names, replace=False)
    out = writer(tokenizer, written + [reading.names[i] for i in name])
    placed, named = out[: len(photo)], out[len(photo) :]
    wanted = torch.from_numpy(photo)
    forth = F.cross_entropy(config.scale * placed @ reading.photos.T, wanted)
    back = F.cross_entropy(config.scale * reading.photos[wanted] @ placed.T, torch.arange(len(photo)))
    moved = 1 - (named * reading.name_targets[torch.from_numpy(name)]).sum(1)
    return (forth + back) / 2 + config.keep * moved.mean()


def parameter_groups(writer: Writer, config: SentenceConfig) -> Iterator[dict[str, Any]]:
    writer.tower.requires_grad_(False)
    tuned = [p for block in writer.tower.blocks[config.first_block :] for p in block.parameters()]
    for group, rate in ((tuned, config.rate), ([writer.weight, writer.bias], config.head_rate)):
        yield {"params": [p.requires_grad_() for p in group], "lr": rate, "peak": rate}


def tune_sentences(writer: Writer, reading: Reading, config: SentenceConfig, folder: Path) -> None:
    """Writes `writer.pt`, the moving average of the weights; continues from `checkpoint.pt`."""
    torch.manual_seed(config.seed)
    tokenizer = texts.full_tokenizer()
    optimizer = torch.optim.AdamW(list(parameter_groups(writer, config)), weight_decay=config.decay, betas=(0.9, 0.98))
    average = {key: value.clone() for key, value in writer.state_dict().items()}
    first, seen, checkpoint = 0, [], folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        writer.load_state_dict(saved["writer"])
        optimizer.load_state_dict(saved["optimizer"])
        average, first = saved["average"], saved["step"]
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * lowres.cosine_rate(step, config.steps, config.warmup)
        loss = sentence_loss(writer, tokenizer, reading, config, step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 2.0)
        optimizer.step()
        pace = min(config.average, (step + 1) / (step + 10))
        for key, value in writer.state_dict().items():
            average[key].lerp_(value, 1 - pace)
        seen.append(loss.item())
        if (step + 1) % 20 == 0:
            log.info("sentences step %d of %d, loss %.3f", step + 1, config.steps, np.mean(seen[-20:]))
        if (step + 1) % 60 == 0:
            saved = {"writer": writer.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
            torch.save(saved | {"step": step + 1}, checkpoint)
    torch.save(average, folder / "writer.pt")
    checkpoint.unlink(missing_ok=True)


def load_writer(path: Path) -> Writer:
    """As `tune_sentences` left it, with nothing to train."""
    writer = Writer(TextTower(), torch.zeros(384, 384), torch.zeros(384))
    writer.load_state_dict(torch.load(path, weights_only=True))
    return writer.requires_grad_(False)
