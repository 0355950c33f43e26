"""Backbones in torch (extra ``openclip``): class activation maps, guided backpropagation, attention.

Hooks and guided backpropagation are the grad-cam library's; layers and the way from tokens to a grid are the encoder's
to know (``TorchTower``), never the user's.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wordsight.explain.cams import Ablated, Layer, cam_methods
from wordsight.explain.method import Maps, Method
from wordsight.explain.objective import Objective
from wordsight.explain.options import ExplainOptions
from wordsight.protocols import DifferentiableEncoder, Image
from wordsight.types import Embeddings

if TYPE_CHECKING:
    from wordsight.encoders.open_clip_towers import TorchTower

Array = NDArray[np.float32]

_CHANNELS = 256  # ablated at a time; what lies below the layer is run anew for each batch
_POOL = 4  # pixels of guided backpropagation along each side of a place: single ones are noise


class TorchBackbone:
    """The last layer of an image tower that is worth weighing, as ``TorchTower.layers`` says."""

    stride: int | None = None

    def __init__(self, encoder: DifferentiableEncoder) -> None:
        self._encoder = encoder
        self.tower = _own_modules(encoder.gradients())
        self._lock = threading.Lock()  # hooks see every call of the modules

    def layers(self, views: Sequence[Image], objective: Objective) -> Iterator[Layer]:
        """Yield the layer of each view."""
        for view in views:
            with self._lock:
                yield self._layer(view, objective)

    def ablated(self, view: Image) -> Ablated:
        """Return what becomes of a view without each channel; what is below the layer is run once a batch."""
        pixels, layer = self.pixels([view]), self.tower.layers[-1]
        kept: list[Tensor] = []
        with self._lock, torch.inference_mode():
            handle = layer.register_forward_hook(lambda *call: kept.append(call[-1]))
            whole = self.unit(self.tower.module(pixels))
            handle.remove()
            (output,) = kept
            channels = self.tower.to_map(output).shape[1]
            parts = []
            for start in range(0, channels, _CHANNELS):
                without = _without(output, range(start, min(start + _CHANNELS, channels)), output.ndim == 4)
                handle = layer.register_forward_hook(lambda *_, without=without: without)
                parts.append(self.unit(self.tower.module(pixels)))
                handle.remove()
        activations = self.tower.to_map(output)[0]
        return Ablated(_numpy(activations), _numpy(whole), _numpy(torch.cat(parts)))

    def embed(self, views: Sequence[Image]) -> Embeddings:
        """Return the (n, dim) embeddings of views."""
        return self._encoder.encode_images(views)

    def pixels(self, views: Sequence[Image]) -> Tensor:
        """Return the tower's input with gradients, (n, 3, side, side)."""
        pixels: Tensor = self._encoder.pixels(views)
        return pixels.requires_grad_()

    @staticmethod
    def unit(embeddings: Tensor) -> Tensor:
        """Return embeddings of unit length: all backbones in torch have a cosine metric."""
        return functional.normalize(embeddings, dim=-1)

    def _layer(self, view: Image, objective: Objective) -> Layer:
        pixels = self.pixels([view])
        from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients

        seen = ActivationsAndGradients(self.tower.module, [self.tower.layers[-1]], self.tower.to_map)
        try:
            embedding = self.unit(seen(pixels))
            gradients = []
            for value in surrogates(embedding, objective):
                seen.gradients = []
                torch.autograd.grad(value, pixels, retain_graph=True)
                gradients.append(seen.gradients[0][0])
            return Layer(_numpy(seen.activations[0][0]), _numpy(torch.stack(gradients)))
        finally:
            seen.release()


class GuidedBackprop:
    """Gradients for the pixels, where every ReLU lets through only what is positive both ways.

    Springenberg et al. 2015, "Striving for simplicity" (ICLR workshop). A place is the largest of its channels.
    """

    name = "guided"
    stride: int | None = None

    def __init__(self, backbone: TorchBackbone) -> None:
        self._backbone = backbone

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Array:
        from pytorch_grad_cam import GuidedBackpropReLUModel

        # The library exchanges modules and leaves gradients with the weights: all of it in a copy.
        guided = GuidedBackpropReLUModel(_Values(copy.deepcopy(self._backbone.tower.module), objective))
        maps = []
        for text in range(len(objective.texts)):
            gradient = guided(self._backbone.pixels([view]).detach(), text)  # (h, w, 3)
            strongest = torch.from_numpy(np.abs(gradient).max(axis=2))[None, None]
            maps.append(_numpy(functional.avg_pool2d(strongest, _POOL)[0, 0]))
        return np.stack(maps)


class GradEclip:
    """The values of the last attention, weighted by their gradients and by what the pooling token's query likes.

    Zhao et al. 2024, "Gradient-based visual explanation for transformer-based CLIP" (ICML), eq. 7 and 8.
    """

    name = "gradeclip"
    stride: int | None = None

    def __init__(self, backbone: TorchBackbone) -> None:
        self._backbone = backbone

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Array:
        tower = self._backbone.tower
        assert tower.trace is not None, "offered for towers with a trace only"
        assert tower.pool is not None, "offered for towers with a trace only"
        last = tower.trace(self._backbone.pixels([view]))[-1]
        values, keys, queries = (_joined(part)[0] for part in (last.values, last.keys, last.queries))
        liked = functional.cosine_similarity(queries[:1], keys[tower.prefix :], dim=-1)
        liked = (liked - liked.min()) / (liked.max() - liked.min()).clamp_min(1e-12)
        maps = []
        for value in surrogates(self._backbone.unit(tower.pool(last.tokens)), objective):
            (gradient,) = torch.autograd.grad(value, last.mixed, retain_graph=True)
            weighted = (gradient[0, :1] * values[tower.prefix :]).sum(dim=-1) * liked
            maps.append(_grid(functional.relu(weighted)))
        return np.stack(maps)


class LeGrad:
    """Positive gradients for the attention weights, averaged over heads and queries, and summed over all blocks.

    Bousselham et al. 2024, "LeGrad: an explainability method for vision transformers via feature formation
    sensitivity", eq. 5 to 8.
    """

    name = "legrad"
    stride: int | None = None

    def __init__(self, backbone: TorchBackbone) -> None:
        self._backbone = backbone

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Array:
        tower = self._backbone.tower
        assert tower.trace is not None, "offered for towers with a trace only"
        assert tower.pool is not None, "offered for towers with a trace only"
        total = np.zeros((), np.float32)
        for block in tower.trace(self._backbone.pixels([view])):
            values = surrogates(self._backbone.unit(tower.pool(block.tokens)), objective)
            gradients = [torch.autograd.grad(value, block.attention, retain_graph=True)[0] for value in values]
            places = [functional.relu(g[0]).mean(dim=(0, 1))[tower.prefix :] for g in gradients]
            total = total + np.stack([_grid(place) for place in places])
        return np.asarray(total, np.float32)


def torch_methods(encoder: DifferentiableEncoder) -> dict[str, Callable[[ExplainOptions], Method]]:
    """Return the methods that gradients allow the encoder, by name; what its architecture lacks is left out."""
    backbone = TorchBackbone(encoder)
    made: dict[str, Callable[[ExplainOptions], Method]] = {}
    if backbone.tower.trace is not None:
        made = {GradEclip.name: lambda _: GradEclip(backbone), LeGrad.name: lambda _: LeGrad(backbone)}
    made |= cam_methods(backbone)
    if any(isinstance(module, nn.ReLU) for module in backbone.tower.module.modules()):
        made[GuidedBackprop.name] = lambda _: GuidedBackprop(backbone)
    return made


def surrogates(embedding: Tensor, objective: Objective) -> list[Tensor]:
    """Return for each text a number with the objective's gradient at ``embedding``, (1, dim)."""
    directions = objective.directions(_numpy(embedding))[0]
    return [(embedding[0] * torch.from_numpy(row).to(embedding)).sum() for row in directions]


class _Values(nn.Module):  # type: ignore[misc]  # torch is not followed: it need not be there
    """From pixels to the surrogates of all texts, (1, m): outputs to choose from, as the library expects."""

    def __init__(self, tower: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.tower, self._objective = tower, objective

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.stack(surrogates(TorchBackbone.unit(self.tower(pixels)), self._objective))[None]


def _own_modules(tower: TorchTower) -> TorchTower:
    """Return a tower of modules that nobody else runs, so that hooks see no other call; weights are shared."""
    shared = [*tower.module.parameters(), *tower.module.buffers()]
    return copy.deepcopy(tower, {id(tensor): tensor for tensor in shared})


def _without(output: Tensor, channels: range, channels_first: bool) -> Tensor:
    """Return (k, ...): the output for one view with zeros for one channel in each row."""
    rows = output.repeat(len(channels), *[1] * (output.ndim - 1))
    for row, channel in enumerate(channels):
        rows[row].select(0 if channels_first else -1, channel).zero_()
    return rows


def _joined(heads: Tensor) -> Tensor:
    """Return (n, L, C) of (n, H, L, C / H)."""
    return heads.transpose(1, 2).flatten(2)


def _grid(places: Tensor) -> Array:
    side = round(len(places) ** 0.5)
    return _numpy(places.reshape(side, side))


def _numpy(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().cpu().numpy(), np.float32)
