"""A Lance table in a folder or an object storage: versioned, so that readers never wait and never see half a write.

This module and ``lance`` beside it are the only ones that import Lance, and nothing imports them before a store is
named: they come with the extra ``scale``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

try:
    import lance
    import pyarrow as pa
    from lance.dataset import ColumnOrdering
except ImportError as error:  # told by the first module that needs them, with what to install
    from wordsight.errors import MissingExtra

    raise MissingExtra("a store", "scale") from error

from wordsight.errors import StoreError

__all__ = ["Contended", "LanceTable", "key_field", "pa", "storage_options", "told", "vector_field"]

# Lance warns whenever this process forks; a child that never touches it, as other libraries make, is safe.
warnings.filterwarnings("ignore", "lance is not fork-safe", UserWarning)

_KEY = "id"
# Two writers may meet: the second merges again onto what the first committed.
_CONFLICTS = 50
_CONFLICT_TIME = timedelta(minutes=5)
_CONTENTION = ("conflict", "concurrent")
_IS_KEY = {b"lance-schema:unenforced-primary-key": b"true"}


def key_field() -> pa.Field:
    """Return the field of the ids by which rows are told apart; Lance refuses two commits that add the same one."""
    return pa.field(_KEY, pa.int64(), nullable=False, metadata=_IS_KEY)


def vector_field(dim: int) -> pa.Field:
    """Return the field of the vectors, in half precision."""
    return pa.field("vector", pa.list_(pa.float16(), dim), nullable=False)


def storage_options(url: str) -> dict[str, str]:
    """Return what Lance must be told of an object storage beyond the environment variables that it reads itself.

    It knows ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL``, ``AWS_REGION`` and their like; that
    an endpoint without TLS is meant, it wants to hear twice.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not url.startswith("s3") or not endpoint:
        return {}
    return {"aws_endpoint": endpoint} | ({"allow_http": "true"} if endpoint.startswith("http://") else {})


class Contended(StoreError):  # noqa: N818  # named for what it is, like the tree of errors
    """Another writer changed a table while this one did: what is left to do can wait for a better time."""


class LanceTable:
    """An open table, at its newest version when it was opened or ``refresh`` was called."""

    def __init__(self, url: str, dataset: Any) -> None:
        self.url = url
        self.dataset = dataset

    @classmethod
    def open(cls, url: str) -> LanceTable | None:
        """Open the table at ``url``; ``None`` where there is none. Raises ``StoreError`` where it cannot be read."""
        with told(f"reading {url}"):
            try:
                return cls(url, lance.dataset(url, storage_options=storage_options(url)))
            except ValueError as error:
                if "not found" in str(error).lower():
                    return None
                raise

    @classmethod
    def ensure(cls, url: str, schema: pa.Schema) -> LanceTable:
        """Open the table at ``url``, made where there is none."""
        if (table := cls.open(url)) is not None:
            return table
        with told(f"writing to {url}"):
            try:
                made = lance.write_dataset(
                    pa.Table.from_batches([], schema), url, schema=schema, storage_options=storage_options(url)
                )
                return cls(url, made)
            except (OSError, RuntimeError, ValueError):
                if (table := cls.open(url)) is None:
                    raise
                return table  # another process was faster

    def __len__(self) -> int:
        return self.count()

    @property
    def schema(self) -> pa.Schema:
        """Columns, with what was noted beside them."""
        return self.dataset.schema

    def refresh(self) -> None:
        """Go on with the newest version."""
        with told(f"reading {self.url}"):
            self.dataset.checkout_latest()

    def count(self, where: str | None = None) -> int:
        """Return how many rows meet the condition."""
        with told(f"reading {self.url}"):
            return int(self.dataset.count_rows(where))

    @property
    def version(self) -> int:
        """The number of the version that is shown; each commit has the next."""
        return int(self.dataset.version)

    def rows(
        self, columns: Sequence[str], where: str | None = None, *, limit: int | None = None, offset: int | None = None
    ) -> pa.Table:
        """Return the columns of the rows that meet the condition: all, or ``limit`` behind the first ``offset``."""
        with told(f"reading {self.url}"):
            return self.dataset.to_table(columns=list(columns), filter=where, limit=limit, offset=offset)

    def first(self, columns: Sequence[str], where: str | None, order: Mapping[str, bool], limit: int) -> pa.Table:
        """Return ``limit`` rows that meet the condition, ordered by columns: name -> whether it ascends.

        Rows without a value come last.
        """
        orderings = [ColumnOrdering(name, ascending=ascends, nulls_first=False) for name, ascends in order.items()]
        with told(f"reading {self.url}"):
            return self.dataset.to_table(columns=list(columns), filter=where, order_by=orderings, limit=limit)

    def take(self, places: Sequence[int], columns: Sequence[str]) -> pa.Table:
        """Return rows by their ascending places, 0 to ``len(self) - 1``."""
        with told(f"reading {self.url}"):
            return self.dataset.take(list(places), columns=list(columns))

    def batches(self, columns: Sequence[str] | None = None, where: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows that meet the condition, in memory that does not grow with the table."""
        with told(f"reading {self.url}"):
            yield from self.dataset.to_batches(
                columns=None if columns is None else list(columns), filter=where, batch_size=4096
            )

    def merge(self, rows: pa.Table) -> None:
        """Write rows in one commit; one whose id is there already is replaced. Committed or not at all."""
        with told(f"writing to {self.url}"):
            (
                self.dataset.merge_insert(_KEY)
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .conflict_retries(_CONFLICTS)
                .retry_timeout(_CONFLICT_TIME)
                .execute(rows)
            )

    def delete(self, where: str) -> None:
        """Remove the rows that meet the condition, in one commit."""
        with told(f"writing to {self.url}"):
            self.dataset.delete(where, conflict_retries=_CONFLICTS, retry_timeout=_CONFLICT_TIME)

    def replace(self, rows: pa.Table) -> None:
        """Put other rows in the place of all."""
        with told(f"writing to {self.url}"):
            self.dataset = lance.write_dataset(
                rows, self.url, mode="overwrite", storage_options=storage_options(self.url)
            )

    def indexed(self) -> set[str]:
        """Return the columns that have an index."""
        with told(f"reading {self.url}"):
            return {name for index in self.dataset.describe_indices() for name in index.field_names}

    def index(self, column: str) -> None:
        """Build an index of a column's values, where there is none: conditions on it then need not read it all."""
        if column not in self.indexed():
            with told(f"indexing {self.url}"):
                self.dataset.create_scalar_index(column, "BTREE")
            self.refresh()

    def compact(self) -> None:
        """Join small files, drop the room of removed rows, and take new rows into the indexes; readers go on."""
        with told(f"compacting {self.url}"):
            self.dataset.optimize.compact_files(num_threads=2)
            self.dataset.optimize.optimize_indices()

    def clean(self, *, older_than: timedelta, orphans: bool = False) -> int:
        """Remove old versions and return the bytes that this freed.

        ``orphans``: also files that no version names, which a writer leaves that was killed; none may be writing then.
        """
        with told(f"cleaning {self.url}"):
            return int(self.dataset.cleanup_old_versions(older_than, delete_unverified=orphans).bytes_removed)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what Lance raises into ``StoreError``, or ``Contended`` where another writer was faster."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:500]
        kind = Contended if any(word in said.lower() for word in _CONTENTION) else StoreError
        raise kind(
            f"{what} failed: {said}. What was committed before is kept; fix the cause and run the same command again"
        ) from error
