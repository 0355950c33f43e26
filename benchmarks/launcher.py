"""Runs commands one after another and measures each; a small process of its own, started by ``process.measure``.

A child's peak memory, as the kernel counts it, begins with that of the process it was forked from: so the one that
forks must be small, and this file imports next to nothing.
"""

import json
import os
import signal
import sys
import time


def run(command: list[str], environment: dict[str, str], folder: str, limit: float) -> dict[str, object]:
    """Run one command to its end, or kill it after ``limit`` seconds; its output goes to files in ``folder``."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{folder}/stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, f"{folder}/stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, environment, file_actions=actions)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, limit)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    with open(f"{folder}/stdout", errors="replace") as out, open(f"{folder}/stderr", errors="replace") as err:  # noqa: PTH123
        stdout, stderr = out.read(), err.read()
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1024),
        "status": os.waitstatus_to_exitcode(status),
        "stdout": stdout,
        "stderr": stderr,
    }


if __name__ == "__main__":
    work = json.load(sys.stdin)
    done = [run(command, environment, work["folder"], work["limit"]) for command, environment in work["jobs"]]
    json.dump(done, sys.stdout)
