"""Class folders of one's own, and Caltech-101, which is such folders (Fei-Fei et al. 2004, CVPR workshop 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from wordsight.datasets.layout import SPLITS, asked_for, class_folders, file_loader, not_found, safe_id, split_for_tests
from wordsight.datasets.task import RetrievalTask, TaskImage, TaskQuery, single_label_task
from wordsight.errors import BadInput

CALTECH_PUBLISHED = "https://data.caltech.edu/records/mzrjq-6wc02 (caltech-101.zip, in it 101_ObjectCategories.tar.gz)"
CALTECH_TRAINED = 30
"""Pictures a class that papers train on; the rest are tested."""

_NO_WORDINGS: Mapping[str, str] = MappingProxyType({})
_CALTECH = "101_ObjectCategories"
_BACKGROUND = "BACKGROUND_Google"
_ALL = "all"
# Folders whose names are not what one would call the thing.
_CALTECH_WORDINGS = MappingProxyType(
    {
        "Faces": "off-center face",
        "Faces_easy": "centered face",
        "Leopards": "leopard",
        "Motorbikes": "motorbike",
        "airplanes": "airplane",
        "car_side": "side of a car",
        "cougar_body": "body of a cougar",
        "cougar_face": "face of a cougar",
        "crocodile_head": "head of a crocodile",
        "flamingo_head": "head of a flamingo",
        "snoopy": "snoopy, the cartoon beagle",
        "water_lilly": "water lily",
        "yin_yang": "yin and yang symbol",
    }
)


def load_folder(root: Path, split: str | None = None) -> RetrievalTask:
    """Read ``root/<label>/**``, or ``root/<split>/<label>/**`` where all folders in ``root`` are named like splits.

    ``split`` None takes the part made for testing, or "all" where there are no parts. A label's underscores are read
    as blanks. Raises ``DatasetNotFound``, and ``BadInput`` for a split that is not there.
    """
    parts = split_folders(root)
    if parts:
        split = split or split_for_tests(parts)
        if split not in parts:
            raise BadInput(f"{root} has {asked_for(split)}; choose one of {', '.join(sorted(parts))}")
        root = root / split
    elif split not in (None, _ALL):
        raise BadInput(f"{root} has no folder for each split, so there is no {split!r}; leave the split out")
    files = labelled_files(root)
    return single_label_task("folder", split or _ALL, *labelled_pictures(root, files))


def load_caltech101(root: Path, split: str | None = None) -> RetrievalTask:
    """Read Caltech-101; ``root`` is or holds ``101_ObjectCategories``. ``BACKGROUND_Google`` is no label: left out.

    It has no official split. "train" are ``CALTECH_TRAINED`` pictures of each class drawn by the seed 0, "test" (unless
    told) the others, as papers do; or "all". Raises ``DatasetNotFound``, ``BadInput`` for another split.
    """
    split = split or "test"
    if split not in ("train", "test", _ALL):
        raise BadInput(f"Caltech-101 has the splits train, test and all, not {split!r}")
    folder = caltech_folder(root)
    files = class_folders(folder, leave_out=(_BACKGROUND,))
    if split != _ALL:
        files = {label: _part(paths, split) for label, paths in files.items()}
    remarks = (f"{_BACKGROUND} is left out", f"train: {CALTECH_TRAINED} pictures of each class drawn by seed 0")
    return single_label_task("caltech101", split, *labelled_pictures(folder, files, _CALTECH_WORDINGS), remarks)


def caltech_folder(root: Path) -> Path:
    """Return ``101_ObjectCategories`` below ``root``; raises ``DatasetNotFound``."""
    for folder in (root / _CALTECH, root / "caltech-101" / _CALTECH, root):
        if folder.is_dir() and (folder.name == _CALTECH or (folder / _BACKGROUND).is_dir()):
            return folder
    raise not_found("Caltech-101", [root / _CALTECH / "<class>" / "image_0001.jpg"], CALTECH_PUBLISHED, fetched=True)


def labelled_files(root: Path) -> dict[str, list[Path]]:
    """Return label -> files of class folders; raises ``BadInput`` where there is none."""
    if not root.is_dir():
        raise BadInput(f"expected a folder of class folders, but there is none at {root}")
    files = class_folders(root)
    if not files:
        raise BadInput(f"expected a folder for each label with pictures in it, such as {root / 'dog' / '1.jpg'}")
    return files


def split_folders(root: Path) -> frozenset[str]:
    """Return the names of the folders in ``root`` where all of them are names of splits, else nothing."""
    if not root.is_dir():
        return frozenset()
    names = frozenset(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return names if names <= frozenset(SPLITS) else frozenset()


def _part(paths: Sequence[Path], split: str) -> list[Path]:
    drawn = set(np.random.default_rng(0).permutation(len(paths))[:CALTECH_TRAINED].tolist())
    return [path for place, path in enumerate(paths) if (place in drawn) == (split == "train")]


def label_query(label: str, wordings: Mapping[str, str] = _NO_WORDINGS) -> TaskQuery:
    """Return the query for a label: as ``wordings`` has it, else its underscores read as blanks."""
    return TaskQuery(safe_id(label), (wordings.get(label, label.replace("_", " ")),))


def labelled_pictures(
    root: Path, files: Mapping[str, Sequence[Path]], wordings: Mapping[str, str] = _NO_WORDINGS
) -> tuple[list[TaskQuery], list[tuple[str, TaskImage]]]:
    """Return the labels as queries, and each picture below ``root`` with its query's id."""
    queries = [label_query(label, wordings) for label in files]
    labelled = [
        (query.query_id, TaskImage(safe_id(path.relative_to(root).as_posix()), file_loader(path)))
        for query, paths in zip(queries, files.values(), strict=True)
        for path in paths
    ]
    return queries, labelled
