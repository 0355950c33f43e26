"""Pictures with sentences about them: a CSV of one's own, or Karpathy's JSON for Flickr8k, Flickr30k and COCO."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wordsight.datasets import karpathy
from wordsight.datasets.layout import asked_for, file_loader, not_found, safe_id, split_for_tests
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.types import Qrels

_SPLITS_PUBLISHED = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
_PUBLISHED = {
    "flickr8k": "https://hockenmaier.cs.illinois.edu/Framing_Image_Description/KCCA.html (the pictures, on request)",
    "flickr30k": "https://shannon.cs.illinois.edu/DenotationGraph/ (the pictures, on request)",
    "coco": "https://cocodataset.org/#download (val2014.zip, train2014.zip)",
}
_OWN = "or make your own: images/ and captions.csv (image, caption_id, split, caption)"
_ALL = "all"


class _Row(NamedTuple):
    """A picture, by its path below the root or below images/, and a sentence; ``place`` is for messages."""

    place: str
    image: str
    caption_id: str | None
    split: str
    caption: str


def load_captions(root: Path, split: str | None = None) -> RetrievalTask:
    """Read ``root/captions.csv`` and ``root/images``, or a ``root/dataset_*.json`` of Karpathy's splits.

    One query a caption, whose one right answer is its picture. ``split`` None takes the first of test, val, dev that
    the file has; "all", or a file without splits, takes every row. Raises ``DatasetNotFound``, and ``BadInput`` for a
    file that cannot be understood.
    """
    table, folder = root / "captions.csv", root / "images"
    if table.is_file() and folder.is_dir():
        return _task("captions", table, list(_csv_rows(table)), split, lambda name: folder / name)
    files = sorted(root.glob("dataset_*.json")) if root.is_dir() else []
    if len(files) == 1:
        return _from_json("captions", files[0], split)
    published = f"{', '.join(_PUBLISHED.values())}, with {_SPLITS_PUBLISHED}; {_OWN}"
    raise not_found("The caption set", [table, folder, root / "dataset_<name>.json"], published)


def load_flickr8k(root: Path, split: str | None = None) -> RetrievalTask:
    """Read Flickr8k (Hodosh et al. 2013, JAIR 47): Karpathy's JSON, or the CSV of ``load_captions``."""
    return _known("flickr8k", root, split)


def load_flickr30k(root: Path, split: str | None = None) -> RetrievalTask:
    """Read Flickr30k (Young et al. 2014, TACL 2) with Karpathy's splits, or the CSV of ``load_captions``."""
    return _known("flickr30k", root, split)


def load_coco(root: Path, split: str | None = None) -> RetrievalTask:
    """Read COCO captions (Chen et al. 2015, arXiv 1504.00325) with Karpathy's splits: "test" are 5,000 pictures."""
    return _known("coco", root, split)


def _known(name: str, root: Path, split: str | None) -> RetrievalTask:
    file = root / f"dataset_{name}.json"
    if file.is_file():
        return _from_json(name, file, split)
    table, folder = root / "captions.csv", root / "images"
    if table.is_file() and folder.is_dir():
        return _task(name, table, list(_csv_rows(table)), split, lambda image: folder / image)
    raise not_found(name, [file, table], f"{_PUBLISHED[name]}, with {_SPLITS_PUBLISHED}")


def _from_json(name: str, file: Path, split: str | None) -> RetrievalTask:
    rows = [
        _Row(f"{file}, picture {each.image}", each.image, str(number), each.split, caption)
        for each in karpathy.read(file)
        for number, caption in enumerate(each.captions[: karpathy.CAPTIONS])
    ]
    remarks = (f"the first {karpathy.CAPTIONS} captions of each picture",)
    return _task(name, file, rows, split, karpathy.locator(file.parent), remarks)


def _task(
    name: str,
    file: Path,
    rows: Sequence[_Row],
    split: str | None,
    locate: Callable[[str], Path],
    remarks: tuple[str, ...] = (),
) -> RetrievalTask:
    split = _chosen_split(file, {row.split for row in rows}, split)
    rows = [row for row in rows if split in (_ALL, row.split)]
    queries: list[TaskQuery] = []
    grades: dict[str, dict[str, int]] = {}
    seen: Counter[str] = Counter()
    for row in rows:
        image_id = safe_id(row.image)
        query_id = safe_id(f"{row.image}#{seen[image_id] if row.caption_id is None else row.caption_id}")
        if query_id in grades:
            raise BadInput(f"{row.place}: caption {query_id!r} was there before")
        seen[image_id] += 1
        queries.append(TaskQuery(query_id, (row.caption,)))
        grades[query_id] = {image_id: 1}
    names = sorted({row.image for row in rows})
    images = tuple(TaskImage(safe_id(image), file_loader(locate(image))) for image in names)
    return RetrievalTask(name, TaskKind.CAPTION, split, tuple(queries), images, Qrels(grades, {}), remarks)


def _csv_rows(table: Path) -> Iterator[_Row]:
    """Yield the rows that have a caption."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            if not {"image", "caption"} <= set(columns):
                raise BadInput(f"{table} should have the columns image, caption_id, split, caption, but has {columns}")
            for row in reader:
                image, caption = (row["image"] or "").strip(), (row["caption"] or "").strip()
                place = f"{table}, line {reader.line_num}"
                if not karpathy.is_inside(image):
                    raise BadInput(f"{place}: {image!r} is not a file below images/")
                if image and caption:
                    yield _Row(place, image, row.get("caption_id"), row.get("split") or _ALL, caption)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table} cannot be read as CSV in UTF-8: {error}") from error


def _chosen_split(file: Path, present: set[str], wanted: str | None) -> str:
    if not present:
        raise BadInput(f"{file} has no row with a picture and a caption")
    if wanted is None:
        wanted = split_for_tests(present) or (_ALL if present == {_ALL} else None)
    if wanted is None or (wanted != _ALL and wanted not in present):
        raise BadInput(f"{file} has {asked_for(wanted)}; choose one of {', '.join(sorted(present | {_ALL}))}")
    return wanted
