"""What regions bring and cost: ``python -m benchmarks.regions --data DIR`` (see docs/regions.md).

Small objects: for a label, the pictures in which every object of that label covers less than a sixteenth of the picture
count as right, those without the label as wrong, and the others are left out. The mean is that of the labels with at
least five such pictures. Objects that VOC2007 calls difficult count neither way.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from benchmarks import regions_cost, regions_matches, report
from benchmarks.regions_doc import write_page
from wordsight.datasets import RetrievalTask, load_task
from wordsight.index import regions as index
from wordsight.library.regions import LAYOUT, Boxes, cut, layout
from wordsight.protocols import Encoder
from wordsight.registry import load_encoder
from wordsight.types import Embeddings

RESULTS = Path(__file__).parent / "results" / "regions.json"
SMALL = 1 / 16
_FEWEST = 5
_SIDES = (0.75, 0.6, 0.5, 0.4)
_NINE = tuple((x / 2, y / 2) for y in range(3) for x in range(3))
_COUNTS = {4: (0, 2, 6, 8), 5: (0, 2, 4, 6, 8), 9: tuple(range(9))}  # corners; and the centre; and the edges
_WEIGHTS = (0.0, 0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True, eq=False)
class Gallery:
    """Vectors of n pictures, (n, dim), of all their regions, (r, dim), and how many of these each has, (n,)."""

    whole: Embeddings
    regions: Embeddings
    counts: NDArray[np.intp]

    def scores(self, texts: Embeddings, weight: float = index.WEIGHT) -> NDArray[np.float32]:
        """Return (texts, pictures), as a search with that weight would score them."""
        whole, regions = self.whole @ texts.T, self.regions @ texts.T
        fused = index.blend_all(whole, regions, self.counts)
        return (whole + weight / index.WEIGHT * (fused - whole)).T

    def mean(self) -> Embeddings:
        """Return one vector a picture: the mean of the whole's and of the regions' mean; nothing more to store."""
        some = self.counts > 0
        rows = self.whole.copy()
        starts = (np.cumsum(self.counts) - self.counts)[some]
        rows[some] += np.add.reduceat(self.regions, starts) / self.counts[some, None]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def subset(self, rows: NDArray[np.intp]) -> Gallery:
        """Return the gallery of these pictures."""
        kept = np.repeat(np.isin(np.arange(len(self.whole)), rows), self.counts)
        return Gallery(self.whole[rows], self.regions[kept], self.counts[rows])

    def taken(self, places: Sequence[int], of: int) -> Gallery:
        """Return the gallery with these of each picture's ``of`` regions."""
        regions = self.regions.reshape(len(self.whole), of, -1)[:, list(places)]
        counts = np.full(len(self.whole), len(places), np.intp)
        return Gallery(self.whole, regions.reshape(-1, regions.shape[-1]), counts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("--encoder", default="mini", help="name of an encoder or path of a model folder")
    parser.add_argument("--only", choices=("quality", "cost"), help="this part; the other keeps its figures")
    parser.add_argument("--cache", type=Path, help="folder to keep vectors in between runs")
    parser.add_argument("--work", type=Path, default=report.ROOT / "benchmarks" / ".work", help="photos, catalogues")
    parser.add_argument("--out", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args()
    about = report.machine()
    results = json.loads(given.out.read_text()) if given.out.is_file() else {}
    if given.only != "cost":
        results["quality"] = quality(load_encoder(given.encoder), given.data, given.cache)
    if given.only != "quality":
        results["cost"] = regions_cost.run(given.encoder, given.work)
        results["machine"] = about
    results |= {
        "command": "python -m benchmarks.regions --data DIR",
        "versions": report.versions(),
        "layout": LAYOUT,
        "weight": index.WEIGHT,
        "runtime": os.environ.get("WORDSIGHT_RUNTIME", "auto"),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n")
    if given.out == RESULTS:
        write_page(results)
    print(json.dumps({name: results[name] for name in ("quality", "cost") if name in results}, indent=1))


def quality(encoder: Encoder, data: Path, cache: Path | None) -> dict[str, Any]:
    """Return the figures on VOC2007, by layout and weight, and on captions and thumbnails."""
    task = load_task("voc2007", data / "voc2007")
    texts = _label_texts(encoder, task)
    judge = Judge(task, next(data.glob("voc2007/**/Annotations")))
    shipped = encode(encoder, task, layout, cache)
    results: dict[str, Any] = {
        "voc2007": {
            "small_pictures": int(judge.small[judge.labels_with_small].sum()),
            "small_labels": len(judge.labels_with_small),
            "whole": judge(shipped.scores(texts, 0.0)),
            "by_weight": {str(weight): judge(shipped.scores(texts, weight)) for weight in _WEIGHTS[1:]},
            "mean_embedding": judge(texts @ shipped.mean().T),
            "regions_a_picture": float(shipped.counts.mean()),
            "per_label": judge.per_label(shipped.scores(texts, 0.0), shipped.scores(texts)),
        }
    }
    results["matches"] = regions_matches.run(encoder, shipped, judge.labels, texts)
    results["voc2007"]["with_regions"] = results["voc2007"]["by_weight"][str(index.WEIGHT)]
    results["voc2007_by_layout"] = {}
    for side in _SIDES:
        nine = encode(encoder, task, lambda w, h, side=side: _grid(w, h, side), cache, name=f"nine-{side}")
        for count, places in _COUNTS.items():
            figures = judge(nine.taken(places, len(_NINE)).scores(texts))
            bytes_more = 2 * encoder.dim * count
            gain = (figures["small"] - results["voc2007"]["whole"]["small"]) / (bytes_more / 1000)
            results["voc2007_by_layout"][f"side {side}, {count} regions"] = figures | {
                "bytes_a_picture": bytes_more,
                "gain_small_per_kB": round(gain, 5),
            }
    for name, folder, split in (("captions", "flickr8k", "dev"), ("cifar10", "cifar10", None)):
        results[name] = _other(encoder, load_task(name, data / folder, split), cache)
    return results


def _other(encoder: Encoder, task: RetrievalTask, cache: Path | None) -> dict[str, Any]:
    """Return Success@1, 5 and 10 of captions, or the accuracy of labels, with and without regions."""
    gallery = encode(encoder, task, layout, cache)
    names = {image.image_id: place for place, image in enumerate(task.images)}
    sentences = [query.texts[0] for query in task.queries]
    figures: dict[str, Any] = {"pictures": len(names), "regions_a_picture": float(gallery.counts.mean())}
    if task.name != "captions":
        right = np.zeros((len(sentences), len(names)), bool)
        for row, query in zip(right, task.queries, strict=True):
            row[[names[image] for image in task.qrels.grades[query.query_id]]] = True
        for told, weight in (("whole", 0.0), ("with_regions", index.WEIGHT)):
            best = gallery.scores(_label_texts(encoder, task), weight).argmax(axis=0)
            figures[told] = {"accuracy": float(right[best, np.arange(len(names))].mean())}
        return figures
    texts = np.concatenate([encoder.encode_texts(sentences[i : i + 256]) for i in range(0, len(sentences), 256)])
    wanted = np.asarray([names[next(iter(task.qrels.grades[query.query_id]))] for query in task.queries])
    for told, weight in (("whole", 0.0), ("with_regions", index.WEIGHT)):
        scores = gallery.scores(texts, weight)
        rank = (scores > scores[np.arange(len(wanted)), wanted][:, None]).sum(axis=1)
        figures[told] = {f"Success@{k}": float((rank < k).mean()) for k in (1, 5, 10)}
    return figures


class Judge:
    """Average precision on VOC2007, over all objects and over small ones."""

    def __init__(self, task: RetrievalTask, annotations: Path) -> None:
        self._names = [query.query_id for query in task.queries]
        grades, ignored = task.qrels.grades, task.qrels.ignored
        self.labels = np.asarray(
            [
                [-1 if i.image_id in ignored.get(n, ()) else int(grades[n].get(i.image_id, 0) > 0) for i in task.images]
                for n in self._names
            ]
        )
        largest = [_largest(annotations / f"{image.image_id}.xml") for image in task.images]
        areas = np.asarray([[row.get(name, 0.0) for row in largest] for name in self._names])
        self.small = (self.labels == 1) & (areas < SMALL)
        self.labels_with_small = np.flatnonzero(self.small.sum(axis=1) >= _FEWEST)

    def __call__(self, scores: NDArray[np.float32]) -> dict[str, float]:
        """Return the mean average precision (all-point) of all labels, and of small objects."""
        every, small = self._every(scores), self._small(scores)
        return {
            "mAP": round(float(np.mean(list(every.values()))), 4),
            "small": round(float(np.mean(list(small.values()))), 4),
        }

    def per_label(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> dict[str, dict[str, list[float]]]:
        """Return the average precision of each label before and after."""
        return {
            name: {label: [round(old[label], 4), round(new[label], 4)] for label in old}
            for name, old, new in (
                ("all", self._every(before), self._every(after)),
                ("small", self._small(before), self._small(after)),
            )
        }

    def _every(self, scores: NDArray[np.float32]) -> dict[str, float]:
        rows = zip(self._names, scores, self.labels, strict=True)
        return {name: _ap(row[labels >= 0], labels[labels >= 0] == 1) for name, row, labels in rows}

    def _small(self, scores: NDArray[np.float32]) -> dict[str, float]:
        found = {}
        for place in self.labels_with_small:
            kept = (self.labels[place] == 0) | self.small[place]
            found[self._names[place]] = _ap(scores[place][kept], self.small[place][kept])
        return found


def encode(
    encoder: Encoder,
    task: RetrievalTask,
    boxes_of: Callable[[int, int], Boxes],
    cache: Path | None,
    *,
    name: str = LAYOUT,
) -> Gallery:
    """Return the vectors of a task's pictures and of their regions, from the cache where they are there."""
    file = None if cache is None else cache / encoder.fingerprint / f"{task.name}-{name}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            return Gallery(kept["whole"].astype("f4"), kept["regions"].astype("f4"), kept["counts"])

    def one(image: Any) -> Embeddings:
        picture = image.load(encoder.image_side)
        return encoder.encode_images([picture, *cut(picture, boxes_of(picture.width, picture.height))])

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(one, task.images))
    whole = np.stack([row[0] for row in rows]).astype(np.float16)  # as the catalogue stores them
    regions = np.concatenate([row[1:] for row in rows]).astype(np.float16)
    counts = np.asarray([len(row) - 1 for row in rows], np.intp)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, whole=whole, regions=regions, counts=counts)
    return Gallery(whole.astype(np.float32), regions.astype(np.float32), counts)


def _grid(width: int, height: int, side: float) -> Boxes:
    """Return nine squares: corners, edges and centre."""
    size = side * min(width, height) / np.asarray([width, height])
    corners = np.asarray(_NINE) * (1 - size)
    return np.asarray(np.rint(np.hstack([corners, corners + size]) * 65535), np.uint16)


def _label_texts(encoder: Encoder, task: RetrievalTask) -> Embeddings:
    rows = [encoder.encode_texts([p.format(q.texts[0]) for p in encoder.label_prompts]).mean(0) for q in task.queries]
    return np.stack([row / np.linalg.norm(row) for row in rows])


def _largest(file: Path) -> dict[str, float]:
    """Return label -> share of the picture that its largest object covers."""
    root = ElementTree.parse(file).getroot()
    width, height = (float(root.findtext(f"size/{name}") or 0) for name in ("width", "height"))
    found: dict[str, float] = {}
    for item in root.findall("object"):
        left, top, right, bottom = (float(item.findtext(f"bndbox/{n}") or 0) for n in ("xmin", "ymin", "xmax", "ymax"))
        if item.findtext("difficult") != "1":
            name = item.findtext("name") or ""
            found[name] = max(found.get(name, 0), (right - left) * (bottom - top) / width / height)
    return found


def _ap(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    ordered = right[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ordered)[ordered] / (np.flatnonzero(ordered) + 1)).mean())


if __name__ == "__main__":
    main()
