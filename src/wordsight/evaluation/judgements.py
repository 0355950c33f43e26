"""What is right as masks, in the order of a score matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordsight.types import Qrels


@dataclass(frozen=True, slots=True)
class Judgements:
    """Masks (queries, images): which images are ``relevant``, and which are ``ignored`` and count neither way."""

    relevant: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The pairs that count."""
        return ~self.ignored


def judgements(query_ids: Sequence[str], image_ids: Sequence[str], qrels: Qrels) -> Judgements:
    """Return ``qrels`` as masks; an image that is ignored for a query is not relevant to it."""
    columns = {image: column for column, image in enumerate(image_ids)}
    relevant = np.zeros((len(query_ids), len(image_ids)), np.bool_)
    ignored = np.zeros_like(relevant)
    for row, query in enumerate(query_ids):
        grades: Mapping[str, int] = qrels.grades.get(query, {})
        relevant[row, [columns[image] for image, grade in grades.items() if grade > 0 and image in columns]] = True
        ignored[row, [columns[image] for image in qrels.ignored.get(query, ()) if image in columns]] = True
    return Judgements(relevant & ~ignored, ignored)
