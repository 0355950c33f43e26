"""A store: tables of photos with their vectors and of what could not be read, below one folder or URL.

Each commit is a version of a table, and Lance merges by id: a row is written once however often it is sent, also by two
jobs at a time. A job that dies leaves whole commits, and files that no version names, which ``tidy`` removes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from wordsight.errors import EncoderMismatch, StoreError
from wordsight.index.lance import INDEX_FROM, LanceIndex, in_list, matrix
from wordsight.index.lance_table import Contended, LanceTable, pa
from wordsight.library import calibration
from wordsight.library.bank import encode_bank
from wordsight.library.calibration import Calibration
from wordsight.library.pipeline import reader_version
from wordsight.protocols import Encoder
from wordsight.scale.items import Item, Known, Outcome, item_id, stamp_hash
from wordsight.scale.rows import (
    PROBLEMS,
    Header,
    Record,
    from_text,
    photo_rows,
    photo_schema,
    problem_rows,
    records,
)

_CALIBRATION = pa.schema([pa.field("images", pa.int64()), pa.field("payload", pa.large_binary())])
_SAMPLE = 20_000
_DUE_FROM = 0.15  # more photos, or fewer, than this share of those that the match estimate was learned from
_KEPT = timedelta(hours=1)  # old versions: readers that opened one may be at it
_IDS_AT_ONCE = 10_000


class Store:
    """An open store; ``photos`` shows its newest version when it was opened or ``refresh`` was called."""

    def __init__(self, url: str, header: Header, photos: LanceTable) -> None:
        self.url = url
        self.header = header
        self.photos = photos

    @classmethod
    def open(cls, url: str) -> Store:
        """Open the store at ``url``; raises ``StoreError`` where there is none or it cannot be read."""
        home = place(url)
        photos = LanceTable.open(f"{home}/photos.lance")
        if photos is None:
            raise StoreError(f"no store at {url}: make one with `wordsight index SOURCE --store {url}`")
        return cls(home, Header.read(photos.schema.metadata, url), photos)

    @classmethod
    def ensure(cls, url: str, header: Header) -> Store:
        """Open the store at ``url``, made where there is none."""
        LanceTable.ensure(f"{place(url)}/problems.lance", PROBLEMS)
        LanceTable.ensure(f"{place(url)}/photos.lance", photo_schema(header))
        return cls.open(url)

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def index(self) -> LanceIndex:
        """What finds vectors."""
        return LanceIndex(self.photos, self.header.metric)

    @cached_property
    def problems(self) -> LanceTable:
        """The table of what could not be read."""
        table = LanceTable.open(f"{self.url}/problems.lance")
        if table is None:
            raise StoreError(f"the store at {self.url} is damaged: it has lost its table of problems")
        return table

    def check_fingerprint(self, header: Header) -> None:
        """Raise ``EncoderMismatch`` unless the store holds vectors of the same encoder."""
        if header.fingerprint != self.header.fingerprint:
            raise EncoderMismatch(
                f"the store at {self.url} holds vectors of {self.header.encoder} ({self.header.fingerprint}), not of "
                f"{header.encoder} ({header.fingerprint}): choose another place"
            )

    def refresh(self) -> None:
        """Go on with the newest version."""
        self.photos.refresh()

    def known(self, *, retry_skipped: bool = False) -> Known:
        """Return what need not be read again; ``retry_skipped``: what could not be read is."""
        self.refresh()
        ids, stamps, contents = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, "S32")]
        for batch in self.photos.batches(["id", "stamp", "sha256"]):
            ids.append(batch["id"].to_numpy())
            stamps.append(_hashes(batch["stamp"]))
            contents.append(np.asarray([bytes.fromhex(one.as_py()) for one in batch["sha256"]], "S32"))
        if not retry_skipped:
            skipped = self.problems.rows(["id", "stamp"], f"reader = '{reader_version()}'")
            ids.append(skipped["id"].to_numpy())
            stamps.append(_hashes(skipped["stamp"]))
        every = np.concatenate(ids)
        order = np.argsort(every, kind="stable")
        return Known(every[order], np.concatenate(stamps)[order], np.unique(np.concatenate(contents)))

    def commit(self, outcomes: Iterable[Outcome]) -> list[Item]:
        """Write what came of items; return those whose content was thought to be known, and is not there any more.

        Photos come first and what they make out of date after: stopped between, ``reconcile`` finishes it.
        """
        last = {outcome.item.address: outcome for outcome in outcomes}.values()
        good = [outcome for outcome in last if outcome.problem is None]
        fresh, again = self._with_known_contents(good)
        bad = [outcome for outcome in last if outcome.problem is not None]
        self.write(fresh, [(o.item.address, o.item.stamp, o.problem or "", _reader(o)) for o in bad])
        self._delete(self.photos, [item_id(o.item.address) for o in bad if not o.passing])
        return again

    def write(self, photos: Sequence[Record], problems: Sequence[tuple[str, str, str, str]] = ()) -> None:
        """Write photos, and (address, stamp, reason, reader) of what could not be read."""
        if photos:
            self.photos.merge(photo_rows(photos, self.header))
        self._delete(self.problems, [item_id(photo.address) for photo in photos])
        if problems:
            self.problems.merge(problem_rows(problems))

    def reconcile(self) -> None:
        """Forget problems of photos that are there: a job was stopped after it wrote them."""
        ids = self.problems.rows(["id"])["id"].to_pylist()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            here = self.photos.rows(["id"], in_list("id", ids[start : start + _IDS_AT_ONCE]))["id"].to_pylist()
            self._delete(self.problems, here)

    def optimize(self, *, index_from: int = INDEX_FROM) -> None:
        """Join small files, keep the index up to date, and remove versions older than an hour.

        Where another job writes meanwhile, what that is in the way of is left to its end.
        """
        self.refresh()
        for act in (partial(self.index.optimize, index_from=index_from), self.problems.compact):
            with suppress(Contended):
                act()
        if len(self) >= index_from:  # to find contents: known ones for jobs, shown ones for the page
            with suppress(Contended):
                self.photos.index("sha256")
        for table in (self.photos, self.problems):
            table.clean(older_than=_KEPT)

    def tidy(self) -> int:
        """Optimize, and remove all old versions and files that belong to none; return the bytes that this freed.

        No job may be writing meanwhile, and readers of old versions lose them.
        """
        self.optimize()
        tables = [self.photos, self.problems, LanceTable.open(f"{self.url}/calibration.lance")]
        return sum(table.clean(older_than=timedelta(0), orphans=True) for table in tables if table is not None)

    def skipped(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield (address, stamp, reason, reader) of what could not be read; ``reader`` is empty where it may pass."""
        for batch in self.problems.batches(["path", "stamp", "reason", "reader"]):
            for row in batch.to_pylist():
                yield from_text(row["path"]), row["stamp"], from_text(row["reason"]), row["reader"]

    def records(self, where: str | None = None) -> Iterator[list[Record]]:
        """Yield all photos, some at a time."""
        for batch in self.photos.batches(where=where):
            yield records(batch, self.header.dim)

    def calibration(self) -> Calibration | None:
        """Return what match estimates are made from, or ``None`` where there is none that can be read."""
        return self._calibration()[0]

    def calibrate_if_due(self, encoder: Encoder) -> None:
        """Learn how texts score here, when that is not known or the store has changed much.

        As a catalogue does: from pictures, each of which counts once however many copies there are.
        """
        self.refresh()
        count, (old, then) = len(self), self._calibration()
        if not count or not calibration.can_estimate(encoder):
            return
        if old is not None and abs(count - then) <= _DUE_FROM * then:
            return
        bank = encode_bank(encoder) if old is None else old.bank.astype(np.float32)
        places = np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64)).tolist()
        rows = self.photos.take(places, ["sha256", "vector"])
        _, first = np.unique(np.asarray(rows["sha256"].to_pylist(), "U64"), return_index=True)
        sample = matrix(rows["vector"], self.header.dim)[np.sort(first)].astype(np.float32)
        images = round(count * len(sample) / len(places))
        self.keep_calibration(
            calibration.learn(*calibration.moments(iter([sample]), self.header.dim), bank, images=images)
        )

    def keep_calibration(self, learned: Calibration) -> None:
        """Keep what match estimates are made from, and of how many rows."""
        row = [pa.array([len(self)]), pa.array([calibration.pack_payload(learned)], pa.large_binary())]
        with suppress(Contended):  # another job keeps one that is as good
            LanceTable.ensure(f"{self.url}/calibration.lance", _CALIBRATION).replace(pa.table(row, schema=_CALIBRATION))

    def _calibration(self) -> tuple[Calibration | None, int]:
        """Return what is kept, and how many rows there were then."""
        table = LanceTable.open(f"{self.url}/calibration.lance")
        rows = [] if table is None else table.rows(["images", "payload"]).to_pylist()
        learned = calibration.unpack_payload(rows[0]["payload"]) if rows else None
        if learned is None or len(learned.mean) != self.header.dim:
            return None, 0
        return learned, rows[0]["images"]

    def _with_known_contents(self, outcomes: Sequence[Outcome]) -> tuple[list[Record], list[Item]]:
        """Return photos as records, and items whose content is not there; contents without a vector are looked up."""
        wanted = sorted({outcome.sha256 for outcome in outcomes if outcome.vector is None})
        held: dict[str, Record] = {}
        if wanted:
            condition = "sha256 IN ({})".format(",".join(f"'{one}'" for one in wanted))
            held = {row.sha256: row for some in self.records(condition) for row in some}
        fresh, again = [], []
        for one in outcomes:
            known = held.get(one.sha256)
            if one.vector is not None and one.info is not None:
                info, vector = one.info, one.vector
            elif known is not None:
                info, vector = known.info, known.vector
            else:
                again.append(one.item)
                continue
            fresh.append(Record(one.item.address, one.sha256, one.bytes, one.item.stamp, info, vector))
        return fresh, again

    @staticmethod
    def _delete(table: LanceTable, ids: Sequence[int]) -> None:
        """Remove rows, where any of them are there: a commit that changes nothing would be a version, too."""
        condition = in_list("id", ids)
        if ids and table.count(condition):
            table.delete(condition)


def place(url: str) -> str:
    """Return where a store is, absolute and without a slash at its end."""
    return url.rstrip("/") if "://" in url else os.path.abspath(Path(url).expanduser())


def _reader(outcome: Outcome) -> str:
    return "" if outcome.passing else reader_version()


def _hashes(stamps: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.asarray([stamp_hash(one.as_py()) for one in stamps], np.int64)
