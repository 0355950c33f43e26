"""Pictures with sentences about them: ``images/`` and ``captions.csv`` (Flickr8k, Flickr30k, COCO, one's own)."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wordsight.datasets.layout import file_loader, not_found, safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.types import Qrels

PUBLISHED = (
    "https://hockenmaier.cs.illinois.edu/Framing_Image_Description/KCCA.html (Flickr8k), "
    "https://shannon.cs.illinois.edu/DenotationGraph/ (Flickr30k), "
    "https://cocodataset.org (COCO); or make your own: images/ and captions.csv (image, caption_id, split, caption)"
)
# Where a set has several, papers report the first of these.
_TEST_SPLITS = ("test", "val", "validation", "dev")
_ALL = "all"


class _Row(NamedTuple):
    line: int
    image: str
    caption_id: str | None
    split: str
    caption: str


def load_captions(root: Path, split: str | None = None) -> RetrievalTask:
    """Read ``root/captions.csv`` and ``root/images``; one query a caption, whose one right answer is its picture.

    ``split`` None takes the first of test, val, validation, dev that the file has; "all", or a file without that
    column, takes every row. Raises ``DatasetNotFound``, and ``BadInput`` for a file that cannot be understood.
    """
    table, folder = root / "captions.csv", root / "images"
    if not table.is_file() or not folder.is_dir():
        raise not_found("The caption set", [table, folder], PUBLISHED)
    rows = list(_rows(table))
    split = _chosen_split(table, {row.split for row in rows}, split)
    rows = [row for row in rows if split in (_ALL, row.split)]
    queries: list[TaskQuery] = []
    grades: dict[str, dict[str, int]] = {}
    seen: Counter[str] = Counter()
    for row in rows:
        image_id = safe_id(row.image)
        query_id = safe_id(f"{row.image}#{seen[image_id] if row.caption_id is None else row.caption_id}")
        if query_id in grades:
            raise BadInput(f"{table}, line {row.line}: caption {query_id!r} was there before")
        seen[image_id] += 1
        queries.append(TaskQuery(query_id, (row.caption,)))
        grades[query_id] = {image_id: 1}
    names = sorted({row.image for row in rows})
    images = tuple(TaskImage(safe_id(name), file_loader(folder / name)) for name in names)
    return RetrievalTask("captions", TaskKind.CAPTION, split, tuple(queries), images, Qrels(grades, {}))


def _rows(table: Path) -> Iterator[_Row]:
    """Yield the rows that have a caption."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            if not {"image", "caption"} <= set(columns):
                raise BadInput(f"{table} should have the columns image, caption_id, split, caption, but has {columns}")
            for row in reader:
                image, caption = (row["image"] or "").strip(), (row["caption"] or "").strip()
                if Path(image).is_absolute() or ".." in Path(image).parts:
                    raise BadInput(f"{table}, line {reader.line_num}: {image!r} is not a file below images/")
                if image and caption:
                    yield _Row(reader.line_num, image, row.get("caption_id"), row.get("split") or _ALL, caption)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table} cannot be read as CSV in UTF-8: {error}") from error


def _chosen_split(table: Path, present: set[str], wanted: str | None) -> str:
    if not present:
        raise BadInput(f"{table} has no row with a picture and a caption")
    if wanted is None:
        wanted = next((name for name in _TEST_SPLITS if name in present), _ALL if present == {_ALL} else None)
    if wanted is None or (wanted != _ALL and wanted not in present):
        asked = "none to test on" if wanted is None else f"no split {wanted!r}"
        raise BadInput(f"{table} has {asked}; choose one of {', '.join(sorted(present | {_ALL}))}")
    return wanted
