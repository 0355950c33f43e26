"""Task x encoder -> scores -> result: measures how well texts and pictures meet, alone and fused with other engines."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wordsight.datasets.exemplars import survey
from wordsight.datasets.layout import safe_id
from wordsight.datasets.task import RetrievalTask, TaskKind
from wordsight.encoding import ImageSide, Progress, encode_images, encode_queries, score
from wordsight.errors import BadInput
from wordsight.evaluation.evaluate import Evaluation, evaluate_scores, run_from_scores
from wordsight.evaluation.judgements import Judgements, judgements
from wordsight.evaluation.measures import Measure, parse
from wordsight.evaluation.reliability import Reliability, reliability
from wordsight.fusion import Fusion, fuse
from wordsight.library.bank import encode_bank
from wordsight.library.calibration import can_estimate, learn
from wordsight.protocols import Encoder, FittedEncoder
from wordsight.types import Embeddings, Metric, Run, Scores

__all__ = [
    "ImageSide",
    "Progress",
    "TaskResult",
    "encode_images",
    "encode_queries",
    "fuse_results",
    "run_task",
    "score",
]

_RANKED = ("AP", "AP11", "P@1", "P@10", "P@100", "Rprec")
_FOUND = ("Success@1", "Success@5", "Success@10")
_MEASURES: Mapping[TaskKind, tuple[str, ...]] = {
    TaskKind.SINGLE_LABEL: ("accuracy", "mean_per_class", *_RANKED),
    TaskKind.MULTI_LABEL: _RANKED,
    TaskKind.CAPTION: (*_FOUND, "RR", *(f"image_to_text {name}" for name in _FOUND)),
}
_SCORE_RULES = {Metric.COSINE: "cosine", Metric.EUCLIDEAN: "minus Euclidean distance"}
_RAW = "raw (no softmax over the queries)"
_SHOWN = 10  # hits of a query, as a search shows unless told otherwise
EXEMPLAR = "it is an exemplar of this encoder"
"""Why a picture is refused as part of a gallery."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came out: ``scores`` (queries, images) of the pictures that could be used, and the measures on them.

    A row of NaN is a query that the encoder abstains on. ``task`` is what was measured, without the ``skipped``
    pictures (id -> reason). ``settings`` say what the figures depend on. ``seconds`` is the time for reading, encoding
    and measuring. ``estimates`` tells how far match estimates of the first ten hits can be trusted, where asked for.
    """

    task: RetrievalTask
    encoder: str
    scores: Scores
    evaluation: Evaluation
    skipped: Mapping[str, str]
    settings: Mapping[str, object]
    seconds: float
    estimates: Reliability | None = None

    @property
    def query_ids(self) -> tuple[str, ...]:
        """The rows of ``scores``."""
        return tuple(query.query_id for query in self.task.queries)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The columns of ``scores``."""
        return tuple(image.image_id for image in self.task.images)

    @property
    def measures(self) -> dict[str, float]:
        """Name of the mean -> mean, in [0, 1]."""
        return self.evaluation.means()

    @property
    def refused(self) -> tuple[str, ...]:
        """The pictures that were refused as gallery: the encoder was fitted on them."""
        return tuple(image for image, reason in self.skipped.items() if reason == EXEMPLAR)

    @property
    def judgements(self) -> Judgements:
        """What is right, as masks of the shape of ``scores``."""
        return judgements(self.query_ids, self.image_ids, self.task.qrels)

    def run(self, depth: int = 1000) -> Run:
        """Return the ``depth`` best pictures of each query, under the encoder's name (blanks in it as %20)."""
        return run_from_scores(safe_id(self.encoder), self.scores, self.query_ids, self.image_ids, depth)

    def as_json(self, *, per_query: bool = False) -> dict[str, object]:
        """Return the object described in docs/evaluation.md; ``per_query`` adds measure -> id -> value."""
        intervals = self.evaluation.intervals()
        content: dict[str, object] = {
            "task": self.task.name,
            "encoder": self.encoder,
            "n_queries": len(self.task.queries),
            "n_images": len(self.task.images),
            "measures": self.measures,
            "intervals": {name: [interval.low, interval.high] for name, interval in intervals.items()},
            "skipped": len(self.skipped),
            "refused": len(self.refused),
            "left_out": len(self.evaluation.left_out),
            "missing": len(self.evaluation.missing),
            "seconds": round(self.seconds, 3),
            "settings": dict(self.settings),
        }
        if self.estimates is not None:
            content["estimates"] = asdict(self.estimates)
        if per_query:
            content |= {"per_query": self.evaluation.per_query(), "skipped_images": dict(self.skipped)}
        return content


def run_task(
    task: RetrievalTask,
    encoder: Encoder,
    *,
    prompts: Sequence[str] | None = None,
    measures: Sequence[Measure] | None = None,
    softmax: float | None = None,
    abstain: bool = False,
    estimates: bool = False,
    threads: int = 2,
    progress: Progress | None = None,
) -> TaskResult:
    """Measure how well ``encoder`` does on ``task``.

    Labels are put into each of the ``prompts`` (None: the encoder's own) at "{}" and the vectors averaged; a closed
    encoder gets them bare, and captions are taken as they are. Pictures that cannot be read are skipped, with their
    captions; so are those the encoder was fitted on, which are refused as gallery (``TaskResult.refused``).
    ``measures`` None: those that suit the kind of task. ``softmax`` None: raw scores; a number: the logarithm of a
    softmax over the labels of that many times the score. With ``abstain``, labels that a closed encoder does not know
    have no answer, which counts as 0. ``estimates``: also compare the match estimates that a search would give with
    what is right.

    Raises ``BadInput`` when no picture is left, for a softmax over captions, or for estimates of an encoder that has
    none; ``UnknownQuery`` when a closed encoder does not know a label and may not abstain.
    """
    started = time.perf_counter()
    used = _prompts_used(task, encoder, prompts)
    if softmax is not None and (task.kind is TaskKind.CAPTION or not softmax > 0):
        raise BadInput(f"a softmax is taken over labels, not captions, of a positive multiple of scores; got {softmax}")
    if estimates and not can_estimate(encoder):
        raise BadInput(f"{encoder.name} has no match estimates: they need an encoder of any text with cosine scores")
    chosen = _suitable(task.kind) if measures is None else list(measures)
    texts = encode_queries(task.queries, encoder, used, abstain=abstain)
    skipped = _exemplars_in(task, encoder, threads)
    asked, task = task.queries, _without(task, skipped)
    images, unreadable = encode_images(task.images, encoder, threads=threads, progress=progress)
    task = _without(task, unreadable)
    left = {query.query_id for query in task.queries}
    texts = texts[[query.query_id in left for query in asked]]
    scores = score(texts, images, encoder.metric)
    rule = f"{_SCORE_RULES[encoder.metric]}, {_RAW}"
    if softmax is not None:
        scores = _log_softmax(scores * softmax)
        rule = f"log softmax over the labels of {softmax:g} x {_SCORE_RULES[encoder.metric]}"
    settings = {"split": task.split, "prompts": list(used), "score": rule, "remarks": list(task.remarks)}
    result = _result(task, encoder.name, scores, chosen, skipped | unreadable, settings, started)
    return replace(result, estimates=_reliability(encoder, texts, images, result.judgements)) if estimates else result


def fuse_results(
    results: Sequence[TaskResult],
    how: Fusion | str = Fusion.RRF,
    *,
    weights: Sequence[float] | None = None,
    measures: Sequence[Measure] | None = None,
) -> TaskResult:
    """Return what several encoders find together on one task: their scores fused, on the pictures they all could use.

    A query that one abstains on is left to the others. ``seconds`` is the sum of theirs. ``measures`` None: those of
    the first. Raises ``BadInput`` for results of different tasks or queries.
    """
    started = time.perf_counter()
    first = results[0]
    if any((other.task.name, other.task.split) != (first.task.name, first.task.split) for other in results):
        raise BadInput(f"only results on one task can be fused, got {', '.join(each.task.name for each in results)}")
    images = set.intersection(*(set(result.image_ids) for result in results))
    task = first.task.restricted(images)
    queries = {query.query_id for query in task.queries}  # captions go with their picture, labels stay
    if not all(queries <= set(result.query_ids) for result in results):
        raise BadInput(f"only results for the same queries can be fused, and those on {task.name} are not")
    matrices = [
        result.scores[[query in queries for query in result.query_ids]][:, [i in images for i in result.image_ids]]
        for result in results
    ]
    scores = np.asarray(fuse(matrices, how, weights=weights), np.float32)
    chosen = [result.measure for result in first.evaluation.results] if measures is None else list(measures)
    skipped = {image: reason for result in results for image, reason in result.skipped.items()}
    rule = f"{Fusion(how).value} of {', '.join(result.encoder for result in results)}"
    settings = {"split": task.split, "score": rule, "parts": [dict(result.settings) for result in results]}
    name = " + ".join(result.encoder for result in results) + f" ({Fusion(how).value})"
    fused = _result(task, name, scores, chosen, skipped, settings, started)
    return replace(fused, seconds=fused.seconds + sum(result.seconds for result in results))


def _result(
    task: RetrievalTask,
    encoder: str,
    scores: Scores,
    measures: Sequence[Measure],
    skipped: Mapping[str, str],
    settings: Mapping[str, object],
    started: float,
) -> TaskResult:
    queries = [query.query_id for query in task.queries]
    images = [image.image_id for image in task.images]
    evaluation = evaluate_scores(scores, queries, images, task.qrels, measures)
    return TaskResult(task, encoder, scores, evaluation, skipped, settings, time.perf_counter() - started)


def _reliability(encoder: Encoder, texts: Embeddings, images: Embeddings, truth: Judgements) -> Reliability:
    """Compare the match estimates of each query's first ``_SHOWN`` hits in a catalogue of these pictures with truth."""
    vectors = images.astype(np.float64)
    mean = vectors.mean(axis=0)
    covariance = vectors.T @ vectors / len(vectors) - np.outer(mean, mean)
    calibration = learn(mean, covariance, encode_bank(encoder), images=len(images))
    found: list[NDArray[np.float32]] = []
    right: list[NDArray[np.bool_]] = []
    for text, relevant, ignored in zip(texts, truth.relevant, truth.ignored, strict=True):
        closeness = np.where(ignored, -np.inf, images @ text)
        best = np.argsort(-closeness, kind="stable")[:_SHOWN]
        best = best[~ignored[best]]
        found.append(calibration.match(text, closeness[best].astype(np.float32)))
        right.append(relevant[best])
    return reliability(np.concatenate(found), np.concatenate(right))


def _suitable(kind: TaskKind) -> list[Measure]:
    return [parse(name) for name in _MEASURES[kind]]


def _without(task: RetrievalTask, images: Collection[str]) -> RetrievalTask:
    return task.restricted({image.image_id for image in task.images} - set(images)) if images else task


def _exemplars_in(task: RetrievalTask, encoder: Encoder, threads: int) -> dict[str, str]:
    """Return the pictures the encoder was fitted on: they would tell what it remembers, not what it finds."""
    if not isinstance(encoder, FittedEncoder) or not encoder.exemplars:
        return {}
    keys, _ = survey(task.images, threads=threads)
    known = {image: EXEMPLAR for image, key in keys.items() if key in encoder.exemplars}
    if len(known) == len(task.images):
        raise BadInput(
            f"{encoder.name} was fitted on every picture of {task.name} ({task.split}): measure it on others"
        )
    return known


def _prompts_used(task: RetrievalTask, encoder: Encoder, prompts: Sequence[str] | None) -> tuple[str, ...]:
    if task.kind is TaskKind.CAPTION or encoder.vocabulary is not None:
        return ("{}",)
    used = tuple(encoder.label_prompts if prompts is None else prompts)
    if not used or not all("{}" in prompt for prompt in used):
        raise BadInput(f'expected prompts like "a photo of a {{}}.", with {{}} where the label goes, got {used}')
    return used


def _log_softmax(scores: NDArray[np.floating]) -> Scores:
    """Return the logarithm of a softmax over the rows that have an answer: it ranks as the softmax, and never ties."""
    exact = scores.astype(np.float64)
    answered = ~np.isnan(exact).all(axis=1)
    if answered.any():
        top = exact[answered].max(axis=0)
        exact[answered] -= top + np.log(np.exp(exact[answered] - top).sum(axis=0))
    return np.asarray(exact, np.float32)
