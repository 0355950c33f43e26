"""Trains the picture projection and the text head on cached features of the frozen towers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import data
from training.lowres import cosine_rate, random_crop
from training.ridge import Heads

log = logging.getLogger("training")


@dataclass(frozen=True)
class HeadConfig:
    steps: int = 200
    batch: int = 384
    rate: float = 1e-3
    decay: float = 0.02
    warmup: int = 30
    dropout: float = 0.1
    captions: float = 4.0  # weights of the losses
    distil: float = 1.0
    tiny: float = 1.0
    wordnet: float = 0.1
    temperature: float = 1.5  # of the distilled classifier
    nodes: int = 192  # WordNet nodes in a step, and as many nouns
    nouns: float = 0.0  # what the captions name, as labels
    seed: int = 0


@dataclass
class Cached:
    """Features of the frozen towers. The first axis of the photos and samples are views (crops) of the same picture."""

    photos: Tensor  # (views, n, 1280)
    captions: Tensor  # (n, 5, 384)
    samples: Tensor  # (views, 1000, 1280)
    tiny: Tensor  # (m, 1280); unused with a weight of zero
    tiny_class: Tensor  # (m)
    teacher: Callable[[Tensor], Tensor]  # pooled features -> ImageNet scores
    class_texts: list[Tensor]  # for each class (variants, 384)
    node_texts: list[Tensor]  # for each WordNet ancestor (variants, 384)
    node_members: Tensor  # (nodes, 1000), 1 where the class is below the node
    noun_texts: list[Tensor]  # for each concept of the captions (variants, 384)
    noun_shown: Tensor  # (n, concepts): 1 in the photo, 0 not, between unknown; see `nouns.Nouns`


def view_of(picture: data.Pixels, seed: int, view: int, index: int) -> data.Pixels:
    """View 0 is the whole picture, the others are random crops; the same for every tower."""
    return picture if view == 0 else random_crop(picture, 0.6, np.random.default_rng([seed, view, index]))


def at_view(pictures: Sequence[data.Pixels], seed: int, view: int) -> list[data.Pixels]:
    return [view_of(picture, seed, view, index) for index, picture in enumerate(pictures)]


def photo_view(index: int) -> int:
    """Where each photo is looked at once: whole at every second one, at a crop of the others."""
    return index % 2


def looked(pictures: Sequence[data.Pixels], seed: int) -> list[data.Pixels]:
    """One view of each."""
    return [view_of(picture, seed, photo_view(index), index) for index, picture in enumerate(pictures)]


class Trained(nn.Module):
    """The two heads and the temperatures as parameters."""

    def __init__(self, start: Heads, dropout: float):
        super().__init__()
        self.fixed = start
        self.image, self.text = nn.Parameter(start.image.clone()), nn.Parameter(start.text.clone())
        self.log_scales = nn.Parameter(torch.full((2,), 20.0).log())  # captions, names
        self.dropout = nn.Dropout(dropout)

    def pictures(self, pooled: Tensor) -> Tensor:
        x = self.dropout((pooled - self.fixed.mean) / self.fixed.spread)
        return F.normalize(F.linear(x, self.image), dim=-1)

    def texts(self, sentences: Tensor) -> Tensor:
        return F.normalize(F.linear(self.dropout(sentences - self.fixed.centre), self.text), dim=-1)

    def scales(self) -> Tensor:
        return self.log_scales.exp().clamp(max=100)

    def heads(self) -> Heads:
        return replace(self.fixed, image=self.image.detach().clone(), text=self.text.detach().clone())


def draw(groups: Sequence[Tensor], random: np.random.Generator) -> Tensor:
    """One row of each group."""
    return torch.stack([group[random.integers(len(group))] for group in groups])


def info_nce(pictures: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric contrastive loss of matching rows (arXiv 2103.00020)."""
    logits = scale * pictures @ texts.T
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def head_loss(model: Trained, cached: Cached, config: HeadConfig, random: np.random.Generator) -> Tensor:
    caption_scale, name_scale = model.scales()
    n, half = cached.photos.shape[1], config.batch // 2
    picked = torch.from_numpy(random.choice(n, config.batch, replace=False))
    photos = cached.photos[torch.from_numpy(random.integers(len(cached.photos), size=config.batch)), picked]
    captions = cached.captions[picked, torch.from_numpy(random.integers(cached.captions.shape[1], size=config.batch))]
    loss = config.captions * info_nce(model.pictures(photos), model.texts(captions), caption_scale)

    names = model.texts(draw(cached.class_texts, random))
    shown = torch.from_numpy(random.choice(cached.samples.shape[1], half // 2, replace=False))
    samples = cached.samples[torch.from_numpy(random.integers(len(cached.samples), size=half // 2)), shown]
    taught = torch.cat([samples, photos[: half - half // 2]])
    logits = name_scale * model.pictures(taught) @ names.T
    wanted = F.softmax(cached.teacher(taught) / config.temperature, 1)
    loss = loss + config.distil * F.cross_entropy(logits, wanted)

    if config.tiny:
        small = torch.from_numpy(random.integers(len(cached.tiny), size=half))
        small_logits = name_scale * model.pictures(cached.tiny[small]) @ names.T
        loss = loss + config.tiny * F.cross_entropy(small_logits, cached.tiny_class[small])
    if config.nouns:
        loss = loss + config.nouns * noun_loss(model, cached, config, photos, picked, random)
    if config.wordnet:
        loss = loss + config.wordnet * node_loss(model, cached, config, taught, wanted, random)
    return loss


def node_loss(
    model: Trained, cached: Cached, config: HeadConfig, taught: Tensor, wanted: Tensor, random: np.random.Generator
) -> Tensor:
    """Each WordNet ancestor is present as much as the classes below it together."""
    nodes = random.choice(len(cached.node_texts), min(config.nodes, len(cached.node_texts)), replace=False)
    texts = model.texts(draw([cached.node_texts[i] for i in nodes], random))
    present = (wanted @ cached.node_members[nodes].T).clamp(0, 1)
    logits = model.scales()[1] * (model.pictures(taught) @ texts.T - 0.25)
    return F.binary_cross_entropy_with_logits(logits, present)


def noun_loss(
    model: Trained, cached: Cached, config: HeadConfig, photos: Tensor, picked: Tensor, random: np.random.Generator
) -> Tensor:
    """A label should stand nearer to each photo that shows it than to all that do not, as a search ranks them."""
    chosen = random.choice(len(cached.noun_texts), min(config.nodes, len(cached.noun_texts)), replace=False)
    texts = model.texts(draw([cached.noun_texts[i] for i in chosen], random))
    similar = model.scales()[1] * texts @ model.pictures(photos).T
    shown = cached.noun_shown[picked][:, chosen].T
    others = similar.masked_fill(shown != 0, -1e4).logsumexp(1, keepdim=True)
    right, count = shown == 1, (shown == 1).sum(1)
    each = (F.softplus(others - similar) * right).sum(1)
    return (each / count.clamp(min=1)).sum() / (count > 0).sum()


def train_heads(start: Heads, cached: Cached, config: HeadConfig) -> Heads:
    torch.manual_seed(config.seed)
    model = Trained(start, config.dropout).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=config.decay, betas=(0.9, 0.98))
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate * cosine_rate(step, config.steps, config.warmup)
        loss = head_loss(model, cached, config, np.random.default_rng([config.seed, step]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 150 == 0:
            log.info("heads step %d, loss %.3f, scales %s", step + 1, loss.item(), model.scales().tolist())
    return model.heads()
