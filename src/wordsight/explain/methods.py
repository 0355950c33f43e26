"""From a name to an explainer."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable

from wordsight.errors import BadInput, MissingExtra
from wordsight.explain.background import BACKGROUND
from wordsight.explain.boxes import THRESHOLD
from wordsight.explain.cams import cam_methods
from wordsight.explain.explainer import ViewExplainer
from wordsight.explain.linear import LinearBackbone
from wordsight.explain.method import Method, Projected
from wordsight.explain.options import ExplainOptions
from wordsight.explain.perturb import Occlusion, Rise
from wordsight.explain.rules import RULES
from wordsight.explain.votes import Votes
from wordsight.protocols import DifferentiableEncoder, Encoder, LinearHeadEncoder, SpatialEncoder, VotingEncoder

AUTO = "auto"

SHARP = ExplainOptions(sides=(185, 260, 370, 517, 740), contrast=BACKGROUND, contrast_weight=2, prompts=True)
"""What measured best for convolutional encoders with mean pooling: benchmarks/results/localization.json."""

SHARP_THRESHOLD = 0.2
RESNET_THRESHOLD = 0.2
"""Usual in the literature for ResNets; ``THRESHOLD`` is that for transformers. Neither is fitted."""

GUIDED = "guided"  # what has ReLU, in the models of OpenCLIP, is a ResNet

Maker = Callable[[ExplainOptions], Method]

_HOOKED = {*RULES, "scorecam", "gscorecam", GUIDED}  # for networks in torch, these use the grad-cam library


def explainer(encoder: Encoder, method: str = AUTO, options: ExplainOptions | None = None) -> ViewExplainer:
    """Return the explainer of ``encoder`` by a method's name, such as "gradcam" (also written "Grad-CAM").

    "auto": the method that measured best for this kind of encoder. ``options``: ``None`` takes those that measured
    best for encoder and method. Raises ``BadInput`` for a name of no method, or of one that the encoder cannot have
    (the message lists those it has), and ``MissingExtra`` for one that needs a library which is not installed.
    """
    known = _methods_of(encoder)
    name = next(iter(known)) if method == AUTO else re.sub(r"[\s_-]", "", method.lower())
    if name not in known:
        raise BadInput(f"{encoder.name} has no method {method!r}; it has {', '.join(known)}")
    if isinstance(encoder, DifferentiableEncoder) and name in _HOOKED and not _installed("pytorch_grad_cam"):
        raise MissingExtra(f"the method {name} for {encoder.name}", "explain")
    chosen = best_options(encoder, name) if options is None else options
    return ViewExplainer(encoder, known[name](chosen), chosen)


def methods_of(encoder: Encoder) -> tuple[str, ...]:
    """Return the names of the methods that can explain ``encoder``, the one that "auto" takes first."""
    return tuple(_methods_of(encoder))


def best_method(encoder: Encoder) -> str:
    """Return the method that "auto" takes for this kind of encoder."""
    return methods_of(encoder)[0]


def best_options(encoder: Encoder, method: str) -> ExplainOptions:
    """Return the options that measured best for encoder and method."""
    if method == Projected.name and isinstance(encoder, LinearHeadEncoder) and encoder.image_side is not None:
        return SHARP
    return ExplainOptions(prompts=encoder.vocabulary is None)


def best_threshold(encoder: Encoder, method: str) -> float:
    """Return the threshold of ``boxes`` that measured best for maps of encoder and method with ``best_options``."""
    if best_options(encoder, method) == SHARP:
        return SHARP_THRESHOLD
    if isinstance(encoder, DifferentiableEncoder) and GUIDED in _methods_of(encoder):
        return RESNET_THRESHOLD
    return THRESHOLD


def _methods_of(encoder: Encoder) -> dict[str, Maker]:
    """Return the methods by what the encoder declares, the best first."""
    known: dict[str, Maker] = {}
    stride = None  # of the maps whose mean stands for the embedding
    if isinstance(encoder, DifferentiableEncoder):
        from wordsight.explain.torch_backbone import torch_methods  # torch is there: the encoder runs in it

        known |= torch_methods(encoder)
    if isinstance(encoder, SpatialEncoder) and encoder.stride:
        stride = encoder.stride if encoder.pools_by_mean else None
        known = {Projected.name: lambda _: Projected(encoder)} | known
    if isinstance(encoder, LinearHeadEncoder) and encoder.gives_features:
        known |= cam_methods(LinearBackbone(encoder))
    if isinstance(encoder, VotingEncoder):
        stride = 1
        if encoder.codebooks:
            known[Votes.name] = lambda _: Votes(encoder)
    known[Occlusion.name] = lambda options: Occlusion(encoder, options, stride)
    known[Rise.name] = lambda options: Rise(encoder, options, stride)
    return known


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
