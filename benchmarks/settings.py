"""What can be chosen for a run of the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """``work`` keeps photos and catalogues between runs, so that a repeated run starts at once."""

    encoder: str
    work: Path
    photos: int
    files: int
    rows: tuple[int, ...]
    repeats: int
    full: bool
    tiny: bool = False

    @property
    def encoder_name(self) -> str:
        """The encoder without the folders of a path."""
        return Path(self.encoder).name
