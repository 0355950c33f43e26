"""From one encoder to another: all photos are encoded beside the old vectors, then searches use the new ones.

Nothing is remembered of a run but the vectors themselves, so one that was stopped is continued by the next. Searching
works with the old encoder meanwhile.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from wordsight.errors import BadInput
from wordsight.library import calibration, derived
from wordsight.library.catalogue import Catalogue, StoredEncoder, normal
from wordsight.library.report import Progress
from wordsight.library.sync import sync
from wordsight.preference import prefer
from wordsight.protocols import Encoder

Watch = Callable[[Path], AbstractContextManager[Callable[[Progress], None]]]
"""Gives, for a folder, what is told how its photos come along."""


@dataclass(slots=True)
class Migration:
    """What a migration did. ``left``: photos known without a vector of the new encoder; none: it was swapped in.

    ``dropped``: names of the old encoders whose vectors were removed. ``problems``: folders that cannot be read.
    """

    encoded: int = 0
    left: int = 0
    dropped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether searches use the new encoder now."""
        return not self.left


def migrate(
    catalogue: Catalogue,
    encoder: Encoder,
    name: str,
    *,
    folders: Sequence[Path] = (),
    workers: int | None = None,
    drop_old: bool = False,
    watch: Watch,
) -> Migration:
    """Encode all indexed ``folders`` (default: every one) with ``encoder`` and, when none is left, make it the default.

    Call it inside ``catalogue.writing()``. ``name`` is what loads the encoder again. Regions are made where the
    catalogue had some. ``drop_old`` removes the vectors of all other encoders then. Raises ``BadInput`` for a folder
    that is not indexed, or where none is.
    """
    roots = catalogue.roots()
    unknown = [str(folder) for folder in folders if not any(normal(folder).is_relative_to(root) for root in roots)]
    if unknown or not roots:
        known = ", ".join(map(str, roots)) or "none"
        raise BadInput(f"{' and '.join(unknown) or catalogue.location} is not indexed (indexed: {known})")
    regions = any(row.regions is not None for row in catalogue.encoders())
    done = Migration()
    for root in folders or roots:
        try:
            with watch(root) as progress:
                report = sync(
                    catalogue, root, encoder, workers=workers, beside=True, regions=regions or None, progress=progress
                )
        except BadInput as error:  # a disk that is not mounted; the others can be done
            done.problems.append(str(error))
            continue
        done.encoded += report.encoded
        done.problems += report.problems
    stored = catalogue.encoder_row(encoder)
    derived.fold_if_due(catalogue, stored)
    calibration.calibrate_if_due(catalogue, stored, encoder)
    done.left = _without_vector(catalogue, stored)
    if done.is_complete:
        prefer(catalogue.location, name)
        if drop_old:
            done.dropped = [row.name for row in catalogue.encoders() if row.id != stored.id]
            drop_others(catalogue, stored)
    return done


def drop_others(catalogue: Catalogue, kept: StoredEncoder) -> None:
    """Remove all vectors of other encoders, and give their room back to the disk."""
    others = [row for row in catalogue.encoders() if row.id != kept.id]
    with catalogue.transaction():
        for row in others:
            for table in ("vectors", "removed", "removed_regions"):  # in this order: triggers fill the others
                catalogue.db.execute(f"DELETE FROM {table} WHERE encoder_id = ?", [row.id])
            catalogue.db.execute("DELETE FROM encoders WHERE id = ?", [row.id])
    for row in others:
        shutil.rmtree(derived.home(catalogue, row), ignore_errors=True)
    if others:
        with suppress(sqlite3.OperationalError):  # a search is under way: the room is used by later photos
            catalogue.db.execute("VACUUM")


def _without_vector(catalogue: Catalogue, encoder: StoredEncoder) -> int:
    row = catalogue.db.execute(
        "SELECT count(*) FROM contents c WHERE NOT EXISTS "
        "(SELECT 1 FROM vectors v WHERE v.content_id = c.id AND v.encoder_id = ?)",
        [encoder.id],
    )
    return int(row.fetchone()[0])
