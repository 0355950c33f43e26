"""Reads pictures and texts through an encoder: lazily, in batches, on several threads, what fails counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Protocol, TypeAlias

import numpy as np

from wordsight.datasets.task import TaskImage, TaskQuery
from wordsight.errors import BadInput, ImageError, UnknownQuery
from wordsight.protocols import Encoder, Image
from wordsight.types import Embeddings, Metric, Scores

Progress: TypeAlias = Callable[[int, int], None]
"""Told the pictures done and their number."""

_BATCH = 32
_TEXT_BATCH = 256


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


def encode_queries(
    queries: Sequence[TaskQuery], encoder: Encoder, prompts: Sequence[str], *, abstain: bool = False
) -> Embeddings:
    """Return one vector a query: the mean over its wordings and prompts, of unit length again for the cosine.

    Where a closed encoder does not know a query, raises ``UnknownQuery``; with ``abstain`` its row is NaN instead.
    """
    known, rows = list(queries), np.full((len(queries), encoder.dim), np.nan, np.float32)
    if abstain and encoder.vocabulary is not None:
        known = [query for query in queries if _is_known(query, encoder)]
    if known:
        places = {query.query_id: place for place, query in enumerate(queries)}
        rows[[places[query.query_id] for query in known]] = _means(known, encoder, prompts)
    return rows


def _is_known(query: TaskQuery, encoder: Encoder) -> bool:
    try:
        encoder.encode_texts(wordings(query, encoder))
    except UnknownQuery:
        return False
    return True


def _means(queries: Sequence[TaskQuery], encoder: Encoder, prompts: Sequence[str]) -> Embeddings:
    sentences = [
        [prompt.replace("{}", text) for text in wordings(query, encoder) for prompt in prompts] for query in queries
    ]
    flat = [sentence for row in sentences for sentence in row]
    parts = [encoder.encode_texts(flat[start : start + _TEXT_BATCH]) for start in range(0, len(flat), _TEXT_BATCH)]
    counts = np.array([len(row) for row in sentences])
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(np.concatenate(parts), starts, axis=0) / counts[:, None].astype(np.float32)
    if encoder.metric is Metric.COSINE:
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(means, dtype=np.float32)


def wordings(query: TaskQuery, encoder: Encoder) -> tuple[str, ...]:
    """Return the texts to encode; for a closed encoder the one it was fitted on, be that a wording or the id."""
    if encoder.vocabulary is None:
        return query.texts
    known = [text for text in (*query.texts, query.query_id) if text in encoder.vocabulary]
    return tuple(known[:1]) or query.texts[:1]


def score(texts: Embeddings, images: Embeddings, metric: Metric) -> Scores:
    """Return how close each text (m, dim) and picture (n, dim) are: (m, n), higher is better; NaN stays NaN."""
    if metric is Metric.COSINE:
        return np.asarray(texts @ images.T, dtype=np.float32)
    # In float64: the difference of large squares loses small distances in float32.
    left, right = texts.astype(np.float64), images.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.asarray(-np.sqrt(np.maximum(squares, 0)), dtype=np.float32)
