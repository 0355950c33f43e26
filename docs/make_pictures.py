"""Make the README's picture: the contact sheet of a few searches over the demo's photographs, as a browser shows it.

Needs the extra ``demo`` and Chromium (``apt-get install chromium``); run it after ``make demo``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import wordsight
from wordsight.cli.sheet import write_sheet

QUERIES = ("a pagoda by a lake", "a cup of coffee on a table")
TARGET = Path(__file__).parent / "images" / "contact-sheet.webp"
DEMO = Path("demo-output")
BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,980")


def main() -> None:
    """Search, write the sheet, take the picture."""
    with wordsight.open_library(DEMO / "catalogue") as library, tempfile.TemporaryDirectory() as folder:
        answers = [library.search(query, top=3) for query in QUERIES]
        sheet, shot = Path(folder) / "sheet.html", Path(folder) / "shot.png"
        write_sheet(answers, sheet, title="wordsight")
        subprocess.run([*BROWSER, f"--screenshot={shot}", sheet.as_uri()], check=True, capture_output=True)
        TARGET.parent.mkdir(exist_ok=True)
        Image.open(shot).convert("RGB").save(TARGET, quality=82)
    print(TARGET)


if __name__ == "__main__":
    sys.exit(main())
