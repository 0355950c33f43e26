"""Draws clusters and prototypes: ``python -m benchmarks.classical_picture``, from scikit-image's free samples."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from benchmarks.report import ROOT
from wordsight.clustering import TwoStageConfig
from wordsight.encoders.cluster_model import ClusterModel, FitConfig, fit_model
from wordsight.protocols import Image

SAMPLES = {"brick": "brick", "grass": "grass", "gravel": "gravel", "cat": "chelsea", "stars": "hubble_deep_field"}
_SIDE, _TILES, _SHOWN = 96, 40, 5


def main() -> int:
    """Fit on tiles of the left half of each sample, show the closest tiles of the right half."""
    exemplars, gallery, targets = [], [], []
    for place, sample in enumerate(SAMPLES.values()):
        left, right = tiles(sample, seed=place)
        exemplars += left
        gallery += right
        targets += [np.eye(len(SAMPLES))[place]] * len(left)
    config = FitConfig("patches(words=60,side=48,stride=2),hog(cell=32),colour", clustering=TwoStageConfig(2))
    model = fit_model(exemplars, np.asarray(targets, np.float32), tuple(SAMPLES), config)
    right = model.shares(model.rows(gallery)).argmax(axis=1) == np.repeat(np.arange(len(SAMPLES)), _TILES)
    print(f"{right.mean():.1%} of {len(gallery)} tiles that it was not fitted on are closest to a prototype of theirs")
    _draw(model, exemplars, gallery, ROOT / "docs" / "images" / "clusters.webp")
    return 0


def tiles(sample: str, *, seed: int) -> tuple[list[Image], list[Image]]:
    """Return tiles of the left and of the right half, at random places, half of the cat's and the stars' size."""
    from skimage import data

    pixels = getattr(data, sample)()
    image = PILImage.fromarray(pixels).convert("RGB")
    rng = np.random.default_rng(seed)
    half = image.width // 2
    found: tuple[list[Image], list[Image]] = ([], [])
    for side, start in enumerate((0, half)):
        for _ in range(_TILES):
            x, y = start + rng.integers(half - _SIDE), rng.integers(image.height - _SIDE)
            found[side].append(image.crop((int(x), int(y), int(x) + _SIDE, int(y) + _SIDE)))
    return found


def _draw(model: ClusterModel, exemplars: list[Image], gallery: list[Image], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    prototypes = model.prototypes
    rows, count = model.rows(gallery), len(prototypes.owners)
    figure = plt.figure(figsize=(11, 0.62 * count), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1))
    cells = left.subplots(count, _SHOWN + 1)
    for number, owner in enumerate(prototypes.owners):
        distances = ((rows - prototypes.centroids[number]) ** 2).sum(axis=1)
        for axis in cells[number]:
            axis.set_axis_off()
        told = f"{model.labels[owner]}\n{prototypes.counts[number]} exemplars\nspread {prototypes.spread[number]:.1f}"
        cells[number, 0].text(1, 0.5, told, ha="right", va="center", fontsize=8, transform=cells[number, 0].transAxes)
        for axis, place in zip(cells[number, 1:], np.argsort(distances, kind="stable")[:_SHOWN], strict=True):
            axis.imshow(gallery[place])
    _scatter(right.subplots(), model, model.rows(exemplars), rows)
    figure.savefig(file.with_suffix(".png"), dpi=110)
    plt.close(figure)
    with PILImage.open(file.with_suffix(".png")) as picture:
        picture.convert("RGB").save(file, quality=82, method=6)
    file.with_suffix(".png").unlink()


def _scatter(axis, model: ClusterModel, exemplars: NDArray[np.float32], gallery: NDArray[np.float32]) -> None:  # type: ignore[no-untyped-def]
    centre = model.prototypes.centroids.mean(axis=0)
    _, _, directions = np.linalg.svd(model.prototypes.centroids - centre, full_matrices=False)
    for place, label in enumerate(model.labels):
        colour = f"C{place}"
        for rows, each, style in ((exemplars, _TILES, "."), (gallery, _TILES, "x")):
            points = (rows[place * each : (place + 1) * each] - centre) @ directions[:2].T
            axis.plot(*points.T, style, color=colour, markersize=4, alpha=0.6)
        own = (model.prototypes.centroids[model.prototypes.owners == place] - centre) @ directions[:2].T
        axis.plot(*own.T, "*", color=colour, markersize=15, markeredgecolor="black", label=label)
    axis.set_title("exemplars (dots), other tiles (crosses), prototypes (stars)", fontsize=9)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    sys.exit(main())
