"""OpenCV, imported when a feature that needs it is used."""

from __future__ import annotations

from typing import Any

from wordsight.errors import MissingExtra


def opencv(feature: str) -> Any:
    """Return the module ``cv2``; raises ``MissingExtra`` that says ``feature`` needs it when it is not installed."""
    try:
        import cv2
    except ImportError:
        raise MissingExtra(feature, "classical") from None
    return cv2
