"""Output for programs and people: exact bytes in golden files, and that they read back."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from rich.console import Console

from wordsight.cli import output, table
from wordsight.cli.text import place
from wordsight.library.hits import Answer, PhotoHit
from wordsight.types import Box, Query

DOCS = Path(__file__).resolve().parents[2] / "docs"
Golden = Callable[[str, bytes], None]
NAMES = [
    b"/photos/dog.jpg",
    b'/photos/a b/50%, "x".png',
    "/photos/Straße/犬.jpg".encode(),
    b"/photos/caf\xe9.jpg",
    b"/photos/two\nlines\x1b[31m.jpg",
]


def hit(rank: int, name: bytes, **more: object) -> PhotoHit:
    base = PhotoHit(
        rank=rank,
        path=Path(os.fsdecode(name)),
        score=0.3127654321 - 0.05 * rank,
        match=(0.97, 0.52, 0.21, 0.004, 0.0)[rank - 1],
        width=4000,
        height=3000,
        bytes=2_345_678,
        sha256="ab" * 32,
        format="jpeg",
        captured_at=datetime(2021, 6, 15, 12, 30, 59) if rank % 2 else None,
        camera="Canon, Inc. EOS" if rank % 2 else None,
        latitude=48.137154 if rank == 1 else None,
        longitude=-11.5 if rank == 1 else None,
        region=Box(2000, 1500, 4000, 3000) if rank == 2 else None,
    )
    return replace(base, **more)  # type: ignore[arg-type]


ANSWER = Answer(Query.of('dog "in snow"'), tuple(hit(r, n) for r, n in enumerate(NAMES, 1)), 1234, calibrated=True)
OTHER = Answer(Query.of("cat"), (hit(1, b"/photos/cat.jpg", match=None),), 10)
EMPTY = Answer(Query.of("asdkjh qwe"), (), 0)


def written(answers: Answer | list[Answer], format: str) -> bytes:
    stream = io.BytesIO()
    output.write(answers, format, stream)
    return stream.getvalue()


@pytest.mark.parametrize("format", [str(format) for format in output.Format])
def test_formats_are_these_bytes(format: str, golden: Golden) -> None:
    golden(f"output-{format}", written([ANSWER, OTHER, EMPTY], format))


def test_json_reads_back_one_object_a_line() -> None:
    lines = written([ANSWER, OTHER], "json").decode("ascii").splitlines()
    records = [json.loads(line) for line in lines]
    assert [tuple(r) for r in records] == [output.FIELDS] * 6
    assert [os.fsencode(r["path"]) for r in records[:5]] == NAMES
    assert records[0]["captured_at"] == "2021-06-15T12:30:59"
    assert records[1]["captured_at"] is records[1]["latitude"] is records[5]["match"] is None
    assert [r["query"] for r in records] == ['dog "in snow"'] * 5 + ["cat"]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 1500, 1500), "upper left"),
        ((2500, 1500, 4000, 3000), "lower right"),
        ((1250, 750, 2750, 2250), "middle"),
        ((1250, 0, 2750, 1500), "upper middle"),
        ((2500, 750, 4000, 2250), "right"),
        ((3999, 2999, 4000, 3000), "lower right"),
    ],
)
def test_a_region_is_told_by_the_third_in_which_its_centre_lies(box: tuple[int, int, int, int], words: str) -> None:
    assert place(Box(*box), 4000, 3000) == words


def test_csv_reads_back() -> None:
    text = written(ANSWER, "csv").decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [os.fsencode(row["path"]) for row in rows] == NAMES
    assert rows[0]["camera"] == "Canon, Inc. EOS"
    assert rows[1]["camera"] == rows[1]["latitude"] == ""
    assert written(EMPTY, "csv") == (",".join(output.FIELDS) + "\r\n").encode()


def test_nul_separated_paths_are_the_bytes_of_the_names() -> None:
    assert written(ANSWER, "paths0").split(b"\0") == [*NAMES, b""]


def test_trec_ids_hold_no_blanks_and_read_back() -> None:
    rows = [line.split() for line in written([ANSWER, OTHER], "trec").decode("ascii").splitlines()]
    assert {len(row) for row in rows} == {6}
    assert [unquote_to_bytes(row[2]) for row in rows[:5]] == NAMES
    assert [row[0] for row in rows] == ["1"] * 5 + ["2"]
    assert [float(row[4]) for row in rows[:5]] == [h.score for h in ANSWER.hits]


@pytest.mark.parametrize("format", ["text", "json", "paths", "paths0", "trec"])
def test_no_hit_is_no_output(format: str) -> None:
    assert written(EMPTY, format) == b""


def test_text_streams_take_the_same_output() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    stream.write("first\n")
    output.write(ANSWER, "paths", stream)
    assert raw.getvalue() == b"first\n" + b"".join(name + b"\n" for name in NAMES)
    plain = io.StringIO()
    output.write(OTHER, "paths", plain)
    assert plain.getvalue() == "/photos/cat.jpg\n"
    with pytest.raises(ValueError, match="xml"):
        output.write(OTHER, "xml", plain)


SCRIPT = """
import sys
from pathlib import Path
from wordsight.cli.output import write
from wordsight.library.hits import Answer, PhotoHit
from wordsight.types import Query
hits = tuple(PhotoHit(r, Path(f"/photos/{r}.jpg"), 1 / r, None, 1, 1, 1, "", "png") for r in range(1, 20001))
write(Answer(Query.of("dog"), hits, 20000), sys.argv[1], sys.stdout)
assert "rich" not in sys.modules
"""


@pytest.mark.parametrize("format", ["json", "paths0"])
def test_a_reader_that_goes_away_ends_it_quietly(format: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, format], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        assert process.stdout.read(20)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def drawn(answers: Answer | list[Answer], width: int = 100, **more: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system="standard", highlight=False, **more)  # type: ignore[arg-type]
    table.show(answers, console)
    return re.sub(r"\x1b]8;id=[^;]*;", "\x1b]8;;", stream.getvalue())


@pytest.mark.parametrize("width", [100, 60])
def test_table(width: int, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir("/")
    plain = re.sub(r"\x1b(\[[0-9;]*m|\]8;[^\x1b]*\x1b\\)", "", drawn([ANSWER, OTHER, EMPTY], width))
    assert "\x1b" not in plain
    golden(f"table-{width}.txt", plain.encode())


def test_match_estimates_have_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = drawn(ANSWER)
    assert re.search(r"\x1b\[32m█████▉\x1b\[0m   97 %", coloured)
    assert re.search(r"\x1b\[33m█▎    \x1b\[0m   21 %", coloured)


def test_paths_in_the_table_are_links_and_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir("/")
    text = drawn(ANSWER)
    links = re.findall(r"\x1b]8;;(file://[^\x1b]*)\x1b\\", text)
    assert [unquote_to_bytes(link.removeprefix("file://")) for link in dict.fromkeys(links)] == NAMES
    assert "caf\\xe9.jpg" in text
    assert "two\\nlines\\x1b[31m.jpg" in text


def test_columns_without_a_value_are_left_out() -> None:
    bare = replace(OTHER, hits=(replace(OTHER.hits[0], captured_at=None),))
    assert "match" not in drawn(bare)
    assert "date" not in drawn(bare)
    assert drawn(EMPTY) == ""


def test_paths_are_shown_from_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    assert table.near(tmp_path / "work" / "a.jpg") == "a.jpg"
    assert table.near(tmp_path / "b" / "a.jpg") == "~/b/a.jpg"
    assert table.near(Path("/elsewhere/a.jpg")) == "/elsewhere/a.jpg"


def test_nothing_matches_says_how_many_how_near_and_what_to_do() -> None:
    answer = replace(ANSWER, hits=ANSWER.hits[3:])
    assert answer.nothing_matches
    assert table.nothing_matches(answer, anyway="--nearest") == (
        'Nothing here matches dog "in snow": 1,234 photos were searched; the best match estimate is < 1 %.\n'
        "To see the nearest photos anyway, add --nearest."
    )
    assert "1 photo was searched." in table.nothing_matches(replace(EMPTY, searched=1))
    assert "no photo was searched" in table.nothing_matches(EMPTY)
    assert "\x1b" not in table.nothing_matches(replace(EMPTY, query=Query.of("\x1b[31m")))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.004, "< 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.99, "99 %"), (0.996, "> 99 %"), (1, "100 %")],
)
def test_percent(share: float, text: str) -> None:
    assert table.percent(share) == text


def test_the_documentation_lists_the_members_in_order() -> None:
    text = (DOCS / "output.md").read_text("utf-8")
    rows = [row for row in text.split("## JSON")[1].split("## CSV")[0].splitlines() if row.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert tuple(listed) == output.FIELDS
