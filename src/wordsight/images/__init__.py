"""Pictures on disk: find them, decode them upright to RGB, read their metadata.

``walk`` lists folders, ``read`` makes a picture of the bytes of a file, ``open_image`` is the short form for one path.
Every picture that cannot be had raises ``wordsight.errors.ImageError`` with one line for the user.
"""

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
