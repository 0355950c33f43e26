"""Say in one line why a picture cannot be had."""

from __future__ import annotations

from PIL import Image

_SIGNS_OF_TRUNCATION = ("truncated", "not enough image data", "unexpected end", "unexpected eof", "bytes but only got")
_LONGEST = 200


def reason(error: Exception, kind: str = "") -> str:
    """Return one line that a user understands for what a decoder raised; ``kind`` is the format, where known."""
    said = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large ({said})"
    if isinstance(error, EOFError) or any(sign in said.lower() for sign in _SIGNS_OF_TRUNCATION):
        return f"truncated file ({said})"
    return " ".join(f"damaged or unsupported {kind} file ({said})".split())
