"""The catalogue of a photo folder on disk: scan, sync, store, search."""

from wordsight.library.catalogue import Catalogue
from wordsight.library.filters import Filters
from wordsight.library.hits import Answer, PhotoHit
from wordsight.library.language import parse
from wordsight.library.library import Library
from wordsight.library.report import Health, Progress, SyncReport
from wordsight.preference import catalogue_home as default_location

__all__ = [
    "Answer",
    "Catalogue",
    "Filters",
    "Health",
    "Library",
    "PhotoHit",
    "Progress",
    "SyncReport",
    "default_location",
    "parse",
]
