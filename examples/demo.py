"""The main job on real photographs: index a folder, search it by words, look at a contact sheet.

The photographs are those that scikit-image and scikit-learn carry in their wheels (sources and licences: their
``README.txt`` files); they are copied into ``demo-output/photos``, nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OUT = Path("demo-output")
QUERIES = (
    ["a cat"],
    ["a pagoda by a lake"],
    ["a man with a camera"],
    ["a cup of coffee on a table"],
    ["flower", "-", "green grass"],
)
NOWHERE = "a plate of sushi"
# Not photographs: test patterns, scans of text and drawings.
LEFT_OUT = {"chessboard_GRAY", "chessboard_RGB", "color", "horse", "logo", "phantom", "text", "multipage", "page"}


def main() -> None:
    """Run the demo."""
    photos = collect(OUT / "photos")
    os.environ["WORDSIGHT_CATALOG"] = str(OUT / "catalogue")
    shutil.rmtree(OUT / "catalogue", ignore_errors=True)  # a demo starts from nothing
    run("index", photos)
    run("status", photos)
    for query in (*QUERIES, [NOWHERE]):
        run("search", *query, "--in", photos, "-t", 3)
    sheet = OUT / "hits.html"
    run("search", *QUERIES[0], "--in", photos, "-t", 8, "--all", "--html", sheet)
    print(f"\nThe contact sheet: {sheet.resolve().as_uri()}")
    print("Now your own photos (they are only read):")
    print('  .venv/bin/wordsight index ~/Pictures\n  .venv/bin/wordsight search "two dogs playing in snow"')


def collect(folder: Path) -> Path:
    """Copy the photographs into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, inner in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            sys.exit(f'{package} is missing: pip install "wordsight[demo]", or run `make demo`')
        for file in sorted((Path(spec.origin).parent / inner).iterdir()):
            if file.suffix in {".png", ".jpg", ".tif"} and file.stem.removesuffix("_rgb") not in LEFT_OUT:
                shutil.copy(file, folder / file.name)
    return folder


def run(*words: object) -> None:
    """Show a command and run it; end the demo when it fails (finding nothing is no failure)."""
    command = [str(word) for word in words]
    shown = " ".join(f'"{word}"' if " " in word else word for word in command)
    print(f"\n$ wordsight {shown}", flush=True)
    status = subprocess.run([sys.executable, "-m", "wordsight", *command], check=False).returncode
    if status not in (0, 1):
        sys.exit(status)


if __name__ == "__main__":
    main()
