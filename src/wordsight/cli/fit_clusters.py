"""Clusters of a photo folder without labels, with a contact sheet to name them by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordsight.cli.options import notice
from wordsight.cli.sheet import write_sheet
from wordsight.clustering.kmeans import squared_distances
from wordsight.datasets.exemplars import Exemplar, Pictures, read_pictures
from wordsight.datasets.layout import file_loader
from wordsight.encoders.cluster_model import fit_unsupervised
from wordsight.images import walk
from wordsight.library.hits import Answer, PhotoHit
from wordsight.types import Query

if TYPE_CHECKING:
    from wordsight.encoders.cluster_model import ClusterModel, FitConfig

_MOST = 5_000
_SHOWN = 24


def clustered(folder: Path, k: int, config: FitConfig, sheet: Path, quiet: bool) -> ClusterModel:
    """Return the model of ``k`` clusters of the photos below ``folder`` and write the contact sheet.

    Of more than 5,000 photos, as many are drawn by seed. Raises ``BadInput`` for a folder with fewer photos than ``k``.
    """
    paths = [found.path / file.name for found in walk(folder) for file in found.files]
    if len(paths) > _MOST:
        drawn = np.random.default_rng(config.seed).permutation(len(paths))[:_MOST]
        paths = [paths[place] for place in np.sort(drawn)]
        notice(f"clusters are learned from {_MOST:,} of the photos, drawn by seed", quiet=quiet)
    pictures = read_pictures(Exemplar(str(path), file_loader(path), ()) for path in paths)
    for name, reason in pictures.skipped.items():
        notice(f"skipped {name}: {reason}", quiet=quiet)
    model, assigned = fit_unsupervised(pictures.images, k, config, exemplars=frozenset(pictures.keys))
    distances = squared_distances(model.rows(pictures.images), model.prototypes.centroids)
    answers = [
        _answer(label, pictures, np.flatnonzero(assigned == place), distances[:, place])
        for place, label in enumerate(model.labels)
    ]
    for reason in write_sheet(answers, sheet, title=f"{k} clusters of {folder.name}"):
        notice(reason, quiet=quiet)
    notice(f"contact sheet: {sheet.absolute().as_uri()}; name a cluster with --name 3=beach", quiet=quiet)
    return model


def _answer(label: str, pictures: Pictures, members: NDArray[np.int64], distances: NDArray[np.float32]) -> Answer:
    """Return the photos closest to a cluster's centre as an answer for the contact sheet."""
    closest = members[np.argsort(distances[members], kind="stable")][:_SHOWN]
    hits = []
    for rank, place in enumerate(closest.tolist(), start=1):
        image, path = pictures.images[place], Path(pictures.items[place].image_id)
        score = -float(np.sqrt(distances[place]))
        hits.append(PhotoHit(rank, path, score, None, image.width, image.height, 0, pictures.keys[place].hex(), ""))
    return Answer(Query.of(label), tuple(hits), len(members))
