"""The state behind the routes: encoders, one library for each thread and encoder, uploads, thumbnails, the sync."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from wordsight.errors import BadInput, CatalogueError, WordsightError
from wordsight.library import Catalogue, Filters, Library
from wordsight.library.catalogue import normal
from wordsight.library.notes import Notes
from wordsight.protocols import Encoder
from wordsight.registry import load_encoder
from wordsight.web.config import Config
from wordsight.web.metrics import Metrics
from wordsight.web.syncing import Sync
from wordsight.web.thumbnails import Thumbnails
from wordsight.web.uploads import Uploads
from wordsight.web.work import Workers

T = TypeVar("T")
_KEPT = 20  # for each thread


class Service:
    """What one process serves. ``quick`` threads answer searches, ``slow`` ones draw, explain and examine."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.folders = tuple(normal(folder) for folder in config.folders)
        self.scope = Filters(under=self.folders)
        self.encoders = _loaded(config.encoders)
        self.metrics = Metrics()
        self.sync = Sync()
        self.ending = False
        self.uploads = Uploads(config.limits)
        self.quick = Workers("search", config.threads, config.limits.waiting)
        self.slow = Workers("pictures", config.threads, config.limits.waiting)
        self.vectors = Recent(500)
        self.explained = Recent(50)
        self._own = threading.local()
        self.location = self.library().location
        self.notes = Notes(self.location)
        self.thumbnails = Thumbnails(self.location / "thumbnails", config.limits.thumbnails_bytes)
        self._warming = threading.Thread(target=self._warm, name="wordsight-warm", daemon=True)

    def warm(self) -> None:
        """Open, beside what else happens, what the first query would wait for: the text sides of the encoders."""
        self._warming.start()

    def _warm(self) -> None:
        for encoder in self.encoders.values():
            text = "a photo" if encoder.vocabulary is None else next(iter(encoder.vocabulary), None)
            if text is not None and not self.ending:
                with suppress(WordsightError):  # whoever asks is told
                    encoder.encode_texts([text])

    def encoder(self, name: str | None = None) -> Encoder:
        """Return an encoder by its name, or the default one; raises ``BadInput`` for one that is not served."""
        if name is None:
            return next(iter(self.encoders.values()))
        if name not in self.encoders:
            raise BadInput(f"this server has no encoder {name!r}; it has {', '.join(self.encoders)}")
        return self.encoders[name]

    def library(self, encoder: str | None = None) -> Library:
        """Return the catalogue through an encoder, for this thread alone: SQLite's connections are not shared."""
        chosen = self.encoder(encoder)
        mine: dict[str, Library] = self._own.__dict__.setdefault("libraries", {})
        if chosen.name not in mine:
            mine[chosen.name] = Library(chosen, self.config.catalog, pictures=self.uploads.image)
        return mine[chosen.name]

    def catalogue(self) -> Catalogue:
        """Return this thread's catalogue, opened for reading; ``CatalogueError`` where there is none yet."""
        return self.library().catalogue

    def kept(self, key: Hashable, make: Callable[[Catalogue], T]) -> T:
        """Return what ``make`` works out of the catalogue: by this thread, anew when the catalogue has changed."""
        catalogue = self.catalogue()
        with catalogue.snapshot():
            state = catalogue.state()
            if self._own.__dict__.get("state") != state:
                self._own.state, self._own.kept = state, Recent(_KEPT)
            known: Recent = self._own.kept
            return known.get(key, lambda: make(catalogue))

    def roots(self) -> tuple[Path, ...]:
        """Return the indexed folders that are served."""
        roots = self.catalogue().roots()
        return self.folders or tuple(roots)

    def is_indexed(self) -> bool:
        """Whether searches can be answered for all folders that are served."""
        try:
            roots, stored = self.catalogue().roots(), self.catalogue().encoders()
        except CatalogueError:
            return False
        return bool(stored) and all(any(f.is_relative_to(root) for root in roots) for f in self.folders)

    def close(self) -> None:
        """Let running work end and close what is open."""
        self.ending = True
        self.sync.close()
        if self._warming.is_alive():
            self._warming.join()
        for workers in (self.quick, self.slow):
            workers.close(self._close_libraries)
        self._close_libraries()
        self.uploads.close()

    def _close_libraries(self) -> None:
        for library in self._own.__dict__.pop("libraries", {}).values():
            library.close()


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


def _loaded(names: tuple[str, ...]) -> dict[str, Encoder]:
    encoders = [load_encoder(name) for name in names]
    if len({encoder.name for encoder in encoders}) < len(encoders) or not encoders:
        raise BadInput(f"expected different encoders, got {', '.join(encoder.name for encoder in encoders) or 'none'}")
    return {encoder.name: encoder for encoder in encoders}
