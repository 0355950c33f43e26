"""PASCAL VOC2007, classification (Everingham et al. 2010, IJCV 88, "The PASCAL Visual Object Classes Challenge")."""

from __future__ import annotations

from pathlib import Path

from wordsight.datasets.layout import file_loader, not_found, read_lines, safe_id
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.errors import BadInput
from wordsight.types import Qrels

PUBLISHED = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/ (VOCtest_06-Nov-2007.tar, VOCtrainval_06-Nov-2007.tar)"
# The files join words that English keeps apart; all other class names are words already.
WORDINGS = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "tv monitor"}
_PRESENT, _DIFFICULT = 1, 0


def load_voc2007(root: Path, split: str | None = None) -> RetrievalTask:
    """Read the ``split`` ("test" unless told) of VOC2007; one query a class, "difficult" pictures ignored for it.

    ``root`` is ``VOC2007``, ``VOCdevkit``, or a folder that holds either. Raises ``DatasetNotFound``, and ``BadInput``
    for label files that cannot be understood.
    """
    split = split or "test"
    base = voc_folder(root, split)
    files = _label_files(base, split)
    labels = {safe_id(path.name.removesuffix(f"_{split}.txt")): _read_labels(path) for path in files}
    names = sorted({name for row in labels.values() for name in row})
    if not names:
        raise BadInput(f"{files[0].parent} lists no picture in *_{split}.txt")
    return RetrievalTask(
        name="voc2007",
        kind=TaskKind.MULTI_LABEL,
        split=split,
        queries=tuple(TaskQuery(label, (WORDINGS.get(label, label),)) for label in labels),
        images=tuple(TaskImage(name, file_loader(base / "JPEGImages" / f"{name}.jpg")) for name in names),
        qrels=Qrels(
            {label: {name: 1 for name, value in row.items() if value == _PRESENT} for label, row in labels.items()},
            {
                label: frozenset(name for name, value in row.items() if value == _DIFFICULT)
                for label, row in labels.items()
            },
        ),
        remarks=("difficult pictures are ignored for their class",),
    )


def voc_folder(root: Path, split: str) -> Path:
    """Return the folder ``VOC2007`` at or below ``root`` that has label files of this split, or ``DatasetNotFound``."""
    places = [root / tail for tail in (Path(), Path("VOC2007"), Path("VOCdevkit") / "VOC2007")]
    for base in places:
        if _label_files(base, split):
            return base
    expected = [base / "ImageSets" / "Main" / f"aeroplane_{split}.txt" for base in places]
    raise not_found("VOC2007", expected, PUBLISHED, fetched=True)


def _label_files(base: Path, split: str) -> list[Path]:
    return sorted((base / "ImageSets" / "Main").glob(f"*_{split}.txt"))


def _read_labels(path: Path) -> dict[str, int]:
    labels: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in ("1", "0", "-1"):
            raise BadInput(f"{path}, line {number}: expected a picture and one of 1, 0, -1, got {line!r}")
        labels[fields[0]] = int(fields[1])
    return labels
