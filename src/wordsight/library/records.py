"""A hit as other programs see it: the members of a JSON object, and ids for TREC files. docs/output.md tells them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote_from_bytes

from wordsight.library.hits import Answer, PhotoHit
from wordsight.library.report import Health

FIELDS = (
    *("query", "rank", "score", "match", "path", "width", "height", "bytes", "sha256", "format"),
    *("captured_at", "camera", "latitude", "longitude", "region"),
)
"""The members of a JSON object and the columns of CSV, in order."""

_SIDES = ("left", "top", "right", "bottom")

# Everything that is printed and no blank, except "%" itself: what the encoded form leaves as it is.
_DOCID_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


def record(answer: Answer, hit: PhotoHit) -> dict[str, object]:
    """Return a hit as the members of ``FIELDS``, and ``ranks`` of fused encoders; ``None`` for what is not known."""
    members: dict[str, object] = {
        "query": answer.query.source,
        "rank": hit.rank,
        "score": round(float(hit.score), 6),
        "match": None if hit.match is None else round(float(hit.match), 4),
        "path": str(hit.path),
        "width": hit.width,
        "height": hit.height,
        "bytes": hit.bytes,
        "sha256": hit.sha256,
        "format": hit.format,
        "captured_at": None if hit.captured_at is None else hit.captured_at.isoformat(timespec="seconds"),
        "camera": hit.camera,
        "latitude": hit.latitude,
        "longitude": hit.longitude,
        "region": None if hit.region is None else dict(zip(_SIDES, hit.region[:4], strict=True)),
    }
    return members | ({"ranks": dict(hit.ranks)} if answer.encoders else {})


def docid(path: Path) -> str:
    """Return a photo's path as a TREC document id: bytes that are blank, "%" or not ASCII are percent-encoded."""
    return quote_from_bytes(os.fsencode(path), safe=_DOCID_SAFE)


STATES = ("indexed", "new", "changed", "moved", "missing", "unencoded")
"""The members of ``health_record`` that count files."""


def health_record(health: Health) -> dict[str, object]:
    """Return the state of a folder as the object that ``wordsight status --json`` prints."""
    return {
        "folder": str(health.root),
        "well": health.is_well,
        "synced_at": health.synced_at,
        **{name: getattr(health, name) for name in STATES},
        "skipped": health.skip_count,
        "skips": [{"path": str(path), "reason": reason} for path, reason in health.skipped],
        "problems": health.problems,
    }
