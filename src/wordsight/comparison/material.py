"""What engines are compared on: a gallery, exemplars to fit on, and proof that they share no picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wordsight.comparison.setup import digest
from wordsight.datasets import load_task
from wordsight.datasets.exemplars import (
    READERS,
    Exemplars,
    Pictures,
    load_exemplars,
    read_pictures,
    refuse_known,
    survey,
)
from wordsight.datasets.split import divide, task_of
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind
from wordsight.errors import BadInput, DatasetNotFound

FOLDER = "folder"
MOST_EXEMPLARS = 1_500
"""As many are taken as ``wordsight fit`` takes unasked."""
MOST_OF_A_FOLDER = 6_000


@dataclass(frozen=True, slots=True)
class Material:
    """A gallery and what to fit on.

    ``task``: the pictures that can be read, and what is right. ``exemplars`` and their ``pictures``: for fitting,
    ``None`` where there are none; ``unlabelled``: more pictures, for codebooks. ``keys``: picture of the gallery ->
    content key. ``skipped``: what cannot be read, id -> reason. ``notes``: what a reader of the results should know.
    ``digest`` stands for all of it.
    """

    task: RetrievalTask
    exemplars: Exemplars | None
    pictures: Pictures | None
    unlabelled: Exemplars | None
    keys: Mapping[str, bytes]
    skipped: Mapping[str, str]
    notes: tuple[str, ...]
    digest: str

    @property
    def limits(self) -> dict[str, int]:
        """Return the most that scenarios can ask for: field of a setup -> number."""
        labels = len(self.task.queries)
        limits = {"gallery": len(self.task.images), "labels": labels, "unseen": max(0, labels - 2)}
        if self.pictures is not None:
            counts = Counter(label for item in self.pictures.items for label in item.labels)
            limits["exemplars"] = max(counts.values())
        return limits


def open_material(
    task: str,
    root: Path,
    *,
    exemplars: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    threads: int = 2,
) -> Material:
    """Read a known task, or class folders of one's own (``task`` "folder"), which are divided in two by ``seed``.

    ``exemplars``: where the labelled pictures are; unless told, the training part below ``root``, or the folder beside
    it called ``<root>_exemplars``. ``limit``: use so many pictures of the gallery. Raises ``BadInput`` and
    ``DatasetNotFound`` as the data sets do, and when gallery and exemplars share a picture.
    """
    if task == FOLDER:
        return _folder(root, limit, seed, threads)
    gallery = load_task(task, root, split)
    if limit is not None:
        gallery = gallery.sample(limit)
    keys, skipped = survey(gallery.images, threads=threads)
    if skipped:
        gallery = gallery.restricted(keys)
    if gallery.kind is TaskKind.CAPTION:
        return _assembled(gallery, None, None, keys, skipped, ("captions have no exemplars: learned engines only",))
    found, note = _find_exemplars(task, root, exemplars)
    if found is None:
        return _assembled(gallery, None, None, keys, skipped, (note,))
    chosen, rest = _as_many_as_fit_takes(found, seed)
    return _assembled(gallery, chosen, rest, keys, skipped, (note,) if note else ())


def _find_exemplars(task: str, root: Path, given: Path | None) -> tuple[Exemplars | None, str]:
    if task not in READERS:
        return None, f"the task {task} has no exemplars: learned engines only"
    if given is not None:
        return load_exemplars(task, given), ""
    beside = root.absolute().with_name(f"{root.absolute().name}_exemplars")
    for place in (root, beside):
        try:
            return load_exemplars(task, place), ""
        except (DatasetNotFound, BadInput):
            continue
    return None, (
        f"no exemplars of {task} were found in {root} or {beside}: the classical engine cannot be fitted; "
        "say where they are with --exemplars"
    )


def _as_many_as_fit_takes(found: Exemplars, seed: int) -> tuple[Exemplars, Exemplars]:
    each = None
    if len(found.items) > MOST_EXEMPLARS:
        each = max(2, MOST_EXEMPLARS // len(found.labels))
    return found.sample(each, seed=seed)


def _folder(root: Path, limit: int | None, seed: int, threads: int) -> Material:
    everything = load_exemplars(FOLDER, root)
    most = limit or MOST_OF_A_FOLDER
    notes: tuple[str, ...] = ()
    if len(everything.items) > most:
        each = max(4, most // len(everything.labels))
        notes = (f"taken are {each:,} pictures of each label, drawn by seed; --limit takes more",)
        everything = everything.sample(each, seed=seed)[0]
    images = [TaskImage(item.image_id, item.load) for item in everything.items]
    keys, skipped = survey(images, threads=threads)
    first, second = divide(everything, keys, seed=seed)
    left_out = len(keys) - len(first.items) - len(second.items)
    if left_out:
        notes += (f"{left_out} copies of one picture under several labels were left out",)
    gallery = task_of(second, root.absolute().name or FOLDER)
    chosen, rest = _as_many_as_fit_takes(first, seed)
    theirs = {i.image_id: keys[item.image_id] for i, item in zip(gallery.images, second.items, strict=True)}
    return _assembled(gallery, chosen, rest, theirs, skipped, notes)


def _assembled(
    gallery: RetrievalTask,
    chosen: Exemplars | None,
    rest: Exemplars | None,
    keys: Mapping[str, bytes],
    skipped: Mapping[str, str],
    notes: tuple[str, ...],
) -> Material:
    pictures = None if chosen is None else read_pictures(chosen.items)
    fitted_on: tuple[bytes, ...] = ()
    if pictures is not None:
        fitted_on = pictures.keys
        refuse_known(fitted_on, keys, f"{gallery.name} ({gallery.split})")
        skipped = {**skipped, **pictures.skipped}
    stands_for = digest(
        [gallery.name, gallery.split, sorted((i, key.hex()) for i, key in keys.items())],
        sorted((q, sorted(row.items())) for q, row in gallery.qrels.grades.items()),
        [key.hex() for key in fitted_on],
    )
    return Material(gallery, chosen, pictures, rest, keys, skipped, notes, stands_for)
