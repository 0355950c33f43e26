"""The noun of this folder: a retrieval task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from wordsight.protocols import Image
from wordsight.types import Qrels


class TaskKind(Enum):
    """What the texts are, which decides the measures that make sense."""

    SINGLE_LABEL = "single-label"
    """Every picture has exactly one label: it can also be classified."""
    MULTI_LABEL = "multi-label"
    """A picture has any number of labels."""
    CAPTION = "caption"
    """Every text is a sentence about one picture."""


class TaskQuery(NamedTuple):
    """One text to look for: an id without blanks, and its wordings (several are averaged into one query)."""

    query_id: str
    texts: tuple[str, ...]


class TaskImage(NamedTuple):
    """One picture of the gallery: an id without blanks, and how to read it.

    ``load(side)`` decodes it, at no less than twice ``side`` where that is given; raises ``ImageError``.
    """

    image_id: str
    load: Callable[[int | None], Image]

    def altered(self, change: Callable[[Image], Image]) -> TaskImage:
        """Return the picture that goes through ``change`` after it is decoded."""
        return self._replace(load=partial(_altered, self.load, change))


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """Texts, a gallery whose pictures are read when they are needed, and what is right.

    ``split`` is the part of the data set, as its files call it ("all" where they name none). Ids are unique.
    ``remarks`` say what figures depend on and the files do not show: what is left out, how a split was drawn.
    """

    name: str
    kind: TaskKind
    split: str
    queries: tuple[TaskQuery, ...]
    images: tuple[TaskImage, ...]
    qrels: Qrels
    remarks: tuple[str, ...] = ()

    def restricted(self, image_ids: Collection[str]) -> RetrievalTask:
        """Return the task on these pictures only.

        Captions go with their picture. Labels stay, for they are still among the answers a picture could get.
        """
        kept = frozenset(image_ids)
        grades = {q: {i: g for i, g in row.items() if i in kept} for q, row in self.qrels.grades.items()}
        queries = self.queries
        if self.kind is TaskKind.CAPTION:
            queries = tuple(query for query in queries if grades.get(query.query_id))
        names = {query.query_id for query in queries}
        qrels = Qrels(
            {q: row for q, row in grades.items() if q in names},
            {q: images & kept for q, images in self.qrels.ignored.items() if q in names},
        )
        return replace(self, queries=queries, images=tuple(i for i in self.images if i.image_id in kept), qrels=qrels)

    def sample(self, limit: int) -> RetrievalTask:
        """Return the task on ``limit`` pictures, evenly spaced: files sorted by class still give all classes."""
        total = len(self.images)
        if limit >= total:
            return self
        return self.restricted([self.images[place * total // limit].image_id for place in range(limit)])

    def altered(self, change: Callable[[Image], Image]) -> RetrievalTask:
        """Return the task whose pictures go through ``change`` after they are decoded."""
        return replace(self, images=altered(self.images, change))


def altered(images: Iterable[TaskImage], change: Callable[[Image], Image]) -> tuple[TaskImage, ...]:
    """Return pictures that go through ``change`` after they are decoded."""
    return tuple(TaskImage(image.image_id, partial(_altered, image.load, change)) for image in images)


def _altered(load: Callable[[int | None], Image], change: Callable[[Image], Image], side: int | None) -> Image:
    return change(load(side))


def single_label_task(
    name: str,
    split: str,
    queries: Sequence[TaskQuery],
    labelled: Sequence[tuple[str, TaskImage]],
    remarks: tuple[str, ...] = (),
) -> RetrievalTask:
    """Return the task of finding the pictures of each label; ``labelled`` pairs each picture with its query's id."""
    grades: dict[str, dict[str, int]] = {query.query_id: {} for query in queries}
    for query_id, image in labelled:
        grades[query_id][image.image_id] = 1
    images = tuple(image for _, image in labelled)
    return RetrievalTask(name, TaskKind.SINGLE_LABEL, split, tuple(queries), images, Qrels(grades, {}), remarks)


Loader: TypeAlias = Callable[[Path, str | None], RetrievalTask]
