"""Words for people, and text that is safe to show on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordsight.types import Box  # which brings numpy: `--help` need not wait for it


def printable(text: str) -> str:
    """Return the text with everything a terminal could obey, or cannot show, as visible escapes."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def place(box: Box, width: int, height: int) -> str:
    """Return where the centre of a box lies in a photo of that size, such as "upper left" or "middle"."""
    across = (box.left + box.right) / 2 / width
    down = (box.top + box.bottom) / 2 / height
    row = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else ""
    column = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    found = f"{row} {column}".strip() if column or not row else f"{row} middle"
    return found or "middle"
