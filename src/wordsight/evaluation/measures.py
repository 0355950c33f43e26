"""Measures as values: each has a name, a definition, a formula and a source. ``parse("nDCG@10")`` gives one.

Why not ir_measures or ranx: the first needs a compiled trec_eval, the second numba, pandas and scipy, several times
the weight of this package; both take runs as dictionaries, where a matrix of scores is at hand here. What is needed
fits one page of numpy; the tests check it against trec_eval to 1e-9, scikit-learn and hand-worked cases.

Policies for what the formulas leave open (docs/evaluation.md): a query without a relevant image has no value and is
left out and counted; a query that a run does not answer has the value 0; ignored images are taken out of the ranking
before it is measured; ranks past the end of a ranking hold nothing relevant, so P@10 of three answers divides by 10.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput

Values: TypeAlias = NDArray[np.float64]
"""One value a query, (m,), in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Rankings with every image replaced by its grade.

    ``grades`` (m, d): column 0 is rank 1; 0 where an image is not relevant and past the end. ``ideal`` (m, r): the
    grades of all relevant images, also those that were not found, from the highest down, then 0. Every row of
    ``ideal`` starts with a positive grade.
    """

    grades: NDArray[np.int64]
    ideal: NDArray[np.int64]

    @property
    def hits(self) -> NDArray[np.int64]:
        """Number of relevant images up to and including each rank, (m, d)."""
        total: NDArray[np.int64] = np.cumsum(self.grades > 0, axis=1)
        return total

    @property
    def relevant(self) -> NDArray[np.int64]:
        """Number of relevant images there are, (m,), at least 1."""
        return np.asarray(np.count_nonzero(self.ideal > 0, axis=1), np.int64)


@dataclass(frozen=True, slots=True)
class Measure:
    """What is computed of each ranking, and how its mean over the queries is called.

    ``turned``: asked the other way round, each image is the query and ranks the texts. ``by_text``: its values are
    first averaged over the images of each text.
    """

    name: str
    mean_name: str
    definition: str
    formula: str
    source: str
    compute: Callable[[Judged], Values]
    turned: bool = False
    by_text: bool = False

    def __str__(self) -> str:
        return self.name


def _found(judged: Judged, k: int) -> Values:
    return np.asarray(np.count_nonzero(judged.grades[:, :k] > 0, axis=1), np.float64)


def _precision(judged: Judged, k: int) -> Values:
    return _found(judged, k) / k


def _recall(judged: Judged, k: int) -> Values:
    return _found(judged, k) / judged.relevant


def _f1(judged: Judged, k: int) -> Values:
    return 2 * _found(judged, k) / (k + judged.relevant)


def _success(judged: Judged, k: int) -> Values:
    return np.minimum(_found(judged, k), 1.0)


def _reciprocal_rank(judged: Judged) -> Values:
    found = judged.grades > 0
    if not found.shape[1]:
        return np.zeros(len(found))
    first: NDArray[np.int64] = found.argmax(axis=1)
    return np.asarray(np.where(found.any(axis=1), 1.0 / (first + 1), 0.0))


def _r_precision(judged: Judged) -> Values:
    ranks = np.arange(1, judged.grades.shape[1] + 1)
    relevant = judged.relevant
    found = (judged.grades > 0) & (ranks <= relevant[:, None])
    return np.asarray(found.sum(axis=1) / relevant)


def _precision_curve(judged: Judged) -> Values:
    return judged.hits / np.arange(1, judged.grades.shape[1] + 1)


def _average_precision(judged: Judged) -> Values:
    found = judged.grades > 0
    total: Values = np.where(found, _precision_curve(judged), 0.0).sum(axis=1)
    return total / judged.relevant


def _envelope(judged: Judged) -> Values:
    """Return the best precision at this rank or later, (m, d)."""
    curve = _precision_curve(judged)
    best: Values = np.maximum.accumulate(curve[:, ::-1], axis=1)
    return best[:, ::-1]


def _average_precision_11(judged: Judged) -> Values:
    total = np.zeros(len(judged.grades))
    if not judged.grades.shape[1]:
        return total
    envelope, hits, relevant = _envelope(judged), judged.hits, judged.relevant
    rows = np.arange(len(total))
    for tenth in range(11):
        # Whole numbers: 3/10 of ten images is three images, which 0.1 * 3 in floating point is not.
        reached = 10 * hits >= tenth * relevant[:, None]
        total += np.where(reached.any(axis=1), envelope[rows, reached.argmax(axis=1)], 0.0)
    return total / 11


def _average_precision_2010(judged: Judged) -> Values:
    total: Values = np.where(judged.grades > 0, _envelope(judged), 0.0).sum(axis=1)
    return total / judged.relevant


def _ndcg(judged: Judged, k: int | None) -> Values:
    return _dcg(judged.grades[:, :k]) / _dcg(judged.ideal[:, :k])


def _dcg(grades: NDArray[np.int64]) -> Values:
    discounts = np.log2(np.arange(2, grades.shape[1] + 2))
    total: Values = (np.maximum(grades, 0) / discounts).sum(axis=1)
    return total


class _Cut(Protocol):
    def __call__(self, judged: Judged, k: int) -> Values: ...


_VOC = "Everingham et al. 2010, IJCV 88, section 4.2"
_SUCCESS = "'R@k' of the CLIP papers (Radford et al. 2021, image and text retrieval); 'success' of TREC"
_CUT: dict[str, tuple[str, str, str, _Cut]] = {
    "P": ("share of the first k that is relevant", "hits(k) / k", "trec_eval P", _precision),
    "R": ("share of the relevant that is among the first k", "hits(k) / R", "trec_eval recall", _recall),
    "F1": (
        "harmonic mean of P@k and R@k",
        "2 hits(k) / (k + R)",
        "van Rijsbergen 1979, Information Retrieval, chapter 7",
        _f1,
    ),
    "Success": ("whether one of the first k is relevant", "1 if hits(k) > 0 else 0", _SUCCESS, _success),
    "nDCG": (
        "discounted gain of the first k, divided by that of the best order; the gain is the grade",
        "sum_{i<=k} grade(i) / log2(i + 1), over the same for the ideal order",
        "Järvelin & Kekäläinen 2002, ACM TOIS 20(4); gain as in trec_eval ndcg_cut",
        _ndcg,
    ),
}
_PLAIN = {
    measure.name: measure
    for measure in (
        Measure(
            "AP",
            "mAP",
            "precision at each relevant image, averaged over all relevant images; all points, not interpolated",
            "1/R sum_{i relevant} hits(i) / i",
            "trec_eval map; scikit-learn average_precision_score where no scores tie; what CLIP_benchmark reports",
            _average_precision,
        ),
        Measure(
            "AP11",
            "mAP11",
            "best precision at or beyond recall 0, 0.1, ..., 1, averaged over these eleven points",
            "1/11 sum_{t=0..10} max_{i: hits(i) >= t R / 10} hits(i) / i",
            f"{_VOC} (VOC2007)",
            _average_precision_11,
        ),
        Measure(
            "AP2010",
            "mAP2010",
            "area under the precision-recall curve made monotone; all points, interpolated",
            "1/R sum_{i relevant} max_{j >= i} hits(j) / j",
            "VOC development kit 2010 and later",
            _average_precision_2010,
        ),
        Measure("RR", "MRR", "one over the first relevant rank", "1 / min{i: relevant}", "TREC-8 QA", _reciprocal_rank),
        Measure("Rprec", "Rprec", "precision at rank R", "hits(R) / R", "trec_eval Rprec", _r_precision),
        Measure(
            "nDCG", "nDCG", "nDCG@k for k = the whole ranking", "see nDCG@k", _CUT["nDCG"][2], partial(_ndcg, k=None)
        ),
        Measure(
            "accuracy",
            "accuracy",
            "share of images whose best text is right",
            "image_to_text Success@1",
            "the usual top-1 accuracy; equal scores go to the text whose id sorts first",
            partial(_success, k=1),
            turned=True,
        ),
        Measure(
            "mean_per_class",
            "mean_per_class",
            "accuracy among the images of each class, averaged over the classes",
            "1/C sum_c accuracy(images of c)",
            "the usual protocol of Caltech-101, whose classes differ in size",
            partial(_success, k=1),
            turned=True,
            by_text=True,
        ),
    )
}
_TURNED = "image_to_text "


def parse(name: str) -> Measure:
    """Return the measure called ``name``: P@10, R@10, F1@10, Success@5, nDCG@10, nDCG, AP, AP11, RR, Rprec, accuracy...

    "mAP", "mAP11", "MRR" mean the same as "AP", "AP11", "RR"; "image_to_text Success@5" asks the other way round.
    Raises ``BadInput`` for other names.
    """
    base = name.removeprefix(_TURNED)
    for measure in _PLAIN.values():
        if base in (measure.name, measure.mean_name):
            break
    else:
        measure = _parse_cut(base)
    if base == name:
        return measure
    if measure.turned:
        raise BadInput(f"{base} is asked of images already; leave {_TURNED.strip()!r} out")
    return replace(measure, name=_TURNED + measure.name, mean_name=_TURNED + measure.mean_name, turned=True)


def _parse_cut(name: str) -> Measure:
    match = re.fullmatch(r"(\w+)@([1-9][0-9]{0,8})", name)
    if match is None or match[1] not in _CUT:
        known = ", ".join([*_PLAIN, *(f"{stem}@k" for stem in _CUT)])
        raise BadInput(f"no measure is called {name!r}; there are {known}")
    definition, formula, source, compute = _CUT[match[1]]
    return Measure(name, name, definition, formula, source, partial(compute, k=int(match[2])))
