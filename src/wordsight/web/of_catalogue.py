"""The gallery of a catalogue: files are opened only where it says that they lie, and only as they were indexed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from wordsight.library import Answer, Catalogue, Filters, Library, browse, facets, groups
from wordsight.library.browse import BrowsePlace
from wordsight.library.catalogue import storable
from wordsight.library.facets import Facets
from wordsight.library.groups import NearGroup, PhotoCluster
from wordsight.library.records import health_record
from wordsight.protocols import Encoder
from wordsight.types import Metric
from wordsight.web.gallery import Held, NotServed, Photo


class CatalogueGallery:
    """The photos of a catalogue; ``libraries`` makes it seen through an encoder, the first of which is ``default``.

    SQLite's connections are not shared: one for each thread.
    """

    def __init__(self, make_library: Callable[[Encoder], Library], default: Encoder) -> None:
        self._make = make_library
        self._default = default
        self._libraries: dict[str, Library] = {}

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, opened for reading; ``CatalogueError`` where there is none yet."""
        return self.searchable(self._default).catalogue

    def searchable(self, encoder: Encoder) -> Library:
        """Return the catalogue through an encoder."""
        if encoder.name not in self._libraries:
            self._libraries[encoder.name] = self._make(encoder)
        return self._libraries[encoder.name]

    def ready(self) -> None:
        """Open the index."""
        len(self.searchable(self._default).searcher)

    def reading(self) -> AbstractContextManager[object]:
        """Return a snapshot of the database."""
        return self.catalogue.snapshot()

    def state(self) -> Hashable:
        """Return the database's version."""
        return self.catalogue.state()

    def roots(self) -> list[Path]:
        """Return the indexed folders."""
        return self.catalogue.roots()

    def serves(self, folder: Path) -> bool:
        """Return whether a folder is or lies in an indexed one."""
        return any(folder.is_relative_to(root) for root in self.roots())

    def fingerprints(self) -> set[str]:
        """Return those of the encoders that there are vectors of."""
        return {row.fingerprint for row in self.catalogue.encoders()}

    def held(self) -> list[Held]:
        """Return these encoders with the number of their vectors."""
        return [Held(row.name, row.fingerprint, self.catalogue.vector_count(row)) for row in self.catalogue.encoders()]

    def count(self, filters: Filters) -> int:
        """Return how many photos pass."""
        return browse.count(self.catalogue, filters)

    def browse(
        self, filters: Filters, *, top: int, after: BrowsePlace | None, searched: int
    ) -> tuple[Answer, BrowsePlace | None]:
        """Return the next photos, newest first, and where they end."""
        return browse.browse(self.catalogue, filters, top=top, after=after, searched=searched)

    def facets(self, filters: Filters) -> Facets:
        """Count what photos can be filtered by."""
        return facets.facets(self.catalogue, filters)

    def photos(self, sha256: str, filters: Filters) -> list[Photo]:
        """Return the files with a content that pass, by path."""
        condition, values = filters.where()
        with self.catalogue.snapshot():
            rows = self.catalogue.db.execute(
                "SELECT d.path, f.name, f.bytes, c.format, c.width, c.height, f.mtime_ns FROM contents c "
                "JOIN files f ON f.content_id = c.id JOIN folders d ON d.id = f.folder_id "
                f"WHERE c.sha256 = ? AND ({condition}) ORDER BY d.path, f.name",
                [bytes.fromhex(sha256), *values],
            ).fetchall()
        return [Photo(sha256, Path(folder) / name, *rest) for folder, name, *rest in rows]

    def opened(self, photo: Photo) -> BinaryIO:
        """Open a file that is, by size and time, what was indexed, and really lies in an indexed folder.

        A link that leads out is refused.
        """
        file = self._opened(photo)
        if file is None:
            raise NotServed(
                "the file has changed since it was indexed, is gone, or lies outside of the indexed folders: sync"
            )
        return file

    def _opened(self, photo: Photo) -> BinaryIO | None:
        try:
            real = os.path.realpath(photo.path)
            if not any(Path(real).is_relative_to(os.path.realpath(root)) for root in self.roots()):
                return None
            descriptor = os.open(real, os.O_RDONLY | _CAREFULLY)
        except (OSError, ValueError):
            return None
        status = os.fstat(descriptor)
        found = status.st_size, storable(status.st_mtime_ns)
        if stat.S_ISREG(status.st_mode) and found == (photo.bytes, photo.mtime_ns):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        return None

    def health(self, folders: Sequence[Path]) -> list[dict[str, Any]]:
        """Compare the folders with the catalogue."""
        library = self.searchable(self._default)
        return [health_record(library.status(folder)) for folder in folders]

    def vectors_state(self, encoder: Encoder) -> tuple[int, ...]:
        """Return what the ids of the vectors add up to."""
        stored = self.catalogue.encoder_row(encoder)
        row = self.catalogue.db.execute(
            "SELECT count(*), coalesce(max(id), 0), coalesce(sum(id), 0) FROM vectors WHERE encoder_id = ?", [stored.id]
        )
        return (stored.id, *row.fetchone())

    def copies(self, filters: Filters, *, most: int) -> list[tuple[str, list[Path]]]:
        """Return contents that several files hold, with these."""
        return groups.copies(self.catalogue, filters, most=most)

    def near_duplicates(self, encoder: Encoder, filters: Filters, threshold: float) -> list[NearGroup]:
        """Return groups of photos that look alike; none where that is no cosine."""
        stored = self.catalogue.encoder_row(encoder)
        if stored.metric is not Metric.COSINE:
            return []
        return groups.near_duplicates(self.catalogue, stored, filters, threshold)

    def clusters(self, encoder: Encoder, filters: Filters, k: int) -> list[PhotoCluster]:
        """Return clusters of photos."""
        return groups.clusters(self.catalogue, self.catalogue.encoder_row(encoder), filters, k)

    def close(self) -> None:
        """Close the connections."""
        for library in self._libraries.values():
            library.close()
        self._libraries.clear()


_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A link that was put there just now is not followed, and a named pipe does not block."""
