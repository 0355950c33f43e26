"""From a name to an explainer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wordsight.errors import BadInput
from wordsight.explain.cams import AblationCam, Backbone, Cam, ScoreCam
from wordsight.explain.explainer import ViewExplainer
from wordsight.explain.linear import LinearBackbone
from wordsight.explain.method import Method, Projected
from wordsight.explain.options import ExplainOptions
from wordsight.explain.perturb import Occlusion, Rise
from wordsight.explain.rules import RULES
from wordsight.explain.votes import Votes
from wordsight.protocols import Encoder, LinearHeadEncoder, SpatialEncoder, VotingEncoder

AUTO = "auto"

Maker = Callable[[Encoder, ExplainOptions], Method]


def explainer(encoder: Encoder, method: str = AUTO, options: ExplainOptions | None = None) -> ViewExplainer:
    """Return the explainer of ``encoder`` by a method's name, such as "gradcam" (also written "Grad-CAM").

    "auto": the method that measured best for this kind of encoder. ``options``: ``None`` takes those that measured
    best for encoder and method. Raises ``BadInput`` for a name of no method, or of one that the encoder cannot have;
    the message lists those it has.
    """
    known = _methods_of(encoder)
    name = best_method(encoder) if method == AUTO else _plain(method)
    if name not in known:
        raise BadInput(f"{encoder.name} has no method {method!r}; it has {', '.join(known)}")
    chosen = best_options(encoder, name) if options is None else options
    return ViewExplainer(encoder, known[name](encoder, chosen), chosen)


def methods_of(encoder: Encoder) -> tuple[str, ...]:
    """Return the names of the methods that can explain ``encoder``, the best first."""
    best = best_method(encoder)
    return (best, *(name for name in _methods_of(encoder) if name != best))


def best_method(encoder: Encoder) -> str:
    """Return the method that measured best for this kind of encoder."""
    return next(iter(_methods_of(encoder)))


def best_options(encoder: Encoder, method: str) -> ExplainOptions:
    """Return the options that measured best for encoder and method."""
    if method == Projected.name and encoder.image_side is not None:
        return ExplainOptions(sides=(260, 390, 520), flip=True)
    return ExplainOptions()


def _methods_of(encoder: Encoder) -> Mapping[str, Maker]:
    known: dict[str, Maker] = {}
    stride = None  # of the maps whose mean stands for the embedding
    if isinstance(encoder, SpatialEncoder) and encoder.stride:
        stride = encoder.stride if encoder.pools_by_mean else None
        known[Projected.name] = lambda _, __: Projected(encoder)
    if isinstance(encoder, LinearHeadEncoder) and (head := encoder.head) is not None:
        known |= _cams(LinearBackbone(encoder, head))
    if isinstance(encoder, VotingEncoder):
        stride = 1
        if encoder.codebooks:
            known[Votes.name] = lambda _, __: Votes(encoder)
    known[Occlusion.name] = lambda encoder, options: Occlusion(encoder, options, stride)
    known[Rise.name] = lambda encoder, options: Rise(encoder, options, stride)
    return known


def _cams(backbone: Backbone) -> dict[str, Maker]:
    def rule(name: str) -> Maker:
        return lambda _, options: Cam(name, backbone, options)

    return {name: rule(name) for name in RULES} | {
        "ablationcam": lambda _, __: AblationCam(backbone),
        "gscorecam": lambda _, options: ScoreCam(backbone, options.channels),
        "scorecam": lambda _, __: ScoreCam(backbone),
    }


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())
