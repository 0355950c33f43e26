"""Quality of the classical engine on known data sets, several seeds each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Bar, Result
from wordsight.clustering import TwoStageConfig
from wordsight.datasets import load_task
from wordsight.datasets.exemplars import Exemplar, Exemplars, load_exemplars, read_pictures, refuse_shared
from wordsight.datasets.task import RetrievalTask
from wordsight.encoders.cluster_model import ClusterModel, FitConfig, fit_on_statistics, statistics
from wordsight.evaluation import OriginalProtocol, original_protocol, parse
from wordsight.evaluation.evaluate import evaluate_scores
from wordsight.features.codebook_lists import DEFAULTS, learn, plan

EXEMPLARS = (1, 5, 10, 50, 100)
CLUSTERS = (1, 2, 3, 5, 8)
GALLERIES, CANDIDATES = 300, 100
Blocks = list[NDArray[np.float32]]


def cifar10(result: Result, data: Path, *, seeds: int) -> None:
    """Exemplars from data_batch_1, gallery test_batch."""
    exemplars, task = load_exemplars("cifar10", data / "cifar10"), load_task("cifar10", data / "cifar10")
    pictures = read_pictures(exemplars.items)
    refuse_shared(pictures.keys, task)
    gallery = read_pictures(Exemplar(image.image_id, image.load, ()) for image in task.images)
    truth = np.asarray(
        [[image.image_id in task.qrels.grades[q.query_id] for image in task.images] for q in task.queries]
    )
    planned = plan(DEFAULTS["small"], "small")
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        features = learn(planned, pictures.images, seed=seed)  # from all exemplars, without their labels
        mine = statistics(features, pictures.images, mirror=True)
        theirs = statistics(features, gallery.images, mirror=False)
        for name, each, clustering, use in _cases([feature.name for feature in features]):
            chosen = exemplars.sample(each, seed=seed)[0]
            blocks = _of(exemplars, chosen, [mine[number] for number in use])
            config = FitConfig(seed=seed, clustering=clustering)
            used = tuple(features[number] for number in use)
            model = fit_on_statistics(used, blocks, chosen.targets(), chosen.labels, config)
            found = _measures(model, [theirs[number] for number in use], truth, seed)
            rows.setdefault(name, []).append(found | {"drifts": len(model.prototypes.drifts)})
            print(f"  seed {seed} {name}: {found}", flush=True)
    result.raw = rows
    result.setting = {
        "features": DEFAULTS["small"],
        "seeds": seeds,
        "exemplars": "data_batch_1",
        "gallery": "test_batch",
        "codebook": "from all 1,500 pictures of data_batch_1, without labels",
        "protocol": f"{GALLERIES} galleries of {CANDIDATES} candidates and one random label, closest prototype, "
        "macro over both classes",
    }
    for name, per_seed in rows.items():
        for measure in ("accuracy", "mAP", "F1"):
            _add(result, f"{name}: {measure}", [row[measure] for row in per_seed], _CIFAR_BARS.get((name, measure)))


def _cases(names: list[str]) -> list[tuple[str, int, TwoStageConfig, tuple[int, ...]]]:
    """Return what is tried: a name, exemplars of a label, the clustering, and which statistics."""
    every = tuple(range(len(names)))
    cases = [(f"{each} exemplars", each, TwoStageConfig(), every) for each in EXEMPLARS]
    cases += [(f"{clusters} clusters", 100, TwoStageConfig(clusters), every) for clusters in CLUSTERS[1:]]
    cases.append(("clusters by silhouette", 100, TwoStageConfig(None), every))
    cases.append(("3 clusters, stage 1 only", 100, TwoStageConfig(3, joint_rounds=0), every))
    return cases + [(f"{name} alone", 100, TwoStageConfig(), (number,)) for number, name in enumerate(names)]


_CIFAR_BARS = {
    ("100 exemplars", "accuracy"): Bar(">=", 0.50),
    ("100 exemplars", "F1"): Bar(">=", 0.70),
    ("10 exemplars", "accuracy"): Bar(">=", 0.36),
}


def voc2007(result: Result, data: Path, *, seeds: int) -> None:
    """Exemplars from the development folder, gallery the development images."""
    exemplars, task = load_exemplars("voc2007", data / "voc2007_exemplars"), load_task("voc2007", data / "voc2007")
    pictures = read_pictures(exemplars.items)
    refuse_shared(pictures.keys, task)
    gallery = read_pictures(Exemplar(image.image_id, image.load, ()) for image in task.images)
    rows = []
    for seed in range(seeds):
        features = learn(plan(DEFAULTS["photo"], "photo"), pictures.images, seed=seed)
        mine = statistics(features, pictures.images, mirror=True)
        model = fit_on_statistics(
            features, mine, exemplars.targets(pictures.items), exemplars.labels, FitConfig(seed=seed)
        )
        found = _mean_ap(model, statistics(features, gallery.images, mirror=False), task)
        print(f"  seed {seed}: {found}, weights {model.projection.weights}", flush=True)
        rows.append(found)
    result.raw = {"per seed": rows}
    result.setting = {
        "features": DEFAULTS["photo"],
        "seeds": seeds,
        "exemplars": len(pictures.items),
        "gallery": len(gallery.items),
    }
    _add(result, "mAP", [row["mAP"] for row in rows], Bar(">=", 0.22))
    _add(result, "mAP of the labels with 10 exemplars or more", [row["mAP, 10 or more"] for row in rows], None)


def _of(everything: Exemplars, chosen: Exemplars, blocks: Blocks) -> Blocks:
    """Return the rows of the chosen exemplars, each with its mirror image."""
    place = {item.image_id: number for number, item in enumerate(everything.items)}
    first = np.asarray([2 * place[item.image_id] for item in chosen.items])
    both = np.stack([first, first + 1], axis=1).ravel()
    return [block[both] for block in blocks]


def _measures(model: ClusterModel, blocks: Blocks, truth: NDArray[np.bool_], seed: int) -> dict[str, float]:
    shares = model.shares(model.projection(blocks)).T
    right = truth[shares.argmax(axis=0), np.arange(shares.shape[1])]
    ranked = np.take_along_axis(truth, np.argsort(-shares, axis=1, kind="stable"), axis=1)
    places = np.arange(1, ranked.shape[1] + 1)
    f1 = float(original_protocol(shares, truth, OriginalProtocol(GALLERIES, CANDIDATES, seed=seed)).f1.mean())
    ap = (np.cumsum(ranked, axis=1) / places * ranked).sum(axis=1) / ranked.sum(axis=1)
    return {"accuracy": float(right.mean()), "mAP": float(ap.mean()), "F1": f1}


def _mean_ap(model: ClusterModel, blocks: Blocks, task: RetrievalTask) -> dict[str, float]:
    shares = model.shares(model.projection(blocks)).T
    order = [model.labels.index(query.texts[0]) for query in task.queries]
    names = [query.query_id for query in task.queries]
    ids = [image.image_id for image in task.images]
    evaluation = evaluate_scores(shares[order], names, ids, task.qrels, [parse("AP")])
    each = next(iter(evaluation.per_query().values()))
    counts = {
        label: int(model.prototypes.counts[model.prototypes.owners == place].sum())
        for place, label in enumerate(model.labels)
    }
    many = [each[query.query_id] for query in task.queries if counts[query.texts[0]] >= 10]
    return {"mAP": float(np.mean(list(each.values()))), "mAP, 10 or more": float(np.mean(many))}


def _add(result: Result, name: str, values: list[float], bar: Bar | None) -> None:
    result.add(f"{name} (mean of {len(values)} seeds, spread {np.std(values):.3f})", float(np.mean(values)), "", bar)
