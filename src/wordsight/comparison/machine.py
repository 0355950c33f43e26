"""The machine and the software that figures were measured on, described without naming either's owner."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from wordsight.machine import cores

PACKAGES = ("numpy", "onnxruntime", "openvino", "pillow", "usearch", "numkong", "tokenizers", "matplotlib")
_RAPL = Path("/sys/class/powercap")


def machine() -> dict[str, object]:
    """Return processor, vector instructions, cores, memory in GB, system, and the load when asked."""
    model = platform.processor() or platform.machine()
    features: list[str] = []
    gigabytes = None
    try:
        cpu = Path("/proc/cpuinfo").read_text("utf-8")
        found = re.search(r"^model name\s*: (.*)$", cpu, re.M)
        model = found[1] if found else model
        flags = re.search(r"^flags\s*: (.*)$", cpu, re.M)
        wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
        features = [flag for flag in wanted if flags and flag in flags[1].split()]
        memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text("utf-8"))
        gigabytes = round(int(memory[1]) / 2**20) if memory else None
    except OSError:
        pass
    return {
        "processor": model,
        "features": features,
        "cores": cores(),
        "memory_gb": gigabytes,
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python, of wordsight and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in ("wordsight", *packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory() -> int | None:
    """Return the most bytes of memory that this process has held so far; ``None`` where the system does not tell."""
    try:  # on Linux, what getrusage says includes the process that started this one
        status = Path("/proc/self/status").read_text("utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def energy(folder: Path = _RAPL) -> float | None:
    """Return the joules that the processors have used since some instant; ``None`` where the machine does not tell.

    Intel's and AMD's running average power limit as Linux shows it; often readable by the administrator only.
    """
    try:
        counters = [zone / "energy_uj" for zone in folder.iterdir() if re.fullmatch(r"intel-rapl:\d+", zone.name)]
        joules = [int(counter.read_text("utf-8")) / 1e6 for counter in counters]
    except (OSError, ValueError):
        return None
    return sum(joules) if joules else None
