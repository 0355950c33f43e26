"""What a sync says: while it runs, and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class SyncReport:
    """What a sync did, in files. ``encoded`` pictures went through the encoder; a moved or copied one does not.

    ``problems`` are folders that could not be listed: what the catalogue knows of them is left as it is.
    """

    unchanged: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    skipped: int = 0
    encoded: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a sync stands. ``latest`` is a skipped file with its reason, for the user to see at once."""

    done: int
    total: int
    encoded: int
    skipped: int
    latest: tuple[Path, str] | None = None
