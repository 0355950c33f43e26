"""Pictures on disk: find them, decode them upright to RGB, read their metadata.

``walk`` lists folders, ``read`` makes a picture of the bytes of a file, ``open_image`` is the short form for one path.
Every picture that cannot be had raises ``wordsight.errors.ImageError`` with one line for the user.

Names are loaded when first used: a search by words opens no picture, and does not wait for Pillow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordsight.images.decode import FILE_LIMIT, PIXEL_LIMIT, Picture, PictureInfo, open_image, read, read_bytes
    from wordsight.images.find import SUFFIXES, FileStat, Folder, walk

__all__ = [
    "FILE_LIMIT",
    "PIXEL_LIMIT",
    "SUFFIXES",
    "FileStat",
    "Folder",
    "Picture",
    "PictureInfo",
    "open_image",
    "read",
    "read_bytes",
    "walk",
]

_IN_FIND = {"SUFFIXES", "FileStat", "Folder", "walk"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{'find' if name in _IN_FIND else 'decode'}")
    globals().update({known: getattr(module, known) for known in __all__ if hasattr(module, known)})
    return globals()[name]
