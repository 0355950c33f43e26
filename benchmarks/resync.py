"""Re-sync of an unchanged folder: files a second, and proof that no photo is opened."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks import memory
from benchmarks.process import Command, measure, python, wordsight
from benchmarks.report import Bar, Result
from benchmarks.settings import Settings

_AUDITED = """
import os, sys
folder, words, opened = sys.argv[1], sys.argv[2:], []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        name = os.fsdecode(arguments[0])
        if name.startswith(folder) and name.endswith(".jpg"):
            opened.append(name)
sys.addaudithook(hook)
sys.argv = ["wordsight", *words]
from wordsight.cli import run
status = run()
assert not status, status
print(len(opened))
"""


def run(settings: Settings) -> Result:
    """Index once where that is still to do, then measure runs that find nothing to do."""
    result = Result("resync", "Re-sync of an unchanged folder")
    folder = memory.folder_of(settings, settings.files)
    catalogue = memory.catalogue_of(settings, settings.files)
    words = ["index", str(folder), "--encoder", settings.encoder, "--catalog", str(catalogue), "--json", "--quiet"]
    (first,) = measure([Command(wordsight(*words))])
    result.setting = {
        "encoder": settings.encoder_name,
        "files": settings.files,
        "folders": sum(1 for entry in folder.iterdir() if entry.is_dir()),
        "first_run_encoded": first.last_json()["encoded"],
    }
    samples = measure([Command(wordsight(*words))] * max(5, settings.repeats))
    for sample in samples:
        if sample.last_json()["unchanged"] != settings.files:
            raise RuntimeError(f"expected {settings.files} unchanged files, got {sample.stdout}")
    walls = [sample.wall_s for sample in samples]
    syncs = [float(str(sample.last_json()["seconds"])) for sample in samples]
    result.raw = {"wall_s": walls, "sync_s": syncs}
    bar = Bar(">=", 10_000)
    result.add("re-sync, whole command", settings.files / statistics.median(walls), "files/s", bar)
    result.add("re-sync, the sync alone", settings.files / statistics.median(syncs), "files/s", bar)
    result.add("re-sync, whole command", statistics.median(walls), "s")
    (audited,) = measure([Command(python(_AUDITED, str(folder), *words))])
    opened = int(audited.stdout.strip().splitlines()[-1])
    result.add("photos opened (Python's audit hook)", opened, "", Bar("<=", 0))
    if shutil.which("strace"):
        result.add("photos opened (strace)", _strace(folder, words), "", Bar("<=", 0))
    return result


def _strace(folder: Path, words: list[str]) -> int:
    """Count the system calls that open a photo."""
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place) / "trace"
        strace = [str(shutil.which("strace")), "-f", "-e", "trace=open,openat,openat2", "-o", str(trace)]
        measure([Command([*strace, *wordsight(*words)])])
        lines = trace.read_text(errors="replace").splitlines()
    if not any(str(folder) in line for line in lines):
        raise RuntimeError("strace saw no folder being listed: its output was not understood")
    return sum('.jpg"' in line for line in lines)
