"""Build the wheel twice, from two copies of the sources in two places at two times, and compare the bytes.

``python -m supply.wheel [--out dist]`` leaves the wheel there and prints its SHA-256; exit status 1: they differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NEEDED = ("src", "pyproject.toml", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md")


def main() -> int:
    """Build, compare, keep."""
    parser = argparse.ArgumentParser(prog="python -m supply.wheel", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the wheel is left")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wordsight-wheel-") as folder:
        wheels = [build(Path(folder, name)) for name in ("first", "second, elsewhere")]
        digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
        if len(set(digests)) != 1 or wheels[0].name != wheels[1].name:
            print(f"two builds of the same sources differ: {digests}", file=sys.stderr)
            return 1
        given.out.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheels[0], given.out)
    print(f"{digests[0]}  {given.out.name}/{wheels[0].name}")
    return 0


def build(place: Path) -> Path:
    """Return a wheel built from a copy of the sources whose files are as old as the last commit, or 1980."""
    sources, made = place / "sources", place / "made"
    sources.mkdir(parents=True)
    for name in _NEEDED:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, sources / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(origin, sources / name)  # with the present time, which must not matter
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch()}
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(made), str(sources)]
    subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL)
    (wheel,) = made.glob("*.whl")
    return wheel


def epoch() -> str:
    """Return the time that is written into the wheel: ``$SOURCE_DATE_EPOCH``, or that of the last commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    git = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return git.stdout.strip() or "315532800"


if __name__ == "__main__":
    sys.exit(main())
