"""What a sync says while it runs and at its end, and how well a folder is."""

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
    total: int | None
    encoded: int
    skipped: int
    latest: tuple[Path, str] | None = None


@dataclass(slots=True)
class Health:
    """The state of one indexed folder, in files.

    ``moved`` are new files with the content of a missing one (they count neither as new nor as missing). ``unencoded``
    are known files without a vector of the encoder in question, or without the regions that are wanted. ``skipped`` are
    the files that could not be read, with their reasons (the first thousand; ``skip_count`` counts all).
    """

    root: Path
    synced_at: str | None
    indexed: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    unencoded: int = 0
    skip_count: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether there is nothing that another ``wordsight index`` would mend."""
        return not (self.new or self.changed or self.moved or self.missing or self.unencoded or self.problems)
