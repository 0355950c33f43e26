"""Does the match estimate stay honest with regions? Asks for what is there and what is not, like benchmarks.matches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import matches_queries as queries
from wordsight.index.regions import WEIGHT
from wordsight.library import background
from wordsight.library.calibration import Calibration, learn, region_moments
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

if TYPE_CHECKING:
    from benchmarks.regions import Gallery


def run(encoder: Encoder, gallery: Gallery, labels: NDArray[np.int_], texts: Embeddings) -> dict[str, dict[str, float]]:
    """Return, by whole and by region, the share of queries that have a match, on VOC2007.

    ``labels`` (labels, pictures): 1 there, 0 not, -1 unknown. *there*: each label asked of all pictures; *rightly*: one
    of its matches is right. *taken out*: each label asked of the pictures without it. *things* and *nonsense*: texts
    that no picture shows.
    """
    bank = encoder.encode_texts([*background.THINGS, *background.NONSENSE])
    strangers = {
        name: encoder.encode_texts(queries.split(block))
        for name, block in (("things", queries.ABSENT_REPORT), ("nonsense", queries.NONSENSE_REPORT))
    }
    everything = _learn(gallery, bank)
    results = {}
    for told, by_region in (("whole", False), ("with_regions", True)):
        there = [_matched(gallery, everything, text, by_region) for text in texts]
        figures = {
            "there": _share(matched.any() for matched in there),
            "rightly": _share((matched & (row == 1)).any() for matched, row in zip(there, labels, strict=True)),
        }
        right = sum(int((m & (row == 1)).sum()) for m, row in zip(there, labels, strict=True))
        judged = sum(int((m & (row >= 0)).sum()) for m, row in zip(there, labels, strict=True))
        figures |= {"precision": round(right / max(judged, 1), 4), "recall": round(right / int((labels == 1).sum()), 4)}
        out = []
        for text, row in zip(texts, labels, strict=True):
            without = gallery.subset(np.flatnonzero(row == 0))
            out.append(_matched(without, _learn(without, bank), text, by_region).any())
        figures["taken_out"] = _share(out)
        for name, vectors in strangers.items():
            figures[name] = _share(_matched(gallery, everything, text, by_region).any() for text in vectors)
        results[told] = figures
    return results


def _matched(
    gallery: Gallery, calibration: Calibration, text: NDArray[np.float32], by_region: bool
) -> NDArray[np.bool_]:
    scores = gallery.scores(text[None], WEIGHT if by_region else 0.0)[0]
    return calibration.match(text, scores, by_region=by_region) >= 0.5


def _learn(gallery: Gallery, bank: Embeddings) -> Calibration:
    mean = gallery.whole.mean(axis=0, dtype=np.float64)
    covariance = gallery.whole.T.astype(np.float64) @ gallery.whole / len(gallery.whole) - np.outer(mean, mean)
    learned = learn(mean, covariance, bank, images=len(gallery.whole))
    middle, scale = region_moments([(gallery.whole, gallery.regions, gallery.counts)], bank)
    return replace(learned, regions=int((gallery.counts > 0).sum()), region_mean=middle, region_scale=scale)


def _share(flags) -> float:
    return round(float(np.mean(list(flags))), 4)
