"""Filters mean the same to Lance as to the catalogue's database, whatever names hold."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("lance", reason='needs the extra "scale"')

from wordsight.images import PictureInfo
from wordsight.index.lance_table import LanceTable
from wordsight.library import Filters
from wordsight.scale.conditions import condition
from wordsight.scale.rows import Header, Record, photo_rows, photo_schema
from wordsight.types import Metric

FOLDERS = ["/p", "/p/a", "/p/a b", "/p/a%", "/p/a_", "/p/a'b", "/p/é", os.fsdecode(b"/p/\xff"), "/q", "/p/a/deep"]
CAMERAS = [None, "Canon EOS", "canon", "Pixel 'O'", "100%", "Ñikon"]
DATES = [None, datetime(2020, 2, 29, 12), datetime(2021, 1, 1), datetime(2021, 6, 15, 23, 59, 59)]


def made() -> list[Record]:
    rows = []
    for number in range(240):
        pick = lambda values, step: values[number // step % len(values)]  # noqa: B023, E731
        info = PictureInfo(
            10 + number, 300 - number, ["jpeg", "png", "heif"][number % 3], pick(DATES, 1), pick(CAMERAS, 4), None, None
        )
        address = f"{FOLDERS[number % len(FOLDERS)]}/{number}.jpg"
        rows.append(Record(address, f"{number:064x}", number * 100, "", info, np.zeros(2, np.float16)))
    return rows


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    header, rows = Header("x", "x", 2, Metric.COSINE), made()
    table = LanceTable.ensure(str(tmp_path_factory.mktemp("t") / "t.lance"), photo_schema(header))
    table.merge(photo_rows(rows, header))
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE f (address, bytes)")
    db.execute("CREATE TABLE d (path)")
    db.execute("CREATE TABLE c (captured_at, camera, format, width, height)")
    for row in rows:
        folder, info = Path(row.address).parent, row.info
        captured = info.captured_at and info.captured_at.isoformat()
        db.execute("INSERT INTO f VALUES (?, ?)", [row.sha256, row.bytes])
        db.execute("INSERT INTO d VALUES (CAST(? AS TEXT))", [os.fsencode(folder)])
        db.execute(
            "INSERT INTO c VALUES (?, ?, ?, ?, ?)", [captured, info.camera, info.format, info.width, info.height]
        )
    return table, db


@given(
    st.builds(
        Filters,
        since=st.sampled_from([None, datetime(2020, 2, 29, 12), datetime(2020, 12, 31, 0, 0, 0, 5)]),
        until=st.sampled_from([None, datetime(2021, 6, 15, 23, 59, 59), datetime(2022, 1, 1)]),
        under=st.lists(st.sampled_from(["/", *FOLDERS]), max_size=2).map(lambda some: tuple(map(Path, some))),
        camera=st.sampled_from([None, "CANON", "'o'", "%", "ñ", "Ñ", "x'"]),
        types=st.sampled_from([(), ("jpg",), ("png", "heic")]),
        min_bytes=st.sampled_from([None, 500]),
        max_bytes=st.sampled_from([None, 20_000]),
        min_side=st.sampled_from([None, 50, 100]),
    )
)
@settings(max_examples=100, deadline=None)
def test_the_same_photos_pass(both, filters: Filters) -> None:
    table, db = both
    where, values = filters.where()
    joined = f"SELECT f.address FROM f JOIN d ON d.rowid = f.rowid JOIN c ON c.rowid = f.rowid WHERE {where}"
    want = {row[0] for row in db.execute(joined, values)}
    got = set(table.rows(["sha256"], condition(filters))["sha256"].to_pylist())
    if filters.camera in ("ñ", "Ñ"):  # SQLite lowers ASCII alone; Lance finds either case
        assert want <= got
    else:
        assert got == want
