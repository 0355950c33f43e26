"""Thumbnails in the terminal: Kitty's protocol, iTerm2's inline images, Sixel, or half blocks in true colour."""

from __future__ import annotations

import base64
import io
import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.cli.output import quiet_pipe
from wordsight.cli.photo_bytes import PhotoBytes, from_file
from wordsight.cli.table import near, percent
from wordsight.cli.text import printable
from wordsight.errors import ImageError
from wordsight.images import read
from wordsight.library.hits import Answer, PhotoHit
from wordsight.protocols import Image

COLUMNS, ROWS = 40, 10
"""The box of cells that a thumbnail fills; a cell is taken to be twice as high as wide."""
NOTICE = (
    "No preview: the output is no terminal that shows pictures (Kitty, iTerm2, Sixel or true colours do); "
    "--html FILE writes a contact sheet to open in a browser."
)
"""The line for stderr where ``detect`` answers ``Graphics.NONE``."""

_CELL_WIDTH, _CELL_HEIGHT = 10, 20  # pixels, for Sixel; other protocols scale to cells themselves
_SIXEL_COLOURS = 200
_KITTY_CHUNK = 4096  # bytes of base64, the protocol's limit
_DEVICE_ATTRIBUTES = re.compile(rb"\x1b\[\?([0-9;]*)c")


class Graphics(Enum):
    """How a terminal shows pictures."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"
    BLOCKS = "blocks"
    NONE = "none"


def preview(answers: Answer | Sequence[Answer], bytes_of: PhotoBytes = from_file) -> tuple[str, ...]:
    """Show thumbnails on stdout where it is a terminal that can, and return the lines to tell the user where not."""
    graphics = detect(sys.stdout)
    if graphics is Graphics.NONE:
        return (NOTICE,)
    with quiet_pipe(sys.stdout):
        show(answers, graphics, sys.stdout, bytes_of)
    return ()


def detect(
    stream: IO[str], environ: Mapping[str, str] | None = None, has_sixel: Callable[[], bool] | None = None
) -> Graphics:
    """Return what the terminal behind ``stream`` can show, as its environment tells; ``NONE`` for pipes and files.

    Where the environment leaves it open, the terminal is asked for Sixel (``has_sixel``), which takes at most 0.3 s.
    """
    environ = os.environ if environ is None else environ
    term = environ.get("TERM", "")
    if not stream.isatty() or term == "dumb":
        return Graphics.NONE
    program = environ.get("TERM_PROGRAM", "")
    # Inside tmux and screen the variables tell of the terminal outside, which does not get the sequences.
    if "TMUX" not in environ and not term.startswith(("screen", "tmux")):
        # WezTerm also speaks Kitty's protocol, but there a new picture may delete the one before it.
        if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
            return Graphics.ITERM2
        if (
            term in ("xterm-kitty", "xterm-ghostty")
            or program == "ghostty"
            or "KITTY_WINDOW_ID" in environ
            or "GHOSTTY_RESOURCES_DIR" in environ
        ):
            return Graphics.KITTY
        if term.startswith(("foot", "mlterm", "yaft", "contour")) or "sixel" in term:
            return Graphics.SIXEL
    if (has_sixel or ask_for_sixel)():
        return Graphics.SIXEL
    return Graphics.BLOCKS if environ.get("COLORTERM") in ("truecolor", "24bit") else Graphics.NONE


def ask_for_sixel(device: str = "/dev/tty", seconds: float = 0.3) -> bool:
    """Ask the terminal for its attributes and return whether Sixel (4) is among them; ``False`` without an answer."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return False
    try:
        fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        if os.tcgetpgrp(fd) != os.getpgrp():
            return False  # in the background: touching the terminal would stop the process
        before = termios.tcgetattr(fd)
        try:
            tty.setcbreak(fd, termios.TCSANOW)
            os.write(fd, b"\x1b[c")
            reply = _reply(fd, time.monotonic() + seconds)
        finally:
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)  # and forget a late answer
    except (OSError, termios.error):
        return False
    finally:
        os.close(fd)
    found = _DEVICE_ATTRIBUTES.search(reply)
    return found is not None and b"4" in found[1].split(b";")


def show(
    answers: Answer | Sequence[Answer],
    graphics: Graphics,
    stream: IO[str],
    bytes_of: PhotoBytes = from_file,
) -> None:
    """Write a thumbnail and a line of text for every hit; the lines alone where ``graphics`` is ``NONE``.

    A photo that cannot be read gets its reason instead of a thumbnail.
    """
    for answer in [answers] if isinstance(answers, Answer) else answers:
        for hit in answer.hits:
            if graphics is not Graphics.NONE:
                stream.write(f"{_thumbnail(hit, graphics, bytes_of)}\n")
            match = "" if hit.match is None else f"  {percent(hit.match)}"
            stream.write(f"{hit.rank:>3}  {hit.score:.3f}{match}  {printable(near(hit.path))}\n")
    stream.flush()


def draw(image: Image, graphics: Graphics) -> str:
    """Return the characters that show a picture within ``COLUMNS`` x ``ROWS`` cells; empty for ``NONE``."""
    return _DRAWERS[graphics](image.convert("RGB")) if graphics is not Graphics.NONE else ""


def _thumbnail(hit: PhotoHit, graphics: Graphics, bytes_of: PhotoBytes) -> str:
    try:
        return draw(read(bytes_of(hit), side=COLUMNS * _CELL_WIDTH).image, graphics)
    except ImageError as error:
        said = error.reason.removeprefix(f"{str(hit.path)!r}: ")
        return f"     (no picture: {printable(f'{str(hit.path)!r}: {said}')})"


def _cells(image: Image) -> tuple[int, int]:
    """Return columns and rows that a picture takes within the box."""
    scale = min(COLUMNS / image.width, 2 * ROWS / image.height)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale / 2))


def _shrunk(image: Image, width: int, height: int) -> Image:
    """Return a copy that fits into the pixels; small pictures stay as they are."""
    image = image.copy()
    image.thumbnail((width, height))
    return image


def _png(image: Image) -> bytes:
    stream = io.BytesIO()
    # Twice the pixels of the cells: for screens of high density.
    _shrunk(image, 2 * COLUMNS * _CELL_WIDTH, 2 * ROWS * _CELL_HEIGHT).save(stream, "png")
    return stream.getvalue()


def _kitty(image: Image) -> str:
    columns, rows = _cells(image)
    # One of the two, so that the terminal keeps the proportions with its own cell size; q=2: no answers on stdin.
    size = f"c={columns}" if columns == COLUMNS else f"r={rows}"
    data = base64.b64encode(_png(image)).decode("ascii")
    chunks = [data[at : at + _KITTY_CHUNK] for at in range(0, len(data), _KITTY_CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        keys = f"a=T,f=100,q=2,{size}," if number == 0 else ""
        parts.append(f"\x1b_G{keys}m={int(number < len(chunks) - 1)};{chunk}\x1b\\")
    return "".join(parts)


def _iterm2(image: Image) -> str:
    columns, rows = _cells(image)
    data = _png(image)
    keys = f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File={keys}:{base64.b64encode(data).decode('ascii')}\x07"


def _sixel(image: Image) -> str:
    """Encode as DEC Sixel: bands of six rows, in each band one line of characters per colour."""
    small = _shrunk(image, COLUMNS * _CELL_WIDTH, ROWS * _CELL_HEIGHT).quantize(_SIXEL_COLOURS)
    palette = np.array(small.getpalette(), dtype=np.int64).reshape(-1, 3)
    pixels = np.asarray(small)
    used = np.unique(pixels)
    colours = "".join("#{};2;{};{};{}".format(c, *(palette[c] * 100 + 127) // 255) for c in used)
    bands = "-".join("$".join(_band(pixels[top : top + 6])) for top in range(0, small.height, 6))
    return f'\x1bP0;1q"1;1;{small.width};{small.height}{colours}{bands}\x1b\\'


def _band(rows: NDArray[np.uint8]) -> Iterator[str]:
    """Yield, for each colour in up to six rows of pixels, its run-length coded characters."""
    bits = (1 << np.arange(len(rows)))[:, None]
    for colour in np.unique(rows):
        codes = ((rows == colour) * bits).sum(axis=0) + 63
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        lengths = np.diff(starts, append=len(codes))
        runs = zip(codes[starts].tolist(), lengths.tolist(), strict=True)
        yield f"#{colour}" + "".join(f"!{n}{chr(code)}" if n > 3 else chr(code) * n for code, n in runs)


def _blocks(image: Image) -> str:
    """Draw two pixels a cell: the upper one as the colour of a half block, the lower one as its background."""
    columns, rows = _cells(image)
    pixels = np.asarray(image.resize((columns, 2 * rows), PILImage.Resampling.BOX))
    lines = []
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        cells = zip(upper, lower, strict=True)
        lines.append("".join("\x1b[38;2;{};{};{};48;2;{};{};{}m▀".format(*a, *b) for a, b in cells) + "\x1b[0m")
    return "\n".join(lines)


_DRAWERS: dict[Graphics, Callable[[Image], str]] = {
    Graphics.KITTY: _kitty,
    Graphics.ITERM2: _iterm2,
    Graphics.SIXEL: _sixel,
    Graphics.BLOCKS: _blocks,
}


def _reply(fd: int, deadline: float) -> bytes:
    """Return what the terminal sends until its attributes are complete or time is over."""
    reply = b""
    while not _DEVICE_ATTRIBUTES.search(reply) and (left := deadline - time.monotonic()) > 0 and len(reply) < 4096:
        with suppress(InterruptedError):
            if not select.select([fd], [], [], left)[0]:
                break
            data = os.read(fd, 256)
            if not data:
                break
            reply += data
    return reply
