"""Task x encoder -> scores -> result: reads pictures and texts through an encoder and measures how well they meet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol, TypeAlias

import numpy as np

from wordsight.datasets.layout import safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput, ImageError
from wordsight.evaluation.evaluate import Evaluation, evaluate_scores, run_from_scores
from wordsight.evaluation.measures import Measure, parse
from wordsight.protocols import Encoder, Image
from wordsight.types import Embeddings, Metric, Run, Scores

Progress: TypeAlias = Callable[[int, int], None]
"""Told the pictures done and their number."""


class ImageSide(Protocol):
    """What reading pictures needs of an encoder; statistics that have no text side fit as well."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def image_side(self) -> int | None:
        """Longest side looked at, in pixels; ``None``: no limit."""

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, dim) float32."""


_BATCH = 32
_TEXT_BATCH = 256
_RANKED = ("AP", "AP11", "P@1", "P@10", "P@100", "Rprec")
_FOUND = ("Success@1", "Success@5", "Success@10")
_MEASURES: Mapping[TaskKind, tuple[str, ...]] = {
    TaskKind.SINGLE_LABEL: ("accuracy", "mean_per_class", *_RANKED),
    TaskKind.MULTI_LABEL: _RANKED,
    TaskKind.CAPTION: (*_FOUND, "RR", *(f"image_to_text {name}" for name in _FOUND)),
}
_SCORE_RULES = {
    Metric.COSINE: "cosine, raw (no softmax over the queries)",
    Metric.EUCLIDEAN: "minus Euclidean distance, raw (no softmax over the queries)",
}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came out: ``scores`` (queries, images) of the pictures that could be read, and the measures on them.

    ``task`` is what was measured, without the ``skipped`` pictures (id -> reason). ``settings`` say what the figures
    depend on. ``seconds`` is the time for reading, encoding and measuring.
    """

    task: RetrievalTask
    encoder: str
    scores: Scores
    evaluation: Evaluation
    skipped: Mapping[str, str]
    settings: Mapping[str, object]
    seconds: float

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

    def run(self, depth: int = 1000) -> Run:
        """Return the ``depth`` best pictures of each query, under the encoder's name (blanks in it as %20)."""
        return run_from_scores(safe_id(self.encoder), self.scores, self.query_ids, self.image_ids, depth)

    def as_json(self, *, per_query: bool = False) -> dict[str, object]:
        """Return the object described in docs/evaluation.md; ``per_query`` adds measure -> id -> value."""
        content: dict[str, object] = {
            "task": self.task.name,
            "encoder": self.encoder,
            "n_queries": len(self.task.queries),
            "n_images": len(self.task.images),
            "measures": self.measures,
            "skipped": len(self.skipped),
            "left_out": len(self.evaluation.left_out),
            "seconds": round(self.seconds, 3),
            "settings": dict(self.settings),
        }
        return content | ({"per_query": self.evaluation.per_query()} if per_query else {})


def run_task(
    task: RetrievalTask,
    encoder: Encoder,
    *,
    prompts: Sequence[str] | None = None,
    measures: Sequence[Measure] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> TaskResult:
    """Measure how well ``encoder`` does on ``task``.

    Labels are put into each of the ``prompts`` (None: the encoder's own) at "{}" and the vectors averaged; a closed
    encoder gets them bare, and captions are taken as they are. Pictures that cannot be read are skipped, with
    their captions. ``measures`` None: those that suit the kind of task. Raises ``BadInput`` when no picture can be
    read, ``UnknownQuery`` when a closed encoder does not know a label.
    """
    started = time.perf_counter()
    used = _prompts_used(task, encoder, prompts)
    chosen = [parse(name) for name in _MEASURES[task.kind]] if measures is None else list(measures)
    images, skipped = encode_images(task.images, encoder, threads=threads, progress=progress)
    if skipped:
        task = task.restricted({image.image_id for image in task.images} - skipped.keys())
    texts = encode_queries(task.queries, encoder, used)
    scores = score(texts, images, encoder.metric)
    names = [query.query_id for query in task.queries]
    evaluation = evaluate_scores(scores, names, [image.image_id for image in task.images], task.qrels, chosen)
    settings = {"split": task.split, "prompts": list(used), "score": _SCORE_RULES[encoder.metric]}
    seconds = time.perf_counter() - started
    return TaskResult(task, encoder.name, scores, evaluation, skipped, settings, seconds)


def _prompts_used(task: RetrievalTask, encoder: Encoder, prompts: Sequence[str] | None) -> tuple[str, ...]:
    if task.kind is TaskKind.CAPTION or encoder.vocabulary is not None:
        return ("{}",)
    used = tuple(encoder.label_prompts if prompts is None else prompts)
    if not used or not all("{}" in prompt for prompt in used):
        raise BadInput(f'expected prompts like "a photo of a {{}}.", with {{}} where the label goes, got {used}')
    return used


def encode_images(
    images: Sequence[TaskImage], encoder: ImageSide, *, threads: int = 2, progress: Progress | None = None
) -> tuple[Embeddings, dict[str, str]]:
    """Return the vectors of the pictures that can be read, in order, and id -> reason of the others.

    Raises ``BadInput`` when none can be read.
    """
    vectors: list[Embeddings] = []
    skipped: dict[str, str] = {}
    done = 0
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    for batch, (rows, reasons) in zip(
        batches, _in_order(partial(_encode_batch, encoder), batches, threads), strict=True
    ):
        vectors.append(rows)
        skipped |= reasons
        done += len(batch)
        if progress is not None:
            progress(done, len(images))
    if len(skipped) == len(images):
        first = next(iter(skipped.items()), ("there is none", ""))
        raise BadInput(f"none of {len(images)} pictures could be read; the first: {': '.join(first)}")
    return np.concatenate(vectors), skipped


def _encode_batch(encoder: ImageSide, batch: Sequence[TaskImage]) -> tuple[Embeddings, dict[str, str]]:
    pictures: list[Image] = []
    skipped: dict[str, str] = {}
    for image in batch:
        try:
            pictures.append(image.load(encoder.image_side))
        except ImageError as error:
            skipped[image.image_id] = error.reason
    if not pictures:
        return np.empty((0, encoder.dim), np.float32), skipped
    return encoder.encode_images(pictures), skipped


def _in_order(
    work: Callable[[Sequence[TaskImage]], tuple[Embeddings, dict[str, str]]],
    batches: Iterable[Sequence[TaskImage]],
    threads: int,
) -> Iterator[tuple[Embeddings, dict[str, str]]]:
    """Yield the results in order; one batch waits for each that is worked on, so that memory stays flat."""
    rest = iter(batches)
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        waiting: deque[Future[tuple[Embeddings, dict[str, str]]]] = deque(
            pool.submit(work, batch) for batch in islice(rest, 2 * max(1, threads))
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, batch) for batch in islice(rest, 1))
        finally:
            for future in waiting:
                future.cancel()


def encode_queries(queries: Sequence[TaskQuery], encoder: Encoder, prompts: Sequence[str]) -> Embeddings:
    """Return one vector a query: the mean over its wordings and prompts, of unit length again for the cosine.

    Raises ``UnknownQuery`` where a closed encoder does not know one.
    """
    sentences = [
        [prompt.replace("{}", text) for text in _wordings(query, encoder) for prompt in prompts] for query in queries
    ]
    flat = [sentence for row in sentences for sentence in row]
    parts = [encoder.encode_texts(flat[start : start + _TEXT_BATCH]) for start in range(0, len(flat), _TEXT_BATCH)]
    counts = np.array([len(row) for row in sentences])
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(np.concatenate(parts), starts, axis=0) / counts[:, None].astype(np.float32)
    if encoder.metric is Metric.COSINE:
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(means, dtype=np.float32)


def _wordings(query: TaskQuery, encoder: Encoder) -> tuple[str, ...]:
    """Return the texts to encode; for a closed encoder the one it was fitted on, be that a wording or the id."""
    if encoder.vocabulary is None:
        return query.texts
    known = [text for text in (*query.texts, query.query_id) if text in encoder.vocabulary]
    return tuple(known[:1]) or query.texts[:1]


def score(texts: Embeddings, images: Embeddings, metric: Metric) -> Scores:
    """Return how close each text (m, dim) and picture (n, dim) are: (m, n), higher is better."""
    if metric is Metric.COSINE:
        return np.asarray(texts @ images.T, dtype=np.float32)
    # In float64: the difference of large squares loses small distances in float32.
    left, right = texts.astype(np.float64), images.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.asarray(-np.sqrt(np.maximum(squares, 0)), dtype=np.float32)
