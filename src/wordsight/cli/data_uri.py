"""Pictures inside a page."""

from __future__ import annotations

import base64
import io

from PIL import features

from wordsight.protocols import Image


def data_uri(image: Image) -> str:
    """Return a picture as an address that holds it: WebP, or where this Pillow cannot write it, JPEG or PNG."""
    if features.check("webp"):
        kind, options = "webp", {"quality": 80, "method": 4}
    elif image.mode == "RGBA":
        kind, options = "png", {"optimize": True}
    else:
        kind, options = "jpeg", {"quality": 80, "optimize": True}
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
