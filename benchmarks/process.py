"""Run whole processes and measure their time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LIMIT_SECONDS = 3_600.0  # of one command: one that hangs must not hold up the rest
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a command: seconds from start to end, seconds of CPU (user and system), MiB at the peak."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    stdout: str
    stderr: str
    status: int

    def last_json(self) -> dict[str, object]:
        """Return the JSON object on the last line of the output."""
        value: dict[str, object] = json.loads(self.stdout.strip().splitlines()[-1])
        return value


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, with environment variables on top of the present ones; ``expect`` are the good exit statuses."""

    words: Sequence[str]
    environment: Mapping[str, str] | None = None
    expect: tuple[int, ...] = (0,)


def measure(commands: Sequence[Command]) -> list[Sample]:
    """Run the commands one after another; raises ``RuntimeError`` with its stderr when one fails."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [[list(c.words), {**os.environ, **(c.environment or {})}] for c in commands]
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(_LAUNCHER)],
            input=json.dumps({"folder": folder, "jobs": jobs, "limit": _LIMIT_SECONDS}),
            capture_output=True,
            text=True,
            check=True,
        )
    samples = [Sample(**sample) for sample in json.loads(done.stdout)]
    for command, sample in zip(commands, samples, strict=True):
        if sample.status not in command.expect:
            words, last = " ".join(command.words), sample.stderr[-2000:]
            raise RuntimeError(f"{words} ended with {sample.status} after {sample.wall_s:.0f} s:\n{last}")
    return samples


def interleaved(*commands: Command, repeats: int) -> list[list[Sample]]:
    """Run A B A B ... after one unmeasured round, so that drift of the machine meets all alike; one list for each."""
    samples = measure(list(commands) * (repeats + 1))
    return [samples[len(commands) + place :: len(commands)] for place in range(len(commands))]


def wordsight(*words: str) -> list[str]:
    """Return the command line of the installed ``wordsight`` with these arguments."""
    script = Path(sys.executable).with_name("wordsight")
    return [str(script), *words] if script.is_file() else [sys.executable, "-m", "wordsight", *words]


def python(code: str, *words: str) -> list[str]:
    """Return the command line that runs ``code`` with this Python."""
    return [sys.executable, "-c", code, *words]


def module(name: str, *words: str) -> list[str]:
    """Return the command line of a module of this package."""
    return [sys.executable, "-m", f"benchmarks.{name}", *words]
