"""What the service asks of the photos it serves: those of a catalogue on this machine, or those of a store."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from wordsight.errors import WordsightError
from wordsight.library import Answer, Filters
from wordsight.library.browse import BrowsePlace
from wordsight.library.facets import Facets
from wordsight.library.groups import NearGroup, PhotoCluster
from wordsight.library.searchable import Searchable
from wordsight.protocols import Encoder


class NotServed(WordsightError):  # noqa: N818
    """There is no such picture here, or what is there is not what was indexed."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that holds a content of the gallery. ``mtime_ns``: when it was changed last, where that is compared."""

    sha256: str
    path: Path
    bytes: int
    format: str
    width: int
    height: int
    mtime_ns: int = 0


class Held(NamedTuple):
    """An encoder that the gallery has vectors of."""

    name: str
    fingerprint: str
    vectors: int


class Gallery(Protocol):
    """Photos, for one thread alone. What cannot be read raises a ``WordsightError`` that says what to do.

    ``filters`` are held within the folders that are served by the caller.
    """

    def searchable(self, encoder: Encoder) -> Searchable:
        """Return the photos seen through an encoder."""

    def ready(self) -> None:
        """Open what the first search needs; raises where there is nothing to search."""

    def reading(self) -> AbstractContextManager[object]:
        """All that is read within belongs to one state, as far as that can be had."""

    def state(self) -> Hashable:
        """Return what changes when the photos do."""

    def roots(self) -> list[Path]:
        """Return the folders that were indexed, where that is known."""

    def serves(self, folder: Path) -> bool:
        """Return whether photos may be below a folder; a name is compared, no disk is asked."""

    def fingerprints(self) -> set[str]:
        """Return those of the encoders that there are vectors of."""

    def held(self) -> list[Held]:
        """Return these encoders with the number of their vectors, which takes longer."""

    def count(self, filters: Filters) -> int:
        """Return how many photos pass."""

    def browse(
        self, filters: Filters, *, top: int, after: BrowsePlace | None, searched: int
    ) -> tuple[Answer, BrowsePlace | None]:
        """Return the next photos, newest first, and where they end; see ``library.browse``."""

    def facets(self, filters: Filters) -> Facets:
        """Count what photos can be filtered by."""

    def photos(self, sha256: str, filters: Filters) -> list[Photo]:
        """Return the files with a content that pass, by path."""

    def opened(self, photo: Photo) -> BinaryIO:
        """Open a photo for reading ``photo.bytes`` bytes; ``NotServed`` where it is not what was indexed any more."""

    def health(self, folders: Sequence[Path]) -> list[dict[str, Any]]:
        """Return how each folder is, as ``library.records.health_record`` tells it."""

    def vectors_state(self, encoder: Encoder) -> tuple[int, ...]:
        """Return numbers that change with the vectors of an encoder, the same in every thread."""

    def copies(self, filters: Filters, *, most: int) -> list[tuple[str, list[Path]]]:
        """Return contents that several photos have, with these; see ``library.groups``."""

    def near_duplicates(self, encoder: Encoder, filters: Filters, threshold: float) -> list[NearGroup]:
        """Return groups of photos that look alike; see ``library.groups``."""

    def clusters(self, encoder: Encoder, filters: Filters, k: int) -> list[PhotoCluster]:
        """Return clusters of photos; see ``library.groups``."""

    def close(self) -> None:
        """Close what is open."""
