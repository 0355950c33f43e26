"""wordsight: find pictures by words, two ways, and see why.

>>> import wordsight
>>> with wordsight.open_library() as library:  # doctest: +SKIP
...     library.sync("~/Photos")
...     for hit in library.search("two dogs playing in snow"):
...         print(hit.rank, hit.score, hit.path)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordsight.library import Library

__version__ = "0.1.0"
__all__ = ["__version__", "open_library"]


def open_library(location: Path | None = None, *, encoder: str | None = None, threads: int = 1) -> Library:
    """Return the photo library whose catalogue is the folder ``location``, seen by ``encoder``.

    The defaults are the user's own catalogue, where the command line keeps it, and the encoder that it was migrated to,
    or "mini"; a missing catalogue is made by the first ``sync``. Raises ``UnknownEncoder`` or ``ModelError``.
    """
    from wordsight.library import Library
    from wordsight.preference import preferred
    from wordsight.registry import load_encoder

    return Library(load_encoder(encoder or preferred(location)), location, threads=threads)
