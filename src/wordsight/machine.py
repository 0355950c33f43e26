"""What this process may use of the machine, and where its files go."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores(cgroup: Path = _CGROUP, own: Path = _OWN) -> int:
    """Return how many processors this process may use: affinity and the quotas of its control groups count."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        available = os.cpu_count() or 1
    quotas = [quota for folder in _groups(cgroup, own) if (quota := _quota(folder)) is not None]
    return min([available, *(max(1, round(quota)) for quota in quotas)])


def _groups(cgroup: Path, own: Path) -> set[Path]:
    """Return the folders of the groups that this process is in, of either version: in a container often the root."""
    roots = {cgroup: "", cgroup / "cpu": ""}
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                roots[cgroup] = path
            elif "cpu" in controllers.split(","):
                roots[cgroup / "cpu"] = path
    found = set(roots)
    for root, path in roots.items():
        group = root / path.strip("/")
        found |= {folder for folder in (group, *group.parents) if folder.is_relative_to(root)}
    return found


def _quota(group: Path) -> float | None:
    """Return the processors that a control group was given; ``None``: as many as there are."""
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return None if int(quota) < 0 else int(quota) / int(period)
    return None


def processor() -> str:
    """Return the processor's name, as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cache_home() -> Path:
    """Return the folder of what can be made again: ``$WORDSIGHT_CACHE``, else the user's cache folder."""
    if chosen := os.environ.get("WORDSIGHT_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("wordsight", appauthor=False))


def models_home() -> Path:
    """Return the folder of models that were added: ``$WORDSIGHT_MODELS``, else one in the user's data folder."""
    if chosen := os.environ.get("WORDSIGHT_MODELS"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("wordsight", appauthor=False)) / "models"


def write_whole(file: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all; raises ``OSError``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
