"""The photo library: a catalogue and an encoder, with the three verbs people need: sync, search, status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.library import calibration, derived
from wordsight.library.catalogue import Catalogue, normal
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer
from wordsight.library.language import parse
from wordsight.library.report import Progress, SyncReport
from wordsight.library.search import Pictures, Place, Searcher
from wordsight.preference import catalogue_home as default_location
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Query

if TYPE_CHECKING:
    from wordsight.library.report import Health


class Library:
    """A catalogue of photo folders, seen through one encoder. Use as a context manager.

    ``location`` is the catalogue's folder (default: ``default_location()``); nothing is made there before ``sync``.
    ``pictures`` gives what queries may name beyond the catalogue, by SHA-256.
    """

    def __init__(
        self,
        encoder: Encoder,
        location: Path | None = None,
        *,
        threads: int = 1,
        pictures: Pictures | None = None,
    ) -> None:
        self.encoder = encoder
        self._location = location
        self._threads = threads
        self._pictures = pictures
        self._catalogue: Catalogue | None = None
        self._searcher: Searcher | None = None

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalogue; the next call opens it again."""
        if self._catalogue is not None:
            self._catalogue.db.close()
        self._catalogue = self._searcher = None

    def sync(
        self,
        root: Path | str,
        *,
        workers: int | None = None,
        beside: bool = False,
        regions: bool | None = None,
        retry_skipped: bool = False,
        allow_empty: bool = False,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> SyncReport:
        """Bring the catalogue up to date with the photos below ``root``; see ``wordsight.library.sync``."""
        from wordsight.library.sync import sync  # a search need not wait for it

        self.close()
        with Catalogue.open(self._location, create=True) as catalogue, catalogue.writing():
            report = sync(
                catalogue,
                Path(root),
                self.encoder,
                workers=workers,
                beside=beside,
                regions=regions,
                retry_skipped=retry_skipped,
                allow_empty=allow_empty,
                progress=progress,
            )
            stored = catalogue.encoder_row(self.encoder)
            derived.fold_if_due(catalogue, stored)
            calibration.calibrate_if_due(catalogue, stored, self.encoder)
        return report

    def search(
        self,
        query: str | Sequence[str] | Query,
        *,
        top: int = 10,
        within: Sequence[Path | str] = (),
        filters: Filters | None = None,
        matches_only: bool = False,
        regions: bool = True,
        after: Place | None = None,
        vector: NDArray[np.float32] | None = None,
        prompts: Sequence[str] = (),
    ) -> Answer:
        """Return the ``top`` photos closest to ``query`` (a text in the query language, or a ``Query``).

        ``within``: only photos in or below these folders; raises ``BadInput`` for one that is not indexed. ``regions``
        false: rank by whole photos also where the catalogue has regions. ``after``, ``vector``, ``prompts``: see
        ``Searcher``.
        """
        parsed = query if isinstance(query, Query) else parse(query)
        filters = filters or Filters()
        folders = tuple(self._indexed(Path(folder)) for folder in within)
        if folders:
            filters = replace(filters, under=_both(folders, filters.under))
        return self.searcher.search(
            parsed,
            top=top,
            filters=filters,
            matches_only=matches_only,
            regions=regions,
            after=after,
            vector=vector,
            prompts=prompts,
        )

    def content_vector(self, digits: str) -> Embeddings:
        """Return the vector, (1, dim), of the picture whose SHA-256 begins so; ``BadInput`` where none does."""
        return self.searcher.content_vector(digits)

    def status(self, root: Path | str) -> Health:
        """Compare the indexed folder that is or contains ``root`` with what is there now."""
        from wordsight.library.health import examine

        folder = self._indexed(Path(root))
        home = self.catalogue.root_of(folder)
        assert home is not None
        with self.catalogue.snapshot():
            return examine(self.catalogue, home, self.catalogue.encoder_row(self.encoder))

    @property
    def location(self) -> Path:
        """The catalogue's folder, whether it is there yet or not."""
        return (self._location or default_location()).absolute()

    @property
    def searcher(self) -> Searcher:
        """What answers queries, opened when first asked."""
        if self._searcher is None:
            self._searcher = Searcher(self.catalogue, self.encoder, threads=self._threads, pictures=self._pictures)
        return self._searcher

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, opened for reading."""
        if self._catalogue is None:
            self._catalogue = Catalogue.open(self._location)
        return self._catalogue

    def _indexed(self, folder: Path) -> Path:
        folder = normal(folder)
        if self.catalogue.root_of(folder) is None:
            known = ", ".join(map(str, self.catalogue.roots())) or "none"
            raise BadInput(f"{folder} is not indexed (indexed: {known}): run `wordsight index {folder}` first")
        return folder


def _both(within: tuple[Path, ...], under: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that lie in one of each, given that a photo must do both."""
    if not under:
        return within
    pairs = [(a, b) for a in within for b in under]
    common = tuple(a if a.is_relative_to(b) else b for a, b in pairs if a.is_relative_to(b) or b.is_relative_to(a))
    if not common:
        raise BadInput(
            f"no photo can be in {' or '.join(map(str, within))} and also under {' or '.join(map(str, under))}"
        )
    return common
