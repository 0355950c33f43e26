"""Do maps find things? Measured on the development images of VOC2007, through ``wordsight localize``.

``python -m benchmarks.localization --data ../shared/data [--only best methods ...]`` writes
benchmarks/results/localization.json part by part, and the tables of docs/localization.md. onnxruntime runs the towers
unless WORDSIGHT_RUNTIME names another.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.localization_doc import CURVES, write_tables
from wordsight.explain import ExplainOptions, ViewExplainer, explainer
from wordsight.images import open_image
from wordsight.localization import label_explainer
from wordsight.protocols import Encoder, Image
from wordsight.registry import MODELS, load_encoder
from wordsight.types import Embeddings
from wordsight.why import quick

RESULTS = report.ROOT / "benchmarks" / "results" / "localization.json"
ENCODER = "mini"
METHODS = ("gradcam", "gradcam++", "xgradcam", "layercam", "eigencam", "eigengradcam", "ablationcam")
MASKED = ("occlusion", "rise", "gscorecam", "scorecam")
"""They ask the encoder for every mask, patch or channel: from 49 to 1,280 times a picture."""
COMPARED, FEW, SPOILED, SEARCHED, FOLLOWED = 60, 12, 40, 120, 60
"""Pictures for the comparison of methods and of those that mask, for maps and search under corruptions, and for
deletion and insertion."""


def main() -> int:
    """Run the parts asked for; each is written as soon as it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.localization", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the development data")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    runtime = os.environ.setdefault("WORDSIGHT_RUNTIME", "onnxruntime")
    root = given.data / "voc2007"
    for name in given.only:
        about = report.machine()
        found = PARTS[name](root)
        results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = {
            "command": f"python -m benchmarks.localization --data ../shared/data --only {name}",
            "runtime": runtime,
            "machine": about,
        } | found
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_tables(results)
        if name in CURVES:
            CURVES[name](results[name])
        print(f"{name}: done", flush=True)
    return 0


def _best(root: Path) -> dict[str, Any]:
    """All pictures: the maps as they are made unless told otherwise, and the plain ones."""
    return {"as made": _localize(root)[0], "plain": _localize(root, "--plain")[0]}


def _methods(root: Path) -> dict[str, Any]:
    """The same pictures for every method; one view each, but for the first."""
    limit = ["--limit", str(COMPARED)]
    found = {"projected": _localize(root, *limit)[0], "projected, one view": _localize(root, "--plain", *limit)[0]}
    return {"found": found | {name: _localize(root, "--plain", "--method", name, *limit)[0] for name in METHODS}}


def _masked(root: Path) -> dict[str, Any]:
    """Methods that mask take minutes for a few pictures; beside them two others on the same ones."""
    limit = ["--limit", str(FEW)]
    names = ("projected", "gradcam", *MASKED)
    return {"found": {name: _localize(root, "--plain", "--method", name, *limit)[0] for name in names}}


def _faithfulness(root: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        randomised = _randomised(Path(folder) / "mini-random")
        options = ["--limit", str(FOLLOWED), "--faithfulness", str(FOLLOWED), "--randomised", str(randomised)]
        as_made = _localize(root, *options)[0]["faithfulness"]
        return {"as made": as_made, "plain": _localize(root, "--plain", *options)[0]["faithfulness"]}


def _corruptions(root: Path) -> dict[str, Any]:
    """Search and maps (one view: forty-one times five would take hours) at five strengths of every scene."""
    maps = ["--plain", "--limit", str(SPOILED)]
    search = ["--limit", str(SEARCHED)]
    clean = {"pointing": _localize(root, *maps)[0], "mAP": _run("evaluate", root, *search)[0]}
    spoiled = {
        "pointing": _localize(root, *maps, "--corrupt", "all"),
        "mAP": _run("evaluate", root, *search, "--corrupt", "all"),
    }
    return {
        "pictures": {"pointing": SPOILED, "mAP": SEARCHED},
        "clean": {name: one["measures"][name] for name, one in clean.items()},
        "spoiled": {name: {one["corruption"]: one["measures"][name] for one in rows} for name, rows in spoiled.items()},
    }


def _cost(root: Path) -> dict[str, Any]:
    """Time of explaining pictures whose embeddings are known, as a multiple of embedding them; medians."""
    encoder = load_encoder(ENCODER)
    images = [open_image(file) for file in sorted((root / "VOCdevkit/VOC2007/JPEGImages").glob("*.jpg"))[:100]]
    best = explainer(encoder)
    ways = {"plain": explainer(encoder, "projected", ExplainOptions()), "quick": quick(best), "as made": best}
    alone = _multiples(encoder, ways, [images[5 * repeat : 5 * repeat + 5] for repeat in range(9)])
    batch = _seconds(lambda: ways["quick"].explain(images, ["a dog"], embeddings=encoder.encode_images(images)), [()])
    methods = {name: label_explainer(encoder, name, plain=True) for name in (*METHODS, *MASKED)}
    fast, slow = ({name: methods[name] for name in names} for names in (METHODS, MASKED))
    by_method = _multiples(encoder, fast, [images[3 * repeat : 3 * repeat + 3] for repeat in range(5)])
    by_method |= _multiples(encoder, slow, [images[:1], images[1:2]])
    return {
        "one picture": {name: statistics.median(found) for name, found in alone.items()},
        "methods": {name: statistics.median(found) for name, found in by_method.items()},
        "repeats": alone | by_method,
        "a hundred in one batch": batch / _seconds(encoder.encode_images, [(images,)]),
    }


def _multiples(
    encoder: Encoder, ways: Mapping[str, ViewExplainer], repeats: Sequence[Sequence[Image]]
) -> dict[str, list[float]]:
    """Return for each way what it costs to explain the pictures of each repeat, one after the other."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for images in repeats:
        pictures = [[image] for image in images]
        for name, way in ways.items():
            known = encoder.encode_images(images)
            asked = [(picture, row[None]) for picture, row in zip(pictures, known, strict=True)]
            embedding = _seconds(encoder.encode_images, [(picture,) for picture in pictures])
            found[name].append(_seconds(partial(_explained, way), asked) / embedding)
    return found


def _explained(way: ViewExplainer, picture: list[Image], row: Embeddings) -> object:
    return way.explain(picture, ["a dog"], embeddings=row)


def _seconds(work: Callable[..., object], calls: Sequence[tuple[Any, ...]]) -> float:
    started = time.perf_counter()
    for arguments in calls:
        work(*arguments)
    return time.perf_counter() - started


def _randomised(folder: Path) -> Path:
    """Copy the shipped model with the values of each weight shuffled; what is normalised keeps its scale."""
    import onnx
    from onnx import numpy_helper

    shutil.copytree(MODELS / ENCODER, folder)
    rng = np.random.default_rng(0)
    describe = json.loads((folder / "model.json").read_text())
    for name in ("image.onnx", "image_map.onnx"):
        rng = np.random.default_rng(0)  # both graphs share the weights: they are shuffled in the same way
        model = onnx.load(folder / name)
        for weight in model.graph.initializer:
            values = numpy_helper.to_array(weight)
            if values.ndim >= 2:
                weight.CopyFrom(
                    numpy_helper.from_array(rng.permutation(values.ravel()).reshape(values.shape), weight.name)
                )
        (folder / name).write_bytes(model.SerializeToString())
    for name, entry in describe["files"].items():
        content = (folder / name).read_bytes()
        entry.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    (folder / "model.json").write_text(json.dumps(describe))
    return folder


def _localize(root: Path, *words: str) -> list[dict[str, Any]]:
    return _run("localize", root, *words)


def _run(command: str, root: Path, *words: str) -> list[dict[str, Any]]:
    line = [sys.executable, "-m", "wordsight", command, "--task", "voc2007", "--root", str(root), "--json", *words]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return [_rounded(json.loads(row)) for row in done.stdout.splitlines()]


def _rounded(value: Any) -> Any:
    """Return the numbers to four places, without long lists and times, which `cost` takes."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items() if key not in ("texts", "contrast", "seconds")}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


PARTS = {
    "best": _best,
    "methods": _methods,
    "masked": _masked,
    "faithfulness": _faithfulness,
    "corruptions": _corruptions,
    "cost": _cost,
}

if __name__ == "__main__":
    sys.exit(main())
