"""Size of a fresh environment with the base install from a built wheel, by package, and the time it takes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.report import ROOT, Bar, Result
from benchmarks.settings import Settings


def run(settings: Settings) -> Result:  # noqa: ARG001
    """Build the wheel, install it into a new environment, and add up what lies in its site-packages."""
    result = Result("install", "A fresh base install")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
        (wheel,) = folder.glob("*.whl")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        python = str(folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        start = time.perf_counter()
        _pip(python, "install", str(wheel))
        seconds = time.perf_counter() - start
        asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
        packages = _by_package(site)
        files = [file for file in site.rglob("*") if file.is_file()]
        total = sum(file.stat().st_size for file in files)
        result.setting = {
            "wheel_mb": round(wheel.stat().st_size / 1e6, 1),
            "counted": "bytes of all files, compiled .pyc and pip included; 1 MB = 1,000,000 bytes",
        }
    result.raw = {"bytes": packages, "install_s": [seconds]}
    result.add("site-packages", total / 1e6, "MB", Bar("<=", 380))
    for name, size in sorted(packages.items(), key=lambda item: -item[1])[:12]:
        result.add(f"of it {name}", size / 1e6, "MB")
    result.add("time to install (downloads cached or not)", seconds, "s")
    return result


def _pip(python: str, *words: str) -> None:
    command = [python, "-m", "pip", "--disable-pip-version-check", "-q", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip {' '.join(words)} failed:\n{done.stderr[-2000:]}")


def _by_package(site: Path) -> dict[str, int]:
    """Return the bytes of each top-level entry, shared libraries and metadata counted with their package."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for entry in site.iterdir():
        name = re.sub(r"(-[^-]+\.dist-info|\.libs|\.py|\.pth|\.cpython.*\.so|\.abi3\.so)$", "", entry.name).lower()
        files = entry.rglob("*") if entry.is_dir() else [entry]
        sizes[name] += sum(file.stat().st_size for file in files if file.is_file())
    return dict(sizes)
