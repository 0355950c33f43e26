"""The cases of the match benchmark: a folder, a query, and which photos are right.

Folders are drawn from development data in two disjoint halves, "fit" and "report": other photos, other classes, other
words, other nonsense. An absent class is asked of a folder from which all photos of that class were taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import matches_queries as queries
from wordsight import images
from wordsight.datasets import RetrievalTask, load_task
from wordsight.library import background
from wordsight.library.calibration import Calibration, learn
from wordsight.protocols import Encoder
from wordsight.types import Embeddings

Half = Literal["fit", "report"]
Labels = NDArray[np.int8]
"""For each photo 1 right, 0 wrong, -1 unknown."""

_LETTERS, _ROW = "asdfghjklqwertyuiopzxcvbnm", "asdfghjkl"


@dataclass(frozen=True, eq=False)
class Folder:
    """Photos by their vectors, with what a catalogue would remember of them."""

    vectors: Embeddings
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class Case:
    """One query of one folder. ``kind``: present (five right photos or more), few, caption, absent or nonsense."""

    kind: str
    source: str
    text: str
    query: NDArray[np.float32]
    folder: Folder
    labels: Labels


class Maker:
    """Encodes what is needed, keeps it in ``cache`` where one is given, and makes cases."""

    def __init__(self, encoder: Encoder, data: Path, cache: Path | None, half: Half) -> None:
        self._encoder, self._data, self._half = encoder, data, half
        self._cache = None if cache is None else cache / encoder.fingerprint
        self._texts: dict[str, NDArray[np.float32]] = {}
        self._bank = encoder.encode_texts([*background.THINGS, *background.NONSENSE])
        self._rng = np.random.default_rng(["fit", "report"].index(half))
        self._absent = queries.split(queries.ABSENT_FIT if half == "fit" else queries.ABSENT_REPORT)
        self._nonsense = tuple(self._gibberish(60)) if half == "fit" else queries.split(queries.NONSENSE_REPORT)

    def cases(self) -> list[Case]:
        """Return all cases of the half."""
        return [*self._voc(), *self._flickr(), *self._tiny(), *self._large(), *self._cifar()]

    def _voc(self) -> Iterator[Case]:
        """Yield folders of many sizes, each class in and out, and folders of one class only."""
        vectors, labels = self._exemplars() if self._half == "fit" else self._voc_test()
        for size, repeats in ((25, 4), (100, 6), (400, 4), (len(vectors), 1)):
            name = f"voc2007, {size} photos" if size < 900 else "voc2007, all photos"
            for _ in range(repeats):
                rows = np.sort(self._rng.choice(len(vectors), size, replace=False))
                yield from self._folder(name, vectors[rows], {text: row[rows] for text, row in labels.items()})
        for text, row in labels.items():
            inside = row == 1
            if inside.sum() > 20:
                others = {word: other[inside] for word, other in labels.items() if not (other[inside] == 1).any()}
                yield from self._folder(
                    "voc2007, one class only",
                    vectors[inside],
                    {text: row[inside], **others},
                    strangers=20,
                    without=False,
                )

    def _flickr(self) -> Iterator[Case]:
        names, vectors = self._flickr_half()
        words = queries.CONCEPTS_FIT if self._half == "fit" else queries.CONCEPTS_REPORT
        for size in (50, len(vectors)):
            rows = np.sort(self._rng.choice(len(vectors), size, replace=False))
            labels = {
                text: _mentions([self._captions[names[i]] for i in rows], any_of) for text, any_of in words.items()
            }
            yield from self._folder(f"flickr8k, {size} photos", vectors[rows], labels)

    def _tiny(self) -> Iterator[Case]:
        """Yield folders of one to 25 photos: a caption or a class name of one of them, and of a photo elsewhere."""
        names, vectors = self._flickr_half()
        texts = [self._captions[name][0] for name in names]
        yield from self._single("flickr8k captions", vectors, texts)
        names, vectors = self._imagenet()
        yield from self._single("imagenet names", vectors, [f"a {name.split('_', 1)[1]}" for name in names])

    def _single(self, source: str, vectors: Embeddings, texts: Sequence[str]) -> Iterator[Case]:
        for size in (1, 4, 12, 25):
            for _ in range(30):
                rows = self._rng.choice(len(vectors), size + 1, replace=False)
                folder = self._learn(vectors[rows[1:]])
                labels = np.zeros(size, np.int8)
                name = f"{source}, {size} photo{'s' * (size > 1)}"
                yield self._case("absent", name, texts[rows[0]], folder, labels)
                yield self._case("nonsense", name, str(self._rng.choice(self._nonsense)), folder, labels)
                yield self._case("caption", name, texts[rows[1]], folder, np.eye(size, dtype=np.int8)[0])

    def _large(self) -> Iterator[Case]:
        """Yield one folder of both; without ImageNet's photos, which show some of the things that must be absent."""
        voc = self._exemplars() if self._half == "fit" else self._voc_test()
        yield from self._folder("flickr8k and voc2007", np.concatenate([voc[0], self._flickr_half()[1]]), {})

    def _cifar(self) -> Iterator[Case]:
        """Yield the thumbnails: reported only, never fitted on."""
        if self._half == "fit":
            return
        task = load_task("cifar10", self._data / "cifar10")
        vectors, labels = self._encode_task(task), _task_labels(task)
        yield from self._folder("cifar10", vectors, {f"a {text}": row for text, row in labels.items()})

    def _folder(
        self,
        source: str,
        vectors: Embeddings,
        labels: dict[str, Labels],
        *,
        strangers: int | None = None,
        without: bool = True,
    ) -> Iterator[Case]:
        """Yield each labelled text in and, ``without``, out of the folder, and texts of which nothing is there."""
        folder = self._learn(vectors)
        nothing = np.zeros(len(vectors), np.int8)
        for text, row in labels.items():
            right = int((row == 1).sum())
            if right or not without:
                kind = "present" if right >= 5 else "few" if right else "absent"
                yield self._case(kind, source, text, folder, row)
            outside = row == 0
            if without and outside.sum() >= 20:
                yield self._case("absent", source, text, self._learn(vectors[outside]), row[outside])
        yield from (self._case("absent", source, text, folder, nothing) for text in self._absent[:strangers])
        yield from (self._case("nonsense", source, text, folder, nothing) for text in self._nonsense[:strangers])

    def _case(self, kind: str, source: str, text: str, folder: Folder, labels: Labels) -> Case:
        if text not in self._texts:
            self._texts[text] = self._encoder.encode_texts([text])[0]
        return Case(kind, source, text, self._texts[text], folder, labels)

    def _learn(self, vectors: Embeddings) -> Folder:
        mean = vectors.mean(axis=0, dtype=np.float64)
        covariance = vectors.T.astype(np.float64) @ vectors / len(vectors) - np.outer(mean, mean)
        return Folder(vectors, learn(mean, covariance, self._bank, images=len(vectors)))

    def _gibberish(self, count: int) -> Iterator[str]:
        """Yield key mashing, invented words and numbers."""
        rng = self._rng

        def some(letters: str, least: int, most: int) -> str:
            return "".join(rng.choice(list(letters), rng.integers(least, most)))

        for place in range(count):
            yield (
                some(_LETTERS, 3, 9),
                f"{some(_ROW, 2, 6)} {some(_ROW, 2, 6)}",
                some("0123456789#?!.", 2, 6),
                "".join(some(part, 1, 2) for part in ("bcdfgklmn", "aeiou", "nrlskt", "aeiou", "bdgkt")),
            )[place % 4]

    def _voc_test(self) -> tuple[Embeddings, dict[str, Labels]]:
        task = load_task("voc2007", self._data / "voc2007")
        return self._encode_task(task), self._halved(_task_labels(task))

    def _exemplars(self) -> tuple[Embeddings, dict[str, Labels]]:
        given = json.loads((self._data / "voc2007_exemplars" / "labels.json").read_text())
        names = sorted(given)
        texts = {q.query_id: q.texts[0] for q in load_task("voc2007", self._data / "voc2007").queries}
        labels = {
            text: np.asarray([{1: 1, 0: -1, None: 0}[given[name].get(label)] for name in names], np.int8)
            for label, text in texts.items()
        }
        files = [self._data / "voc2007_exemplars" / "images" / name for name in names]
        return self._encode("voc2007_exemplars", files), self._halved(labels)

    def _halved(self, labels: dict[str, Labels]) -> dict[str, Labels]:
        """Keep ten of the twenty classes: every second by name."""
        return {text: labels[text] for text in sorted(labels)[["fit", "report"].index(self._half) :: 2]}

    def _flickr_half(self) -> tuple[list[str], Embeddings]:
        names = sorted(self._captions)[["fit", "report"].index(self._half) :: 2]
        return names, self._encode(f"flickr8k-{self._half}", [self._data / "flickr8k" / "images" / n for n in names])

    def _imagenet(self) -> tuple[list[str], Embeddings]:
        files = sorted((self._data / "imagenet_samples").glob("*.jpg"))[["fit", "report"].index(self._half) :: 2]
        return [f.stem.replace("_", " ").replace(" ", "_", 1) for f in files], self._encode(
            f"imagenet-{self._half}", files
        )

    @cached_property
    def _captions(self) -> dict[str, list[str]]:
        """Return the captions of the photos of Flickr8k's development part."""
        task = load_task("captions", self._data / "flickr8k", "dev")
        by_photo: dict[str, list[str]] = {}
        for query in task.queries:
            (photo,) = task.qrels.grades[query.query_id]
            by_photo.setdefault(photo, []).append(query.texts[0])
        return by_photo

    def _encode_task(self, task: RetrievalTask) -> Embeddings:
        side = self._encoder.image_side
        return self._kept(task.name, [lambda image=image: image.load(side) for image in task.images])

    def _encode(self, name: str, files: Sequence[Path]) -> Embeddings:
        side = self._encoder.image_side
        return self._kept(name, [lambda file=file: images.open_image(file, side=side) for file in files])

    def _kept(self, name: str, loaders: Sequence) -> Embeddings:
        """Return the vectors, rounded as the catalogue stores them, encoding only what is not in the cache."""
        file = None if self._cache is None else self._cache / f"{name}.npy"
        if file is not None and file.is_file():
            return np.load(file).astype(np.float32)
        rows = np.concatenate([self._encoder.encode_images([load()]) for load in loaders]).astype(np.float16)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, rows)
        return rows.astype(np.float32)


def _mentions(captions: Sequence[Sequence[str]], any_of: str) -> Labels:
    words = set(any_of.split())
    counts = np.asarray([sum(bool(words & set(re.findall("[a-z]+", c.lower()))) for c in row) for row in captions])
    return np.where(counts >= 2, 1, np.where(counts == 0, 0, -1)).astype(np.int8)


def _task_labels(task: RetrievalTask) -> dict[str, Labels]:
    labels = {}
    for query in task.queries:
        grades, ignored = task.qrels.grades[query.query_id], task.qrels.ignored.get(query.query_id, frozenset())
        row = [-1 if i.image_id in ignored else int(grades.get(i.image_id, 0) > 0) for i in task.images]
        labels[query.texts[0]] = np.asarray(row, np.int8)
    return labels
