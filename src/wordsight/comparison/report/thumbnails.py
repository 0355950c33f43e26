"""Small pictures for a report, of those pictures only that it speaks about."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from PIL import Image as PILImage

from wordsight.comparison.results import Comparison
from wordsight.datasets.task import TaskImage
from wordsight.errors import ImageError

SIDE = 120


def thumbnails(found: Comparison, images: Iterable[TaskImage]) -> dict[str, str]:
    """Return picture -> data URI for all that the report shows; those that cannot be read any more are left out."""
    wanted = {image for engine in found.engines for query in (*engine.best, *engine.worst) for image, _ in query.hits}
    for pair in found.disagreements:
        wanted |= {gap.image_id for gap in pair.pictures}
    made = {}
    for image in images:
        if image.image_id in wanted:
            try:
                picture = image.load(SIDE).copy()
            except ImageError:
                continue
            picture.thumbnail((2 * SIDE, SIDE), PILImage.Resampling.LANCZOS)
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=78)
            made[image.image_id] = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
    return made
