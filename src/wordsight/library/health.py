"""Is the catalogue up to date with its folders? Compares by name, size and time; nothing is written."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from wordsight import images
from wordsight.library.catalogue import Catalogue, StoredEncoder, as_text, storable
from wordsight.library.region_table import HAS_ALL
from wordsight.library.report import Health

_SHOWN = 1000


def examine(catalogue: Catalogue, root: Path, encoder: StoredEncoder) -> Health:
    """Compare the indexed folder ``root`` with what is there now. Only files that may have moved are opened."""
    with catalogue.snapshot():
        return _examine(catalogue, root, encoder)


def _examine(catalogue: Catalogue, root: Path, encoder: StoredEncoder) -> Health:
    synced = catalogue.db.execute(
        "SELECT synced_at FROM roots WHERE path = CAST(? AS TEXT)", [as_text(root)]
    ).fetchone()
    health = Health(root, synced[0] if synced else None)
    known = _folders(catalogue, root)
    new: list[tuple[Path, int, int]] = []
    missing: Counter[tuple[int, int, bytes]] = Counter()
    unseen = set(known)
    if not root.is_dir():
        health.problems.append(f"{root} is not there: is the disk mounted?")
    else:
        for folder in images.walk(root):
            if folder.problem:
                health.problems.append(f"{folder.path}: {folder.problem}")
                unseen = {path for path in unseen if not Path(path).is_relative_to(folder.path)}
                continue
            unseen.discard(str(folder.path))
            _examine_folder(catalogue, known.get(str(folder.path)), folder, encoder, health, new, missing)
        for path in unseen:
            nothing = images.Folder(Path(path), (), None)
            _examine_folder(catalogue, known[path], nothing, encoder, health, new, missing)
    _tell_moved(health, new, missing)
    return health


def _folders(catalogue: Catalogue, root: Path) -> dict[str, int]:
    rows = catalogue.db.execute(
        "SELECT d.path, d.id FROM folders d JOIN roots r ON r.id = d.root_id WHERE r.path = CAST(? AS TEXT)",
        [as_text(root)],
    )
    return dict(rows.fetchall())


def _examine_folder(
    catalogue: Catalogue,
    folder_id: int | None,
    folder: images.Folder,
    encoder: StoredEncoder,
    health: Health,
    new: list[tuple[Path, int, int]],
    missing: Counter[tuple[int, int, bytes]],
) -> None:
    rows = catalogue.db.execute(
        f"SELECT f.name, f.bytes, f.mtime_ns, f.skip_reason, c.sha256, {HAS_ALL} FROM files f "
        "LEFT JOIN contents c ON c.id = f.content_id "
        "LEFT JOIN vectors v ON v.content_id = f.content_id AND v.encoder_id = ?2 WHERE f.folder_id = ?3",
        [encoder.regions, encoder.id, folder_id],
    ).fetchall()
    known = {row[0]: row[1:] for row in rows}
    for file in folder.files:
        size, mtime_ns, reason, _, has_all = known.pop(file.name, (None, None, None, None, None))
        path = folder.path / file.name
        if size is None:
            new.append((path, file.size, storable(file.mtime_ns)))
        elif (size, mtime_ns) != (file.size, storable(file.mtime_ns)):
            health.changed += 1
        elif reason is not None:
            health.skip_count += 1
            if len(health.skipped) < _SHOWN:
                health.skipped.append((path, reason))
        elif not has_all:
            health.unencoded += 1
        else:
            health.indexed += 1
    missing.update((size, mtime_ns, sha256 or b"") for size, mtime_ns, _, sha256, _ in known.values())


def _tell_moved(health: Health, new: list[tuple[Path, int, int]], missing: Counter[tuple[int, int, bytes]]) -> None:
    """Count a new file as moved when it has the size and time, and then also the content, of a missing one."""
    candidates = {(size, mtime_ns) for size, mtime_ns, _ in missing}
    for path, size, mtime_ns in new:
        key = (size, mtime_ns, _digest(path)) if (size, mtime_ns) in candidates else None
        if key is not None and missing[key] > 0:
            missing[key] -= 1
            health.moved += 1
        else:
            health.new += 1
    health.missing = missing.total()


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return b"unreadable"
