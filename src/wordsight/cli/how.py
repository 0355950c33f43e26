"""From options of the command line to an explainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.explain import ViewExplainer


def changed_options(
    *,
    negative: Sequence[str] | None,
    against: Sequence[str] | None,
    softmax: float,
    sides: Sequence[int] | None,
    crops: Sequence[float] | None,
    flip: bool,
    smooth: bool,
) -> dict[str, Any]:
    """Return the ``ExplainOptions`` that were asked for; what was not stays as it measured best."""
    changes: dict[str, Any] = {"negative": tuple(negative or ())}
    if against:
        changes |= {"contrast": tuple(against), "contrast_weight": 1.0}
    if softmax:
        if not (against or negative):
            raise BadInput("--softmax compares with other texts: name them with --against or --not")
        changes["temperature"] = softmax
    if sides:
        changes["sides"] = tuple(sides)
    if crops:
        changes["crops"] = (1.0, *crops)
    if flip:
        changes["flip"] = True
    if smooth:
        changes["eigen_smooth"] = True
    return changes


def make_explainer(name: str, method: str, changes: dict[str, Any]) -> ViewExplainer:
    """Return the explainer of the encoder of that name, with changed options; refuses those that would do nothing."""
    from wordsight.explain import explainer
    from wordsight.explain.rules import RULES
    from wordsight.registry import load_encoder
    from wordsight.why import with_options

    made = with_options(explainer(load_encoder(name), method), **changes)
    if "eigen_smooth" in changes and made.method not in RULES:
        raise BadInput(f"--smooth is for --method {', '.join(RULES)}; got {made.method}")
    if "sides" in changes and not made.any_size:
        raise BadInput(f"{made.method} of {name} looks at pictures of one size only: use --crop instead of --size")
    return made


def cut_of(threshold: float | None, explainer: ViewExplainer) -> float:
    """Return the threshold of boxes: the one asked for, else the one that measured best."""
    from wordsight.explain import best_threshold

    cut = best_threshold(explainer.encoder, explainer.method) if threshold is None else threshold
    if not 0 < cut <= 1:
        raise BadInput(f"expected a threshold above 0 and at most 1, got {cut:g}")
    return cut
