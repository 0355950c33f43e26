"""The gallery of a store: pictures are read from where they lie, and only what was indexed is given out."""

from __future__ import annotations

import io
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from wordsight.errors import ImageError
from wordsight.library import Answer, Filters
from wordsight.library.browse import BrowsePlace
from wordsight.library.facets import Facets
from wordsight.library.groups import NearGroup, PhotoCluster
from wordsight.library.records import STATES
from wordsight.library.search import Pictures
from wordsight.protocols import Encoder
from wordsight.scale import browse
from wordsight.scale.contents import Contents
from wordsight.scale.search import StoreLibrary
from wordsight.types import Address, Metric
from wordsight.web.gallery import Held, NotServed, Photo

_SKIPS = 1_000  # that are told: a store may list millions
_FRESH_SECONDS = 2.0  # so long a version is shown before it is asked for a newer one


class StoreGallery:
    """The photos of a store. ``contents`` is shared between threads; what else is open belongs to one."""

    def __init__(self, url: str, encoder: Encoder, pictures: Pictures, contents: Contents) -> None:
        self._library = StoreLibrary(encoder, url, pictures=pictures)
        self._contents = contents
        self._looked = time.monotonic()

    def searchable(self, encoder: Encoder) -> StoreLibrary:  # noqa: ARG002  # a store holds the vectors of one
        """Return the store through the encoder that filled it."""
        return self._library

    def ready(self) -> None:
        """Look for the newest version."""
        self._library.refresh()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Look for a newer version first; a version does not change while it is shown."""
        if time.monotonic() - self._looked > _FRESH_SECONDS:
            self._library.refresh()
            self._looked = time.monotonic()
        yield

    def state(self) -> Hashable:
        """Return the number of the version that is shown."""
        return self._library.store.photos.version

    def roots(self) -> list[Path]:
        """Return the indexed folders of the catalogue that the store was made from, if it was."""
        return [Address(root) for root in self._library.store.header.roots]

    def serves(self, folder: Path) -> bool:
        """Return whether the folder is named in whole: conditions only compare it with addresses."""
        return folder.is_absolute()

    def fingerprints(self) -> set[str]:
        """Return that of the one encoder."""
        return {self._library.store.header.fingerprint}

    def held(self) -> list[Held]:
        """Return the one encoder."""
        header = self._library.store.header
        return [Held(header.encoder, header.fingerprint, len(self._library.store))]

    def count(self, filters: Filters) -> int:
        """Return how many photos pass."""
        return browse.count(self._library.store, filters)

    def browse(
        self, filters: Filters, *, top: int, after: BrowsePlace | None, searched: int
    ) -> tuple[Answer, BrowsePlace | None]:
        """Return the next photos, newest first, and where they end."""
        return browse.browse(self._library.store, filters, top=top, after=after, searched=searched)

    def facets(self, filters: Filters) -> Facets:
        """Count what photos can be filtered by."""
        return browse.facets(self._library.store, filters)

    def photos(self, sha256: str, filters: Filters) -> list[Photo]:
        """Return the photos with a content that pass, by address."""
        with self.reading():
            found = browse.files(self._library.store, sha256, filters)
        return [Photo(sha256, hit.path, hit.bytes, hit.format, hit.width, hit.height) for hit in found]

    def opened(self, photo: Photo) -> BinaryIO:
        """Read a photo into memory; ``NotServed`` where its SHA-256 is not what was indexed, or nothing can be read."""
        try:
            return io.BytesIO(self._contents.read(str(photo.path), photo.sha256, photo.bytes))
        except ImageError as error:
            raise NotServed(error.reason) from error

    def health(self, folders: Sequence[Path]) -> list[dict[str, Any]]:  # noqa: ARG002  # sources are not remembered
        """Return what the store holds; with its sources it is not compared."""
        store = self._library.store
        store.problems.refresh()
        told: dict[str, Any] = dict.fromkeys(STATES, 0)
        skips = [{"path": address, "reason": reason} for address, _, reason, _ in islice(store.skipped(), _SKIPS)]
        told |= {"folder": store.url, "well": True, "synced_at": None, "indexed": len(store), "problems": []}
        return [told | {"skipped": len(store.problems), "skips": skips}]

    def vectors_state(self, encoder: Encoder) -> tuple[int, ...]:  # noqa: ARG002
        """Return the version."""
        return (self._library.store.photos.version,)

    def copies(self, filters: Filters, *, most: int) -> list[tuple[str, list[Path]]]:
        """Return contents that several photos have, with these."""
        return browse.copies(self._library.store, filters, most=most)

    def near_duplicates(self, encoder: Encoder, filters: Filters, threshold: float) -> list[NearGroup]:
        """Return groups of photos that look alike; none where that is no cosine."""
        if encoder.metric is not Metric.COSINE:
            return []
        return browse.near_duplicates(self._library.store, filters, threshold)

    def clusters(self, encoder: Encoder, filters: Filters, k: int) -> list[PhotoCluster]:  # noqa: ARG002
        """Return clusters of photos."""
        return browse.clusters(self._library.store, filters, k)

    def close(self) -> None:
        """Let go of what is open."""
