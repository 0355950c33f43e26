"""Which font draws which letters: the bundled one, or one of the system's for what it lacks.

DejaVu Sans comes with the package and holds Latin, Greek, Cyrillic, Armenian, Georgian, Arabic, Hebrew and symbols.
For other scripts the system's fonts are asked, through fontconfig where it is installed. A letter that no font holds is
written as its code point, ``U+72AC``, never as an empty box.

Scripts written from right to left, or whose letters join or stack, are laid out by Raqm where Pillow has it; without
it letters stand in the order of the text, unjoined, and ``remarks`` says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import ImageFont, features

BUNDLED = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
_NO_CHARACTER = "\U0010ffff"  # what every font lacks: it draws the font's sign for that
_STYLES = re.compile(r"bold|italic|oblique|black|light|thin|medium|mono|serif|condensed|narrow|emoji", re.IGNORECASE)
_JOINING = re.compile("[\u0590-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FOLDERS = {
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("${WINDIR}/Fonts", "~/AppData/Local/Microsoft/Windows/Fonts"),
}


class Run(NamedTuple):
    """A part of a text, the file of the font that draws it, and the text's direction where Raqm lays it out."""

    text: str
    font: Path
    direction: Literal["ltr", "rtl"] | None = None


@lru_cache(64)
def font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    """Return an opened font; ``size`` in pixels."""
    return ImageFont.truetype(str(file), size)


def runs(text: str) -> tuple[Run, ...]:
    """Return the text in parts that one font each can draw, from left to right: as few as can be.

    Blanks of any kind become one blank; what cannot be printed, or no font holds, becomes its code point.
    """
    text = "".join(letter if letter.isprintable() else code_point(letter) for letter in " ".join(text.split()))
    whole = font_for(frozenset(text))
    way = direction(text)
    if whole is not None:
        return (Run(text, whole, way),) if text else ()
    parts: list[Run] = []
    for letter in text:
        # The font of the letter before goes on where it can: fewer changes of face within a word.
        if parts and holds(parts[-1].font, letter):
            file: Path | None = parts[-1].font
        else:
            file = font_for(frozenset(letter))
        shown = letter if file is not None else code_point(letter)
        file = file or BUNDLED
        if parts and parts[-1].font == file:
            parts[-1] = Run(parts[-1].text + shown, file, way)
        else:
            parts.append(Run(shown, file, way))
    return tuple(reversed(parts) if way == "rtl" else parts)


def direction(text: str) -> Literal["ltr", "rtl"] | None:
    """Return the direction of a text, that of its first letter that has one; ``None``: this Pillow has no Raqm."""
    if not features.check("raqm"):
        return None
    strong = (kind for letter in text if (kind := unicodedata.bidirectional(letter)) in ("L", "R", "AL"))
    return "ltr" if next(strong, "L") == "L" else "rtl"


def code_point(letter: str) -> str:
    """Return how a letter is named that cannot be drawn: ``U+72AC``."""
    return f"U+{ord(letter):04X}"


def remarks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what a user should know about how the texts are drawn on this machine, one line each."""
    letters = sorted({letter for text in texts for letter in text if letter.isprintable()})
    missing = [letter for letter in letters if font_for(frozenset(letter)) is None]
    lines = []
    if missing:
        names = ", ".join(code_point(letter) for letter in missing[:4]) + (", ..." if len(missing) > 4 else "")
        lines.append(
            f"no font here holds {names}: captions show the code points; install one (Noto Sans has most scripts), "
            "or write an SVG"
        )
    if any(_JOINING.match(letter) for letter in letters) and not features.check("raqm"):
        lines.append(
            "this Pillow lays out letters from left to right and unjoined: install FriBiDi (libfribidi0), or write "
            "an SVG, for Arabic, Hebrew and Indic scripts"
        )
    return tuple(lines)


@lru_cache(4096)
def font_for(letters: frozenset[str]) -> Path | None:
    """Return the file of a font that holds all the letters, the bundled one where it does; ``None``: there is none."""
    if all(holds(BUNDLED, letter) for letter in letters):
        return BUNDLED
    rare = frozenset(letter for letter in letters if not letter.isascii())
    for file in _system_fonts(rare):
        if all(holds(file, letter) for letter in letters):
            return file
    return None


@lru_cache(65536)
def holds(file: Path, letter: str) -> bool:
    """Return whether a font has its own drawing for a letter."""
    if letter.isspace() or unicodedata.category(letter) == "Cf":  # nothing to be seen
        return True
    try:
        plain = ImageFont.truetype(str(file), 24, layout_engine=ImageFont.Layout.BASIC)
        return _drawn(plain, letter) != _drawn(plain, _NO_CHARACTER)
    except (OSError, ValueError):  # damaged, or pictures of one size only, as colour fonts hold
        return False


def _drawn(plain: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = plain.getmask(letter)
    return mask.size, bytes(mask)


@lru_cache(256)
def _system_fonts(letters: frozenset[str]) -> tuple[Path, ...]:
    """Return the system's font files that may hold the letters, plain faces first."""
    files = _from_fontconfig(letters) if shutil.which("fc-list") else _from_folders()
    files = [file for file in files if "lastresort" not in file.stem.lower()]  # macOS: frames with the script's name
    return tuple(sorted(files, key=lambda file: (len(_STYLES.findall(file.stem)), len(file.name), str(file))))


def _from_fontconfig(letters: frozenset[str]) -> list[Path]:
    charset = " ".join(f"{ord(letter):x}" for letter in sorted(letters))
    command = ["fc-list", "--format", "%{file}\n", f":charset={charset}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=True)  # noqa: S603  # hex digits only
    except (OSError, subprocess.SubprocessError):
        return []
    files = (Path(os.fsdecode(line)) for line in done.stdout.splitlines())
    return sorted({file for file in files if file.suffix.lower() in _SUFFIXES})


@lru_cache(1)
def _from_folders() -> list[Path]:
    folders = _FOLDERS.get(sys.platform, _FOLDERS["linux"])
    return [
        Path(folder) / name
        for top in folders
        for folder, _, names in os.walk(os.path.expandvars(Path(top).expanduser()))
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES
    ]
