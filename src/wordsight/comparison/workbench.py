"""From a setup to scores: which task it means, which engine answers, what each picture scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from wordsight.comparison.cache import Store
from wordsight.comparison.classical import Variations
from wordsight.comparison.coarse_fine import WORDINGS
from wordsight.comparison.material import Material
from wordsight.comparison.setup import CLASSICAL, OWN_PROMPTS, PROMPTS, Setup, digest
from wordsight.datasets.layout import safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery, altered
from wordsight.encoders.cluster import ClusterEncoder
from wordsight.encoding import Progress, encode_images, encode_queries, score
from wordsight.images.corruptions import Corruption
from wordsight.library.bank import encode_bank
from wordsight.library.calibration import can_estimate, learn
from wordsight.protocols import Encoder
from wordsight.registry import load_encoder
from wordsight.types import Embeddings, Qrels, Scores

_ABOUT_LABELS = {"prompts", "wording", "labels", "unseen", "accepted"}
LIKELY = 0.5
"""The match estimate from which on a search calls a photo a match."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What an engine answered: ``scores`` (queries, pictures) of the task; a row of NaN where it knows no answer.

    ``estimates``: the match estimates of an engine that has them, of the same shape.
    """

    task: RetrievalTask
    scores: Scores
    estimates: Scores | None = None

    @property
    def silent(self) -> frozenset[str]:
        """The queries that the engine does not know, and so has found nothing for."""
        unknown = np.flatnonzero(np.isnan(self.scores).all(axis=1)).tolist()
        return frozenset(self.task.queries[row].query_id for row in unknown)

    @property
    def abstained(self) -> frozenset[str]:
        """The queries to which it says so: those it does not know, and those of which it says that nothing matches."""
        if self.estimates is None:
            return self.silent
        unlikely = np.flatnonzero(self.estimates.max(axis=1) < LIKELY).tolist()
        return self.silent | {self.task.queries[row].query_id for row in unlikely}


class Workbench:
    """Runs setups on one material. Every picture is encoded once by an encoder and in a state, and kept."""

    def __init__(
        self, material: Material, encoders: Mapping[str, Encoder], store: Store, *, seed: int, threads: int
    ) -> None:
        self.material = material
        self.encoders = encoders
        self.progress: Progress | None = None
        self._store, self._seed, self._threads = store, seed, threads
        self._place = {image.image_id: place for place, image in enumerate(material.task.images)}
        self._variations: Variations | None = None
        self._banks: dict[str, Embeddings] = {}

    @property
    def variations(self) -> Variations:
        """The classical engine, made when it is first needed. Raises ``BadInput`` where there are no exemplars."""
        if self._variations is None:
            self._variations = Variations(self.material, self._store, seed=self._seed, threads=self._threads)
        return self._variations

    def can_do(self, setup: Setup) -> bool:
        """Return whether the task knows what the setup asks for.

        Captions are no labels; coarser and finer words are known for few labels.
        """
        if self.material.task.kind is TaskKind.CAPTION:
            return not _ABOUT_LABELS & setup.changes().keys()
        if setup.wording == "label":
            return True
        return all(query.texts[0] in WORDINGS for query in self.material.task.queries)

    def fit_ahead(self, setups: Sequence[Setup]) -> None:
        """Fit the classical engine as the setups ask, several at a time: each fit keeps to one core."""
        asked = [(setup, self._task(setup)[1]) for setup in setups if setup.engine == CLASSICAL]
        if not asked:
            return
        fit = self.variations.model
        with ThreadPoolExecutor(max(1, self._threads)) as pool:
            for each in [pool.submit(fit, setup, labels) for setup, labels in asked]:
                each.result()

    def run(self, setup: Setup) -> Scored:
        """Return what the engine of the setup answers under its conditions."""
        task, fitted_on = self._task(setup)
        spoiled = Corruption(setup.scene, setup.strength) if setup.scene and setup.strength else None
        encoder, images = self._engine(setup, fitted_on, task.images, spoiled)
        prompts = self._prompts(setup, encoder, task.kind)
        texts = encode_queries(task.queries, encoder, prompts, abstain=True)
        scores = score(texts, images, encoder.metric)
        return Scored(task, scores, self._estimates(encoder, texts, images, scores))

    def _estimates(self, encoder: Encoder, texts: Embeddings, images: Embeddings, scores: Scores) -> Scores | None:
        """Return what a search of exactly these pictures would say about how likely each shows what was asked."""
        if not can_estimate(encoder):
            return None
        if encoder.name not in self._banks:
            self._banks[encoder.name] = encode_bank(encoder)
        exact = images.astype(np.float64)
        covariance = np.atleast_2d(np.cov(exact, rowvar=False, bias=True))
        calibration = learn(exact.mean(axis=0), covariance, self._banks[encoder.name], images=len(images))
        return np.stack([calibration.match(text, row) for text, row in zip(texts, scores, strict=True)])

    def _engine(
        self, setup: Setup, labels: tuple[str, ...], images: Sequence[TaskImage], spoiled: Corruption | None
    ) -> tuple[Encoder, Embeddings]:
        """Return the engine and the vectors of the pictures."""
        whole = self.material.task.images if spoiled is None else images
        if setup.engine == CLASSICAL:
            model = self.variations.model(setup, labels)
            texts = load_encoder if setup.meaning else None
            encoder: Encoder = ClusterEncoder(model, name=CLASSICAL, texts=texts)
            vectors = self.variations.vectors(setup, model, whole, spoiled, self.progress)
        else:
            encoder = self.encoders[setup.engine]
            vectors = self._encoded(encoder, whole, spoiled)
        if spoiled is None and len(images) < len(whole):
            vectors = vectors[[self._place[image.image_id] for image in images]]
        return encoder, vectors

    def _encoded(self, encoder: Encoder, images: Sequence[TaskImage], spoiled: Corruption | None) -> Embeddings:
        def make() -> Embeddings:
            shown = images if spoiled is None else altered(images, spoiled)
            return encode_images(shown, encoder, threads=self._threads, progress=self.progress)[0]

        ids = [image.image_id for image in images]
        return self._store.array(digest(self.material.digest, encoder.fingerprint, ids, str(spoiled)), make)

    def _prompts(self, setup: Setup, encoder: Encoder, kind: TaskKind) -> Sequence[str]:
        if encoder.vocabulary is not None or kind is TaskKind.CAPTION:
            return ("{}",)
        return encoder.label_prompts if setup.prompts == OWN_PROMPTS else PROMPTS[setup.prompts]

    def _task(self, setup: Setup) -> tuple[RetrievalTask, tuple[str, ...]]:
        """Return the task, and the labels that the classical engine is fitted on."""
        task = self.material.task
        known = () if self.material.exemplars is None else self.material.exemplars.labels
        rng = np.random.default_rng([self._seed, setup.seed])
        if setup.labels is not None:
            task = _with_labels(task, _drawn(task.queries, setup.labels, rng))
        if setup.unseen:
            asked = _drawn(task.queries, setup.unseen, rng)
            unknown = {text for query in asked for text in (*query.texts, query.query_id)}
            known = tuple(label for label in known if label not in unknown)
            if setup.absent:
                task = _without_pictures_of(task, asked)
            task = replace(task, queries=asked)
        elif setup.labels is not None:
            kept = {text for query in task.queries for text in (*query.texts, query.query_id)}
            known = tuple(label for label in known if label in kept)
        if setup.gallery is not None and setup.gallery < len(task.images):
            places = np.sort(rng.permutation(len(task.images))[: setup.gallery])
            task = task.restricted([task.images[place].image_id for place in places])
        if setup.wording != "label":
            task = _reworded(task, fine=setup.wording == "fine")
        return task, known


def _drawn(queries: Sequence[TaskQuery], count: int, rng: np.random.Generator) -> tuple[TaskQuery, ...]:
    return tuple(queries[place] for place in np.sort(rng.permutation(len(queries))[:count]))


def _with_labels(task: RetrievalTask, queries: tuple[TaskQuery, ...]) -> RetrievalTask:
    """Return the task with these labels, on the pictures that have one of them."""
    shown = {i for query in queries for i, grade in task.qrels.grades[query.query_id].items() if grade > 0}
    return replace(task.restricted(shown), queries=queries)


def _without_pictures_of(task: RetrievalTask, queries: Sequence[TaskQuery]) -> RetrievalTask:
    gone: set[str] = set()
    for query in queries:
        gone |= {i for i, grade in task.qrels.grades[query.query_id].items() if grade > 0}
        gone |= task.qrels.ignored.get(query.query_id, frozenset())
    return task.restricted({image.image_id for image in task.images} - gone)


def _reworded(task: RetrievalTask, *, fine: bool) -> RetrievalTask:
    """Return the task that asks in coarser words, each for all its labels, or in finer ones, each for its label."""
    labels_of: dict[str, list[str]] = defaultdict(list)
    for query in task.queries:
        wording = WORDINGS[query.texts[0]]
        for word in wording.fine if fine else (wording.coarse,):
            labels_of[word].append(query.query_id)
    grades: dict[str, dict[str, int]] = {}
    ignored: dict[str, frozenset[str]] = {}
    for said, labels in labels_of.items():
        word = safe_id(said)
        merged = {image: grade for label in labels for image, grade in task.qrels.grades[label].items() if grade > 0}
        grades[word] = merged
        unclear = frozenset[str]().union(*(task.qrels.ignored.get(label, frozenset()) for label in labels))
        ignored[word] = unclear - merged.keys()
    queries = tuple(TaskQuery(safe_id(word), (word,)) for word in labels_of)
    return replace(task, queries=queries, kind=TaskKind.MULTI_LABEL, qrels=Qrels(grades, ignored))
