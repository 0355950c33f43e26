"""How figures are written in sentences and tables."""

from __future__ import annotations


def percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage with one digit."""
    return f"{share * 100:.1f} %"


def chance(p: float) -> str:
    """Return a p value as it is usually written."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
