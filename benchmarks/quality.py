"""Quality of an encoder on the development data, through ``wordsight evaluate``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.report import ROOT, Bar, Result
from benchmarks.settings import Settings

FOLDERS = {"cifar10": "cifar10", "voc2007": "voc2007", "captions": "flickr8k"}
BARS = {
    ("cifar10", "accuracy"): 0.60,
    ("voc2007", "mAP"): 0.66,
    ("voc2007", "mAP11"): None,
    ("voc2007", "P@10"): None,
    ("captions", "Success@1"): 0.18,
    ("captions", "Success@5"): 0.44,
    ("captions", "Success@10"): 0.58,
    ("captions", "image_to_text Success@5"): None,
}


def run(settings: Settings) -> Result:
    """Evaluate on each task; the data lie in ``$WORDSIGHT_DATA`` or ``../shared/data``."""
    data = Path(os.environ.get("WORDSIGHT_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        raise report.LackingError(f"no development data at {data}: set WORDSIGHT_DATA")
    result = Result("quality", f"Quality of {settings.encoder_name} on development data")
    for task, folder in FOLDERS.items():
        result.raw[task] = _evaluate(task, data / folder, settings)
    for (task, measure), required in BARS.items():
        bar = None if required is None else Bar(">=", required)
        result.add(f"{task}, {measure}", result.raw[task]["measures"][measure], bar=bar)
    result.setting = {"measures": "fractions in [0, 1], defined in docs/evaluation.md", "runtime": "onnxruntime"}
    return result


def _evaluate(task: str, root: Path, settings: Settings) -> dict[str, Any]:
    words = [sys.executable, "-m", "wordsight", "evaluate", "--task", task, "--root", str(root)]
    words += ["--encoder", settings.encoder, *(["--limit", "100"] if settings.tiny else [])]
    environment = os.environ | {"WORDSIGHT_RUNTIME": "onnxruntime"}
    done = subprocess.run([*words, "--json"], check=True, capture_output=True, text=True, env=environment)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
