"""Known data sets as retrieval tasks: texts, lazily read pictures, and what is right.

``load_task("voc2007", root)`` is the way in; nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from wordsight.datasets.captions import load_captions, load_coco, load_flickr8k, load_flickr30k
from wordsight.datasets.cifar import load_cifar10, load_cifar100, load_cifar100_coarse
from wordsight.datasets.folders import load_caltech101, load_folder
from wordsight.datasets.task import Loader, RetrievalTask, TaskImage, TaskKind, TaskQuery
from wordsight.datasets.voc import load_voc2007
from wordsight.errors import BadInput

__all__ = ["LOADERS", "RetrievalTask", "TaskImage", "TaskKind", "TaskQuery", "load_task"]

LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "cifar10": load_cifar10,
        "cifar100": load_cifar100,
        "cifar100-coarse": load_cifar100_coarse,
        "voc2007": load_voc2007,
        "caltech101": load_caltech101,
        "folder": load_folder,
        "captions": load_captions,
        "flickr8k": load_flickr8k,
        "flickr30k": load_flickr30k,
        "coco": load_coco,
    }
)


def load_task(name: str, root: Path, split: str | None = None) -> RetrievalTask:
    """Read the task ``name`` below ``root``; ``split`` None is the one its papers test on.

    Raises ``BadInput`` for an unknown name or a damaged file, ``DatasetNotFound`` where the data are not.
    """
    loader = LOADERS.get(name)
    if loader is None:
        raise BadInput(f"no task is called {name!r}; there are {', '.join(LOADERS)}")
    return loader(Path(root).expanduser(), split)
