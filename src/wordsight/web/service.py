"""The state behind the routes: encoders, one gallery for each thread, uploads, thumbnails, the sync."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from wordsight.errors import BadInput, CatalogueError, WordsightError
from wordsight.library import Filters, Library
from wordsight.library.notes import Notes
from wordsight.library.searchable import Searchable
from wordsight.preference import catalogue_home
from wordsight.protocols import Encoder
from wordsight.registry import load_encoder
from wordsight.web.ahead import Ahead
from wordsight.web.config import Config
from wordsight.web.gallery import Gallery
from wordsight.web.metrics import Metrics
from wordsight.web.of_catalogue import CatalogueGallery
from wordsight.web.syncing import Sync
from wordsight.web.thumbnails import Thumbnails, warm
from wordsight.web.uploads import Uploads
from wordsight.web.work import Shared, Workers

T = TypeVar("T")
_KEPT = 20  # for each thread


class Service:
    """What one process serves. ``quick`` threads answer searches, ``slow`` ones draw, explain and examine."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.folders = Filters.read(under=config.folders).under
        self.scope = Filters(under=self.folders)
        self.encoders = _loaded(config.encoders)
        self.metrics = Metrics()
        self.sync = Sync()
        self.ending = False
        self.uploads = Uploads(config.limits)
        self.quick = Workers("search", config.threads, config.limits.waiting)
        self.slow = Workers("pictures", config.threads, config.limits.waiting)
        self.drawing: Shared[bytes] = Shared()
        self.vectors = Recent(500)
        self.explained = Recent(50)
        self._own = threading.local()
        self._open_gallery = self._galleries()
        self.location = _location(config)
        if config.store is not None:
            self.gallery.ready()  # a store that is not there is told at once; a catalogue can be made from the page
        self.notes = Notes(self.location)
        self.thumbnails = Thumbnails(self.location / "thumbnails", config.limits.thumbnails_bytes)
        self.ahead = Ahead(self, self._close_gallery)
        self._warming = threading.Thread(target=self._warm, name="wordsight-warm", daemon=True)

    def warm(self) -> None:
        """Load, beside what else happens, what the first query would wait for: text sides of encoders, decoders."""
        self._warming.start()

    def _warm(self) -> None:
        for encoder in self.encoders.values():
            text = "a photo" if encoder.vocabulary is None else next(iter(encoder.vocabulary), None)
            if text is not None and not self.ending:
                with suppress(WordsightError):  # whoever asks is told
                    encoder.encode_texts([text])
        warm()

    def encoder(self, name: str | None = None) -> Encoder:
        """Return an encoder by its name, or the default one; raises ``BadInput`` for one that is not served."""
        if name is None:
            return next(iter(self.encoders.values()))
        if name not in self.encoders:
            raise BadInput(f"this server has no encoder {name!r}; it has {', '.join(self.encoders)}")
        return self.encoders[name]

    @property
    def gallery(self) -> Gallery:
        """The photos, for this thread alone."""
        mine: dict[str, Gallery] = self._own.__dict__
        if "gallery" not in mine:
            mine["gallery"] = self._open_gallery()
        return mine["gallery"]

    def searchable(self, encoder: str | None = None) -> Searchable:
        """Return the photos through an encoder, for this thread alone."""
        return self.gallery.searchable(self.encoder(encoder))

    def library(self, encoder: Encoder) -> Library:
        """Return the catalogue through an encoder."""
        return Library(encoder, self.config.catalog, pictures=self.uploads.image)

    def kept(self, key: Hashable, make: Callable[[Gallery], T]) -> T:
        """Return what ``make`` works out of the photos: by this thread, anew when they have changed."""
        gallery = self.gallery
        with gallery.reading():
            state = gallery.state()
            if self._own.__dict__.get("state") != state:
                self._own.state, self._own.kept = state, Recent(_KEPT)
            known: Recent = self._own.kept
            return known.get(key, lambda: make(gallery))

    def roots(self) -> tuple[Path, ...]:
        """Return the indexed folders that are served."""
        return self.folders or tuple(self.gallery.roots())

    def serves(self, folder: Path) -> bool:
        """Return whether photos below a folder may be shown: a name is compared, no disk is asked."""
        if self.folders:
            return any(folder.is_relative_to(one) for one in self.folders)
        return self.gallery.serves(folder)

    def is_indexed(self) -> bool:
        """Whether searches can be answered for all folders that are served."""
        try:
            return bool(self.gallery.fingerprints()) and all(map(self.gallery.serves, self.folders))
        except CatalogueError:
            return False

    def close(self) -> None:
        """Let running work end and close what is open."""
        self.ending = True
        self.sync.close()
        self.ahead.close()
        if self._warming.is_alive():
            self._warming.join()
        for workers in (self.quick, self.slow):
            workers.close(self._close_gallery)
        self._close_gallery()
        self.uploads.close()

    def _galleries(self) -> Callable[[], Gallery]:
        """Return what opens the photos for a thread."""
        if (store := self.config.store) is None:
            return lambda: CatalogueGallery(self.library, self.encoder())
        from wordsight.scale.contents import Contents  # with the extra scale
        from wordsight.web.of_store import StoreGallery

        contents = Contents()
        return lambda: StoreGallery(store, self.encoder(), self.uploads.image, contents)

    def _close_gallery(self) -> None:
        if (gallery := self._own.__dict__.pop("gallery", None)) is not None:
            gallery.close()


class Recent:
    """The last results of a function, by key. A value that several threads lack at once may be made twice."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made for ``key``, or make it."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]  # type: ignore[return-value]
        value = make()
        with self._lock:
            self._known[key] = value
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return value


def _location(config: Config) -> Path:
    """Return the folder for notes and thumbnails: the catalogue's, or one below it for a store, which is made."""
    home = (config.catalog or catalogue_home()).absolute()
    if config.store is None:
        return home
    where = config.store if "://" in config.store else os.path.abspath(config.store)  # as text
    folder = home / "stores" / hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    with suppress(OSError):  # whoever marks a photo is told
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _loaded(names: tuple[str, ...]) -> dict[str, Encoder]:
    encoders = [load_encoder(name) for name in names]
    if len({encoder.name for encoder in encoders}) < len(encoders) or not encoders:
        raise BadInput(f"expected different encoders, got {', '.join(encoder.name for encoder in encoders) or 'none'}")
    return {encoder.name: encoder for encoder in encoders}
