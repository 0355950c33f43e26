"""Stores and sources in an S3 server on the loopback, which fails now and then: short versions of ``make faults``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("lance", reason='needs the extra "scale"')
pytest.importorskip("s3fs", reason='needs the extra "scale"')
pytest.importorskip("moto.server", reason='needs the extra "faults"')

from faults.cluster import check
from faults.store import Place, place_of
from wordsight import cli
from wordsight.scale.job import JobReport, fill
from wordsight.scale.runners import LocalRunner

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("s3")]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with place_of(60) as made:
        yield made


def test_reads_that_fail_or_break_off_lose_nothing(place: Place, encoder, monkeypatch, capfdbinary) -> None:
    store = place.store()
    place.server.faults(fail=0.1, cut=0.1)
    report = fill(store, [place.source], encoder, LocalRunner(encoder, 2))
    place.server.faults()
    assert (report.added, report.skipped) == (60, 3)
    check(store, place.readable, place.unreadable)
    again = fill(store, [place.source], encoder, LocalRunner(encoder, 2))
    assert (again.added, again.unchanged) == (0, 63)
    inside = "s3://photos/pictures/0"
    words = [
        "search",
        "red",
        "--store",
        store,
        "--paths",
        "--all",
        "-t",
        "3",
        "--under",
        inside,
        "--encoder",
        "colours",
    ]
    monkeypatch.setattr(sys, "argv", ["wordsight", *words])
    assert cli.run() == 0
    sys.stdout.flush()
    found = capfdbinary.readouterr().out.decode().split()
    assert len(found) == 3
    assert set(found) < place.readable


def test_the_same_job_twice_at_a_time(place: Place, encoder) -> None:
    store = place.store()
    reports: list[JobReport] = []

    def job() -> None:
        reports.append(fill(store, [place.source], encoder, LocalRunner(encoder, 1)))

    threads = [Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(reports) == 2
    check(store, place.readable, place.unreadable)


def test_a_local_store_of_pictures_in_a_storage(place: Place, encoder, tmp_path: Path) -> None:
    fill(str(tmp_path / "s"), [f"{place.source}/"], encoder, LocalRunner(encoder, 2))
    check(str(tmp_path / "s"), place.readable, place.unreadable)
