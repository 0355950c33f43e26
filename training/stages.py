"""Work that is done once: each stage owns a folder named by a hash of its configuration and of what it builds on."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("training")


def run_stage(work: Path, name: str, config: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
    """Gives the folder of the stage, after `make(folder)` filled it now or in an earlier run.

    `config` must hold everything that changes the result, earlier stages as their folders' names. `make` may leave
    checkpoints in the folder: a killed stage starts again in the same folder.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:10]
    folder = work / f"{name}-{digest}"
    done = folder / "done.json"
    if done.exists():
        log.info("%s: there already", folder.name)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    log.info("%s: start", folder.name)
    start, cpu = time.time(), time.process_time()
    make(folder)
    seconds = {"seconds": round(time.time() - start, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    done.write_text(json.dumps({"config": config, **seconds}, indent=1))
    log.info("%s: done in %s", folder.name, seconds)
    return folder


def spent(folder: Path) -> dict[str, Any]:
    """What `run_stage` noted about a finished stage: configuration and times."""
    return json.loads((folder / "done.json").read_text())
