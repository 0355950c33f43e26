"""What can be searched: a catalogue or a store, seen through one encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wordsight.library.filters import Filters
from wordsight.library.hits import Answer
from wordsight.library.search import Place
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Query


class Searchable(Protocol):
    """Photos seen through one encoder; ``library.Library`` tells what arguments and answers mean."""

    encoder: Encoder

    def search(
        self,
        query: str | Sequence[str] | Query,
        *,
        top: int = 10,
        within: Sequence[Path | str] = (),
        filters: Filters | None = None,
        matches_only: bool = False,
        regions: bool = True,
        after: Place | None = None,
        vector: NDArray[np.float32] | None = None,
        prompts: Sequence[str] = (),
    ) -> Answer:
        """Return the closest photos."""

    def content_vector(self, digits: str) -> Embeddings:
        """Return the vector of a picture by the first digits of its SHA-256."""
