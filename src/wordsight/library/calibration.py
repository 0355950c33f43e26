"""The match estimate: how likely a hit shows what was asked, learned from how unrelated queries score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.library.catalogue import Catalogue, StoredEncoder
from wordsight.protocols import Encoder


@dataclass(frozen=True)
class Calibration:
    """What is remembered of a catalogue and an encoder to judge a score."""

    def match(self, query: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability in [0, 1] that a photo with that score shows what was asked, one per score."""
        raise RuntimeError("being written")


def load(catalogue: Catalogue, encoder: StoredEncoder) -> Calibration | None:
    """Return the stored calibration, or ``None`` where there is none (too few photos, say)."""
    return None


def calibrate_if_due(catalogue: Catalogue, stored: StoredEncoder, encoder: Encoder) -> bool:
    """Learn and store the calibration when there is none or the catalogue changed much; return whether it was."""
    return False
