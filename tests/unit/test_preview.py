"""Terminal previews: which protocol is chosen, and that what is sent decodes to the picture."""

from __future__ import annotations

import base64
import io
import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wordsight.cli import preview
from wordsight.cli.preview import COLUMNS, ROWS, Graphics, ask_for_sixel, detect, draw, show
from wordsight.library.hits import Answer, PhotoHit
from wordsight.types import Query

pty = pytest.importorskip("pty")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "sixel", "graphics"),
    [
        ({"TERM": "xterm-kitty"}, False, Graphics.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, False, Graphics.KITTY),
        ({"TERM": "xterm-ghostty"}, False, Graphics.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, False, Graphics.ITERM2),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, False, Graphics.ITERM2),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, False, Graphics.ITERM2),
        ({"TERM": "foot"}, False, Graphics.SIXEL),
        ({"TERM": "xterm-256color"}, True, Graphics.SIXEL),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, False, Graphics.BLOCKS),
        ({"TERM": "xterm-256color"}, False, Graphics.NONE),
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, False, Graphics.NONE),
        ({"TERM": "xterm-kitty", "TMUX": "/x", "COLORTERM": "24bit"}, False, Graphics.BLOCKS),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, True, Graphics.NONE),
        ({}, False, Graphics.NONE),
    ],
)
def test_what_the_environment_tells(environ: dict[str, str], sixel: bool, graphics: Graphics) -> None:
    assert detect(Terminal(), environ, lambda: sixel) is graphics


def test_pipes_are_never_asked() -> None:
    def refuse() -> bool:
        raise AssertionError

    assert detect(io.StringIO(), {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}, refuse) is Graphics.NONE


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"\x1b[?62;4;22c", True),
        (b"\x1b[?64;14;24c", False),
        (b"noise\x1b[?4c", True),
        (b"", False),
        (b"\x1b[?62;4", False),
    ],
)
def test_the_terminal_is_asked_and_need_not_answer(
    reply: bytes, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = pty.openpty()
    monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
    asked: list[bytes] = []

    def answer() -> None:
        asked.append(os.read(master, 10))
        os.write(master, reply)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        begin = time.monotonic()
        assert ask_for_sixel(os.ttyname(slave), seconds=0.5 if not expected else 10) is expected
        assert time.monotonic() - begin < 5
    finally:
        thread.join(timeout=10)
        os.close(slave)
        os.close(master)
    assert asked == [b"\x1b[c"]


def test_no_terminal_is_no_sixel(tmp_path: Path) -> None:
    assert not ask_for_sixel(str(tmp_path / "none"))
    (tmp_path / "file").touch()
    assert not ask_for_sixel(str(tmp_path / "file"))


def picture(width: int, height: int) -> Image.Image:
    """Four blocks of different colours: the orientation shows."""
    image = Image.new("RGB", (width, height), (250, 250, 250))
    image.paste((200, 20, 20), (0, 0, width // 2, height // 2))
    image.paste((20, 160, 40), (width // 2, 0, width, height // 2))
    image.paste((20, 40, 200), (0, height // 2, width // 2, height))
    return image


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    w, h = image.size
    pixels = np.asarray(image.convert("RGB"))
    return [tuple(pixels[y, x].tolist()) for y in (h // 5, h - 1 - h // 5) for x in (w // 5, w - 1 - w // 5)]


def from_kitty(text: str) -> tuple[Image.Image, str]:
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) == text
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [keys.endswith("m=1") for keys, _ in chunks] == [True] * (len(chunks) - 1) + [False]
    return Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in chunks)))), chunks[0][0]


def from_sixel(text: str) -> Image.Image:
    """A small Sixel reader, written from the format's description."""
    head = re.match(r'\x1bP[0-9;]*q"1;1;(\d+);(\d+)', text)
    assert head is not None
    assert text.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    canvas = np.full((height + 6, width, 3), -1)
    palette: dict[int, tuple[int, ...]] = {}
    x = y = colour = 0
    for code in re.finditer(r"#(\d+)(;2;\d+;\d+;\d+)?|!(\d+)([?-~])|([?-~])|([$-])", text[head.end() : -2]):
        number, mix, count, repeated, single, move = code.groups()
        if number:
            colour = int(number)
            if mix:
                palette[colour] = tuple(round(int(part) * 2.55) for part in mix[3:].split(";"))
        elif move:
            x, y = 0, y + (6 if move == "-" else 0)
        else:
            bits, n = ord(repeated or single) - 63, int(count or 1)
            for row in range(6):
                if bits >> row & 1:
                    canvas[y + row, x : x + n] = palette[colour]
            x += n
            assert x <= width
    assert (canvas[:height] >= 0).all()
    assert (canvas[height:] == -1).all()
    return Image.fromarray(canvas[:height].astype(np.uint8))


def from_blocks(text: str) -> Image.Image:
    rows = []
    for line in text.split("\n"):
        cells = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀", line)
        rows += [[tuple(map(int, cell[:3])) for cell in cells], [tuple(map(int, cell[3:])) for cell in cells]]
    return Image.fromarray(np.array(rows, np.uint8))


@pytest.mark.parametrize("size", [(640, 480), (300, 900), (2000, 100), (7, 5), (1, 1)])
def test_what_is_sent_decodes_to_the_picture(size: tuple[int, int]) -> None:
    image = picture(*size)
    kitty, keys = from_kitty(draw(image, Graphics.KITTY))
    assert keys.startswith("a=T,f=100,q=2,")
    data = draw(image, Graphics.ITERM2)
    parts = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+);width=(\d+);height=(\d+);[^:]*:([^\x07]*)\x07", data)
    assert parts is not None
    raw = base64.b64decode(parts[4])
    assert len(raw) == int(parts[1])
    assert int(parts[2]) <= COLUMNS
    assert int(parts[3]) <= ROWS
    decoded = [kitty, Image.open(io.BytesIO(raw)), from_sixel(draw(image, Graphics.SIXEL))]
    blocks = from_blocks(draw(image, Graphics.BLOCKS))
    assert blocks.width <= COLUMNS
    assert blocks.height <= 2 * ROWS
    if min(size) > 4:
        decoded += [blocks] if min(blocks.size) > 4 else []
        for got in decoded:
            assert got.width / got.height == pytest.approx(size[0] / size[1], rel=0.1)
            np.testing.assert_allclose(corners(got), corners(image), atol=6)


def test_photographs_survive_sixel() -> None:
    noise = np.random.default_rng(7).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC)
    got = np.asarray(from_sixel(draw(image, Graphics.SIXEL))).astype(int)
    assert np.abs(got - np.asarray(image)).mean() < 12


def test_a_line_and_a_thumbnail_for_each_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture(64, 48).save("a.png")
    Path("broken\x1b.png").write_bytes(b"?")
    hits = (
        PhotoHit(1, tmp_path / "a.png", 0.5, 0.75, 64, 48, 1, "", "png"),
        PhotoHit(2, tmp_path / "broken\x1b.png", 0.25, None, 64, 48, 1, "", "png"),
    )
    answer = Answer(Query.of("x"), hits, 2)
    plain, kitty = io.StringIO(), io.StringIO()
    show(answer, Graphics.NONE, plain)
    assert plain.getvalue() == "  1  0.500  75 %  a.png\n  2  0.250  broken\\x1b.png\n"
    show([answer], Graphics.KITTY, kitty)
    lines = kitty.getvalue().split("\n")
    assert from_kitty(lines[0])[0].size == (64, 48)
    assert lines[1] == "  1  0.500  75 %  a.png"
    assert lines[2].startswith("     (no picture: ")
    assert lines[2].isprintable()


def test_the_notice_names_what_can_and_what_else_to_do() -> None:
    for words in ("Kitty", "iTerm2", "Sixel", "--html"):
        assert words in preview.NOTICE
    assert draw(picture(8, 8), Graphics.NONE) == ""


def test_preview_where_it_can_be_shown_and_the_notice_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(64, 48).save("a.png")
    answer = Answer(Query.of("x"), (PhotoHit(1, tmp_path / "a.png", 0.5, None, 64, 48, 1, "", "png"),), 1)
    for stream, notices in ((Terminal(), ()), (io.StringIO(), (preview.NOTICE,))):
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("TERM", "xterm-kitty")
        monkeypatch.delenv("TMUX", raising=False)
        monkeypatch.delenv("TERM_PROGRAM", raising=False)
        monkeypatch.delenv("LC_TERMINAL", raising=False)
        assert preview.preview(answer) == notices
        assert stream.getvalue().endswith("a.png\n") is (notices == ())
